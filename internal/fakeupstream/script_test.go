package fakeupstream

import (
	"strings"
	"testing"
)

// A script sees the tools and what came of them, and its answer arrives in every format.
func TestScriptSpeaksEveryFormat(t *testing.T) {
	wanted := []Call{{Name: "weather", Arguments: `{"city":"Oslo"}`}, {Name: "tides", Arguments: `{"city":"Brest","days":2}`}}
	for _, d := range dialects() {
		t.Run(d.kind.String(), func(t *testing.T) {
			s := start(t, Config{Kind: d.kind, Script: func(seen Seen) Step {
				switch {
				case len(seen.Tools) != 2 || seen.Tools[0].Name != "weather" || !strings.Contains(string(seen.Tools[0].Schema), "city"):
					return Step{Fault: ServerError}
				case len(seen.Done) == 0:
					return Step{Say: &Say{Reasoning: "Both, then.", Text: "I look.", Calls: wanted}}
				}
				told := ""
				for _, one := range seen.Done {
					told += one.Name + " " + canonical(one.Arguments) + ": " + canonical(one.Result) + "; "
				}
				return Step{Say: &Say{Text: told}}
			}})
			_, body := d.post(t, s, false, d.body("Look.", false, nil, nil, nil))
			text, made, turn := d.read(t, body)
			if text != "I look." || len(made) != 2 {
				t.Fatalf("%q, %v: %s", text, made, body)
			}
			for i, c := range made {
				if c.Name != wanted[i].Name || canonical(c.Arguments) != canonical(wanted[i].Arguments) || c.ID == "" {
					t.Errorf("call %+v, want %+v", c, wanted[i])
				}
			}
			_, body = d.post(t, s, false, d.body("Look.", false, turn, made, []string{"cold", "low"}))
			want := `weather {"city":"Oslo"}: cold; tides {"city":"Brest","days":2}: low; `
			if text, _, _ = d.read(t, body); text != want {
				t.Errorf("%q, want %q", text, want)
			}
		})
	}
}

// An answer that is cut or refused ends in the provider's own word for it.
func TestScriptEndsAsTheProviderDoes(t *testing.T) {
	words := map[Kind][2]string{
		OpenAI:    {`"finish_reason":"length"`, `"refusal":"`},
		DeepSeek:  {`"finish_reason":"length"`, `"finish_reason":"content_filter"`},
		Anthropic: {`"stop_reason":"max_tokens"`, `"stop_reason":"refusal"`},
		Gemini:    {`"finishReason":"MAX_TOKENS"`, `"finishReason":"SAFETY"`},
		Ollama:    {`"done_reason":"length"`, `"done_reason":"stop"`},
	}
	for _, d := range dialects() {
		for i, say := range []Say{{Text: "Once upon", Length: true}, {Text: "I will not.", Refused: true}} {
			s := start(t, Config{Kind: d.kind, Script: func(Seen) Step { return Step{Say: &say} }})
			for _, stream := range []bool{false, true} {
				if status, body := d.post(t, s, stream, d.body("Go on.", stream, nil, nil, nil)); status != 200 || !strings.Contains(body, words[d.kind][i]) {
					t.Errorf("%v, %+v, stream %v: %d without %s: %s", d.kind, say, stream, status, words[d.kind][i], body)
				}
			}
		}
	}
}
