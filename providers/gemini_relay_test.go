package providers

import (
	"testing"

	"gateway"
)

func TestGeminiRelayChangesOnlyWhatItMust(t *testing.T) {
	a := &gemini{}
	for _, c := range []struct {
		body  string
		limit int
		want  string // "": as it was
	}{
		{`{"contents": [{"parts":[{"text":"Hi"}]}], "x":1e400}`, 0, ``},
		{`{"contents":[{"parts":[{"text":"Hi"}]}],"generationConfig":{"maxOutputTokens":5,"seed":1}}`, 9, ``},
		{`{"contents":[{"parts":[{"text":"Hi"}]}],"generationConfig":{"maxOutputTokens":50,"seed":1}}`, 9, `{"contents":[{"parts":[{"text":"Hi"}]}],"generationConfig":{"maxOutputTokens":9,"seed":1}}`},
		{`{"contents":[{"parts":[{"text":"Hi"}]}]}`, 9, `{"contents":[{"parts":[{"text":"Hi"}]}],"generationConfig":{"maxOutputTokens":9}}`},
		{`{"contents":[{"parts":[{"text":"Hi"}]}],"generation_config":{"max_output_tokens":50}}`, 9, `{"contents":[{"parts":[{"text":"Hi"}]}],"generation_config":{"max_output_tokens":9}}`},
		{`{"contents":[{"parts":[{}]},{"parts":[{"text":"a"},{"text":""},{"thought":true}]},{"parts":[{"thoughtSignature":"s"},{"functionCall":{"name":"f"},"thoughtSignature":"t"}]}]}`, 0,
			`{"contents":[{"parts":[{"text":"a"}]},{"parts":[{"thoughtSignature":"s","text":""},{"functionCall":{"name":"f"},"thoughtSignature":"t"}]}]}`},
	} {
		call := &gateway.Call{Request: &gateway.Request{Wire: geminiWire, Raw: []byte(c.body)}, Model: &gateway.Model{}, MaxTokens: c.limit}
		want := c.want
		if want == "" {
			want = c.body
		}
		if got, err := a.relay(call, false); err != nil || string(got) != want {
			t.Errorf("%v\n got %s\nwant %s", err, got, want)
		}
	}
	for from, want := range map[string]string{
		`[{"text":"a","thoughtSignature":"s"},{"functionCall":{"name":"f"},"thoughtSignature":"t"}]`: `[{"text":"a"},{"functionCall":{"name":"f"},"thoughtSignature":"` + unsigned + `"}]`,
		// Another provider made these, which signs nothing.
		`[{"functionCall":{"name":"f"}},{"functionCall":{"name":"g"}}]`: `[{"functionCall":{"name":"f"},"thoughtSignature":"` + unsigned + `"},{"functionCall":{"name":"g"}}]`,
	} {
		call := &gateway.Call{Request: &gateway.Request{Wire: geminiWire, Raw: []byte(`{"contents":[{"parts":` + from + `}]}`)}, Model: &gateway.Model{}}
		if got, err := a.relay(call, true); err != nil || string(got) != `{"contents":[{"parts":`+want+`}]}` {
			t.Errorf("%v %s", err, got)
		}
	}
}
