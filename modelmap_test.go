package gateway

import "testing"

func TestMapModel(t *testing.T) {
	key := map[string]string{"claude-*": "fast", "gpt-6": "auto"}
	config := map[string]string{"fast": "deepseek/deepseek-flash", "claude-*": "anthropic/x", "claude-haiku-*": "ollama/small", "claude-haiku-5-5": "auto", "*": "else/where"}
	for _, c := range []struct {
		asked string
		maps  []map[string]string
		want  string
	}{
		{"claude-opus-5-5", []map[string]string{key, config}, "deepseek/deepseek-flash"}, // one say each, in turn
		{"claude-opus-5-5", []map[string]string{config}, "anthropic/x"},
		{"claude-haiku-4-5-20251001", []map[string]string{config}, "ollama/small"}, // the longest pattern
		{"claude-haiku-5-5", []map[string]string{config}, "auto"},                  // the whole name before patterns
		{"gpt-6", []map[string]string{key, config}, "auto"},                        // a * is not auto
		{"", []map[string]string{config}, ""},
		{"default", []map[string]string{config}, "default"},
		{"gpt-6", []map[string]string{nil, config}, "else/where"},
		{"gpt-6", nil, "gpt-6"},
	} {
		if got := MapModel(c.asked, c.maps...); got != c.want {
			t.Errorf("%q became %q, want %q", c.asked, got, c.want)
		}
	}
}
