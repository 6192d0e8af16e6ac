package providers

import (
	"strings"
	"testing"

	"gateway"
)

func TestAKindIsDeclaredOnceAndWhole(t *testing.T) {
	adapter := func(Settings) (Adapter, error) { return nil, nil }
	for what, c := range map[string]struct {
		kind kind
		says string
	}{
		"twice":              {kind{name: anthropicKind, adapter: adapter}, `"anthropic" is declared twice`},
		"without a name":     {kind{adapter: adapter}, "needs a name"},
		"without an adapter": {kind{name: "new"}, "needs a name and an adapter"},
	} {
		func() {
			defer func() {
				if said, _ := recover().(string); !strings.Contains(said, c.says) {
					t.Errorf("%s: %q", what, said)
				}
			}()
			register(c.kind)
		}()
	}
}

// What a model is told apart by comes from its kind's declaration and its entry's quirks.
func TestModelsHaveTheProtocolOfTheirKind(t *testing.T) {
	c, err := Load("f.json", gateway.ShippedProviders, everyKey)
	if err != nil {
		t.Fatal(err)
	}
	makers := map[string]string{openAIKind: openAIKind, responsesKind: openAIMaker, anthropicKind: anthropicKind, geminiKind: geminiKind, ollamaKind: ollamaKind}
	seen := map[string]bool{}
	for _, m := range c.Models() {
		seen[m.Kind] = true
		p := m.Protocol
		if p.Maker != makers[m.Kind] {
			t.Errorf("%s: made by %q", m.Kind, p.Maker)
		}
		if hides := m.Kind != openAIKind && m.Kind != ollamaKind || m.Provider == "openai"; p.Hides != hides {
			t.Errorf("%s/%s: hides what it thinks: %v", m.Provider, m.Name, p.Hides)
		}
		if counts := m.Kind != openAIKind || m.Provider == "openai"; (p.ImageTokens > 0) != counts {
			t.Errorf("%s/%s: %d tokens of an image", m.Provider, m.Name, p.ImageTokens)
		}
	}
	if len(seen) < 4 {
		t.Errorf("the shipped file has only %v", seen)
	}
	if unknown := (&Entry{Kind: "none"}).protocolOf(); unknown != (gateway.Protocol{}) {
		t.Errorf("%+v of a kind that is none", unknown)
	}
}
