package grammar

import (
	"slices"
	"strings"
	"testing"
)

func TestGeminiTakesRecordedStreams(t *testing.T) {
	for name, want := range map[string]GeminiAnswer{
		"gemini.text.sse":  {Ending: Completed, Finish: "STOP"},
		"gemini.tools.sse": {Ending: Completed, Finish: "STOP", In: 96, Out: 51},
		"gemini.error.sse": {Ending: Failed, Code: 503},
	} {
		events := recorded(t, name)
		got, err := Gemini(strings.Join(events, ""))
		if err != nil || got.Ending != want.Ending || got.Finish != want.Finish || got.Code != want.Code || want.In != 0 && (got.In != want.In || got.Out != want.Out) {
			t.Errorf("%s: %+v, %v", name, got, err)
			continue
		}
		if name == "gemini.tools.sse" && (len(got.Calls) != 2 || got.Calls[0].Signature == "" || got.Calls[1].Name != "get_weather") {
			t.Errorf("%s: %+v", name, got.Calls)
		}
		array := "["
		for i, ev := range events {
			if i > 0 {
				array += ","
			}
			array += strings.TrimPrefix(ev, "data: ")
		}
		again, err := Gemini(array + "]")
		if err != nil || again.Text != got.Text || again.Ending != got.Ending {
			t.Errorf("%s as an array: %+v, %v", name, again, err)
		}
		if cut, err := Gemini(strings.Join(events[:len(events)-1], "")); err != nil || cut.Ending != Cut {
			t.Errorf("%s without its end: %+v, %v", name, cut, err)
		}
		if _, err := Gemini(strings.Join(slices.Insert(slices.Clone(events), len(events), events[0]), "")); err == nil {
			t.Errorf("%s goes on after its end", name)
		}
	}
	for _, stream := range []string{"data: [DONE]\n\n", "event: x\ndata: {}\n\n", "data: {}\n\n", "[1]",
		`[{"candidates":[{"content":{"role":"model","parts":[{"functionCall":{"name":"f","args":"{}"}}]},"index":0}],"modelVersion":"m","responseId":"r"}]`,
		`[{"candidates":[{"content":{"role":"model","parts":[{"text":"x","thoughtSignature":"?"}]},"index":0}],"modelVersion":"m","responseId":"r"}]`} {
		if _, err := Gemini(stream); err == nil {
			t.Errorf("%q is taken", stream)
		}
	}
}
