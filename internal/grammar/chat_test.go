package grammar

import (
	"slices"
	"strings"
	"testing"
)

func TestChatTakesRecordedStreams(t *testing.T) {
	for name, want := range map[string]ChatAnswer{
		"chat.text.sse":           {Ending: Completed, Finish: "stop"},
		"chat.tools.sse":          {Ending: Completed, Finish: "tool_calls"},
		"chat.refusal.sse":        {Ending: Completed, Finish: "stop"},
		"chat.content_filter.sse": {Ending: Completed, Finish: "content_filter"},
		"chat.no_usage.sse":       {Ending: Completed, Finish: "stop"},
		"chat.error_first.sse":    {Ending: Failed},
		"chat.error_midway.sse":   {Ending: Failed},
	} {
		stream := strings.Join(recorded(t, name), "")
		got, err := Chat(stream, strings.Contains(stream, `"usage"`))
		if err != nil || got.Ending != want.Ending || got.Finish != want.Finish {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		switch name {
		case "chat.tools.sse":
			if len(got.Calls) == 0 || got.Calls[0].Name == "" || got.Calls[0].Arguments == "" {
				t.Errorf("%s: %+v", name, got)
			}
		case "chat.refusal.sse":
			if got.Refusal == "" {
				t.Errorf("%s: %+v", name, got)
			}
		}
	}
}

// This one broke inside an event.
func TestChatSeesABrokenEvent(t *testing.T) {
	if got, err := Chat(strings.Join(recorded(t, "chat.truncated.sse"), ""), false); err == nil || got.Ending != Cut {
		t.Errorf("%+v, %v", got, err)
	}
}

// A chat stream cannot tell a lost piece of text, but everything around it.
func TestChatSeesAStreamThatIsNotWhole(t *testing.T) {
	for _, name := range []string{"chat.text.sse", "chat.tools.sse", "chat.refusal.sse"} {
		events := recorded(t, name)
		usage := strings.Contains(strings.Join(events, ""), `"usage"`)
		whole := func(stream []string) bool {
			got, err := Chat(strings.Join(stream, ""), usage)
			return err == nil && (got.Ending == Completed || got.Ending == Incomplete)
		}
		for i := range events {
			if whole(events[:i]) {
				t.Errorf("%s, cut before event %d, is taken for whole", name, i)
			}
		}
		last := len(events) - 1
		for what, stream := range map[string][]string{
			"without its role":        events[1:],
			"with its role twice":     slices.Insert(slices.Clone(events), 1, events[0]),
			"without a finish_reason": slices.DeleteFunc(slices.Clone(events), func(e string) bool { return strings.Contains(e, `"finish_reason":"`) }),
			"with [DONE] twice":       append(slices.Clone(events), events[last]),
			"with [DONE] early":       slices.Insert(slices.Clone(events), 1, events[last]),
			"with a name":             append([]string{"event: x\n" + events[0]}, events[1:]...),
			"with another id":         append([]string{strings.Replace(events[0], `"id":"`, `"id":"other`, 1)}, events[1:]...),
		} {
			if whole(stream) {
				t.Errorf("%s %s is taken for whole", name, what)
			}
		}
	}
}
