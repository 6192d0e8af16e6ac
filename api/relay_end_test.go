package api

import (
	"strings"
	"testing"

	"gateway"
)

// What ends a relayed answer waits for its end, and what follows it in the stream as well;
// of an answer that broke after it nobody hears that it was whole.
func TestARelayedEndWaits(t *testing.T) {
	event := func(name, raw string, finish gateway.Finish, text string) gateway.Chunk {
		return gateway.Chunk{Event: name, Raw: []byte(raw), Finish: finish, Text: text}
	}
	for name, c := range map[string]struct {
		make   func() eventWriter
		chunks []gateway.Chunk
		marks  []string // of what waits
	}{
		"responses": {func() eventWriter { return newResponsesEvents(&gateway.Request{}, &gateway.Answer{}) },
			[]gateway.Chunk{event("response.output_text.delta", `{"delta":"Hi"}`, "", "Hi"), event("response.completed", `{"type":"response.completed"}`, gateway.FinishStop, "")},
			[]string{`data: {"type":"response.completed"}`}},
		"gemini": {func() eventWriter { return newGeminiWriter(&gateway.Request{}, &gateway.Answer{}) },
			[]gateway.Chunk{event("", `{"text":"Hi"}`, "", "Hi"), event("", `{"text":"!","finishReason":"STOP"}`, gateway.FinishStop, "!"), event("", `{"usageMetadata":{}}`, "", "")},
			[]string{`"finishReason"`, `"usageMetadata"`}},
		"gemini, an array": {func() eventWriter {
			w := newGeminiWriter(&gateway.Request{}, &gateway.Answer{})
			w.array = true
			return w
		}, []gateway.Chunk{event("", `{"text":"Hi","finishReason":"STOP"}`, gateway.FinishStop, "Hi")}, []string{`[{"text":"Hi"`, "]\n"}},
		"gemini, another candidate goes on": {func() eventWriter { return newGeminiWriter(&gateway.Request{}, &gateway.Answer{}) },
			[]gateway.Chunk{event("", `{"index":0,"finishReason":"STOP"}`, gateway.FinishStop, ""), event("", `{"index":1,"text":"b"}`, "", "b"), event("", `{"index":1,"finishReason":"STOP"}`, gateway.FinishStop, "c")},
			[]string{`{"index":1,"finishReason"`}},
	} {
		t.Run(name, func(t *testing.T) {
			w, broken := c.make(), c.make()
			var before, unheard []byte
			for i := range c.chunks {
				before, unheard = w.chunk(before, &c.chunks[i]), broken.chunk(unheard, &c.chunks[i])
				clear(c.chunks[i].Raw) // it was lent
			}
			end := string(w.end(nil, nil, nil))
			p := problemOf(gateway.Errorf(gateway.LedgerDown, ""))
			unheard = broken.fail(unheard, &p)
			for _, mark := range c.marks {
				if strings.Contains(string(before), mark) || strings.Count(end, mark) != 1 {
					t.Errorf("%q is not at the end alone: %q, then %q", mark, before, end)
				}
				if mark != "]\n" && strings.Contains(string(unheard), mark) {
					t.Errorf("a broken answer says %q", unheard)
				}
			}
		})
	}
}
