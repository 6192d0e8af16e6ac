package grammar

import (
	"slices"
	"strings"
	"testing"
)

func TestMessagesTakesRecordedStreams(t *testing.T) {
	for name, want := range map[string]MessagesAnswer{
		"messages.text.sse":          {Ending: Completed, Stop: "end_turn"},
		"messages.tools.sse":         {Ending: Completed, Stop: "tool_use"},
		"messages.thinking.sse":      {Ending: Completed, Stop: "end_turn"},
		"messages.refusal.sse":       {Ending: Completed, Stop: "refusal"},
		"messages.max_tokens.sse":    {Ending: Incomplete, Stop: "max_tokens"},
		"messages.stop_sequence.sse": {Ending: Completed, Stop: "stop_sequence"},
		"messages.error_first.sse":   {Ending: Failed},
		"messages.error_midway.sse":  {Ending: Failed},
	} {
		got, err := Messages(strings.Join(recorded(t, name), ""))
		if err != nil || got.Ending != want.Ending || got.Stop != want.Stop || (got.Code == "") == (want.Ending == Failed) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		switch name {
		case "messages.tools.sse":
			if last := got.Blocks[len(got.Blocks)-1]; last.Type != "tool_use" || !strings.HasPrefix(last.Input, "{") {
				t.Errorf("%s: %+v", name, got)
			}
		case "messages.thinking.sse":
			if first := got.Blocks[0]; first.Type != "thinking" || first.Text == "" || first.Signature == "" {
				t.Errorf("%s: %+v", name, got)
			}
		}
	}
}

// A stream with an event of its frame too few, too many or out of place is not taken
// for whole; a lost piece of text or a ping cannot be told.
func TestMessagesSeesEveryWrongEvent(t *testing.T) {
	for _, name := range []string{"messages.text.sse", "messages.tools.sse", "messages.thinking.sse"} {
		events := recorded(t, name)
		whole := func(stream []string) bool {
			got, err := Messages(strings.Join(stream, ""))
			return err == nil && got.Ending != Cut
		}
		for i, event := range events {
			if whole(events[:i]) {
				t.Errorf("%s, cut before event %d, is taken for whole", name, i)
			}
			if strings.Contains(event, "event: ping") || strings.Contains(event, "event: content_block_delta") {
				continue
			}
			if whole(slices.Delete(slices.Clone(events), i, i+1)) {
				t.Errorf("%s without event %d is taken for whole: %s", name, i, event)
			}
			if !strings.Contains(event, "event: message_delta") && whole(slices.Insert(slices.Clone(events), i, event)) {
				t.Errorf("%s with event %d twice is taken for whole: %s", name, i, event)
			}
		}
	}
}
