package grammar

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// recorded are the events of a stream as the specification's SDK and Codex read it.
func recorded(t *testing.T, name string) []string {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var events []string
	for event := range strings.SplitSeq(strings.TrimSpace(string(raw)), "\n\n") {
		events = append(events, event+"\n\n")
	}
	return events
}

func TestResponsesTakesRecordedStreams(t *testing.T) {
	for name, want := range map[string]ResponsesAnswer{
		"stream.text.sse":   {Ending: Completed, ID: "resp_Fx1", Model: "gateway-auto", In: 96, Out: 30, Cached: 64, Reasoning: 12},
		"stream.tools.sse":  {Ending: Completed, ID: "resp_Fx1", Model: "gateway-auto", In: 96, Out: 30, Cached: 64, Reasoning: 12},
		"stream.failed.sse": {Ending: Failed, ID: "resp_Fx1", Model: "gateway-auto", Code: "rate_limit_exceeded"},
	} {
		got, err := Responses(strings.Join(recorded(t, name), ""))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		items := got.Items
		got.Items = nil
		if got.Ending != want.Ending || got.ID != want.ID || got.In != want.In || got.Out != want.Out || got.Cached != want.Cached || got.Reasoning != want.Reasoning || got.Code != want.Code {
			t.Errorf("%s: %+v", name, got)
		}
		switch name {
		case "stream.text.sse":
			if len(items) != 2 || items[0].Summary != "Greeting." || items[0].Encrypted != "b3BhcXVlMg==" || items[1].Text != "Hi there." {
				t.Errorf("%s: %+v", name, items)
			}
		case "stream.tools.sse":
			if len(items) != 1 || items[0].Name != "shell" || items[0].Arguments != `{"command":["ls"]}` {
				t.Errorf("%s: %+v", name, items)
			}
		}
	}
}

// A stream with one event too few, too many or out of place is not taken for whole.
func TestResponsesSeesEveryWrongEvent(t *testing.T) {
	for _, name := range []string{"stream.text.sse", "stream.tools.sse"} {
		events := recorded(t, name)
		check := func(what string, at int, stream []string) {
			got, err := Responses(strings.Join(stream, ""))
			if err == nil && got.Ending != Cut {
				t.Errorf("%s: event %d %s, and the stream is taken for %s", name, at, what, got.Ending)
			}
		}
		for i := range events {
			check("left out", i, slices.Delete(slices.Clone(events), i, i+1))
			check("twice", i, slices.Insert(slices.Clone(events), i, events[i]))
			if i > 0 {
				swapped := slices.Clone(events)
				swapped[i-1], swapped[i] = swapped[i], swapped[i-1]
				check("before its time", i, swapped)
			}
		}
	}
}

func TestEventsOfAnyLineEnd(t *testing.T) {
	for _, stream := range []string{"event: a\ndata: x\ndata:y\n\n", ": hello\r\n\r\nevent: a\r\ndata: x\r\ndata: y\r\n\r\n"} {
		got, err := Events(stream)
		if err != nil || len(got) != 1 || got[0] != (Event{"a", "x\ny"}) {
			t.Errorf("%q: %v, %v", stream, got, err)
		}
	}
	for _, stream := range []string{"event: a\n\n", "data: x\n", "what: x\n\n"} {
		if got, err := Events(stream); err == nil {
			t.Errorf("%q: %v", stream, got)
		}
	}
}
