package gateway

import "testing"

func TestAllows(t *testing.T) {
	m := &Model{Provider: "deepseek", Name: "deepseek-flash"}
	for _, c := range []struct {
		pattern, asked string
		want           bool
	}{
		{"*", "auto", true}, // by the model
		{"auto", "", true}, {"auto", "default", true}, {"auto", "auto", true},
		{"auto", "deepseek-flash", false},
		{"aut*", "auto", false}, // would be every model
		{"fast", "fast", true}, {"fa*", "fast", true}, {"fa*", "auto", false},
		{"deepseek/deepseek-flash", "auto", true}, {"deepseek/*", "auto", true}, {"deepseek/deepseek-f*", "x", true},
		{"deepseek/", "auto", false}, {"openai/*", "auto", false}, {"openai/*", "deepseek-flash", false},
		{"deepseek-flash", "auto", true}, {"deepseek*", "auto", true}, {"deep*", "deepseek/deepseek-flash", true},
		{"DEEPSEEK/*", "auto", false}, {"", "", true}, {"", "auto", false},
	} {
		if got := Allows([]string{c.pattern}, c.asked, m); got != c.want {
			t.Errorf("%q, asked %q: %v", c.pattern, c.asked, got)
		}
	}
	if !Allows(nil, "auto", m) || Allows([]string{}, "auto", m) {
		t.Error("no list is every model, an empty one is none")
	}
}

func TestTariffsAreNamedByContent(t *testing.T) {
	a, b := Tariff{Base: Rates{Input: 1}, Date: "2026-11-01"}, Tariff{Base: Rates{Input: 1}, Date: "2026-11-01", ID: "old"}
	a.Identify()
	b.Identify()
	if a.ID != b.ID || len(a.ID) != 32 {
		t.Errorf("%q, %q", a.ID, b.ID)
	}
	b.Tiers = []Tier{{PromptAbove: 1}}
	b.Identify()
	if a.ID == b.ID {
		t.Error("other prices, same name")
	}
}
