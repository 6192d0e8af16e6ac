package providers

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"gateway"
)

// A character that a server sends in two events is one in every format.
func TestCharactersInHalvesAreJoined(t *testing.T) {
	event := func(data ...string) string { return "data: " + strings.Join(data, "\n\ndata: ") + "\n\n" }
	chat := func(delta string) string { return `{"choices":[{"index":0,"delta":` + delta + `}]}` }
	part := func(text, more string) string {
		return `{"candidates":[{"content":{"parts":[{"text":"` + text + `"}]}` + more + `}]}`
	}
	line := func(text string) string {
		return `{"message":{"content":"` + text + `","thinking":"` + text + `"},"done":false}` + "\n"
	}
	const arguments, thought = `{"a":"😀"}`, "é😀\\ud83d"
	for kind, c := range map[string]struct {
		media, body, text, reasoning string
		calls                        []string
	}{
		openAIKind: {body: event(chat(`{"content":"a\ud83d"}`), chat(`{"content":""}`), chat(`{"content":"\ude00b\uD83D"}`), chat(`{"content":"\uDE00\ud83d"}`), chat(`{"content":"\ude00"}`),
			chat(`{"reasoning_content":"é\ud83d"}`), chat(`{"reasoning_content":"\ude00\\ud83d"}`),
			chat(`{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"a\":\"\ud83d"}},{"index":1,"id":"b","function":{"name":"g","arguments":"{\"a\":\"\ud83d"}}]}`),
			chat(`{"tool_calls":[{"index":1,"function":{"arguments":"\ude00\"}"}},{"index":0,"function":{"arguments":"\ude00\"}"}}]}`),
			`{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}`), text: "a😀b😀😀", reasoning: thought, calls: []string{arguments, arguments}},
		anthropicKind: {body: event(`{"type":"message_start","message":{}}`, `{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}`,
			`{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"é\ud83d"}}`, `{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"\ude00\\ud83d"}}`,
			`{"type":"content_block_stop","index":0}`, `{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}`,
			`{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"a\ud83d"}}`, `{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"\ude00b"}}`,
			`{"type":"content_block_stop","index":1}`, `{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}`,
			`{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"a\":\"\ud83d"}}`, `{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"\ude00\"}"}}`,
			`{"type":"content_block_stop","index":2}`, `{"type":"message_delta","delta":{"stop_reason":"tool_use"}}`, `{"type":"message_stop"}`), text: "a😀b", reasoning: thought, calls: []string{arguments}},
		responsesKind: {body: event(`{"type":"response.output_item.added","output_index":0,"item":{"type":"message"}}`, `{"type":"response.output_text.delta","output_index":0,"delta":"a\ud83d"}`,
			`{"type":"response.output_item.added","output_index":1,"item":{"type":"function_call","call_id":"c","name":"f"}}`, `{"type":"response.function_call_arguments.delta","output_index":1,"delta":"{\"a\":\"\ud83d"}`,
			`{"type":"response.output_text.delta","output_index":0,"delta":"\ude00b"}`, `{"type":"response.function_call_arguments.delta","output_index":1,"delta":"\ude00\"}"}`,
			`{"type":"response.completed","response":{"status":"completed"}}`), text: "a😀b", calls: []string{arguments}},
		geminiKind: {body: event(part(`a\ud83d`, ""), part(`\ude00b`, `,"finishReason":"STOP"`)), text: "a😀b"},
		ollamaKind: {media: "application/x-ndjson", body: line(`a\ud83d`) + line(`\ude00b`) + `{"message":{"content":""},"done":true,"done_reason":"stop"}` + "\n", text: "a😀b", reasoning: "a😀b"},
	} {
		if c.media == "" {
			c.media = "text/event-stream"
		}
		server, _ := nativeServer(t, says(http.StatusOK, c.media, c.body))
		a, err := kinds[kind].adapter(Settings{Name: "p", Kind: kind, BaseURL: server.URL, Client: server.Client(), State: NewState(1, time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		s, err := a.Open(t.Context(), withText())
		if err != nil {
			t.Fatal(err)
		}
		got, err := gateway.Collect(s)
		ch := got.Choices[0]
		if err != nil || ch.Text != c.text || ch.Reasoning != c.reasoning || len(ch.ToolCalls) != len(c.calls) {
			t.Errorf("%s: %v, %q and %q with %d calls", kind, err, ch.Text, ch.Reasoning, len(ch.ToolCalls))
			continue
		}
		for i, want := range c.calls {
			if ch.ToolCalls[i].Arguments != want {
				t.Errorf("%s: call %d with %q, want %q", kind, i, ch.ToolCalls[i].Arguments, want)
			}
		}
	}
}

// withText is a call that says one word.
func withText() *gateway.Call {
	return &gateway.Call{Model: &gateway.Model{Provider: "p", Name: "m"}, Request: &gateway.Request{Raw: []byte("{}"), Decode: func([]byte) (*gateway.Chat, error) {
		return &gateway.Chat{Messages: []gateway.Message{{Speaker: gateway.User, Parts: []gateway.Part{{Text: "Hi"}}}}}, nil
	}}}
}

// However a text is cut between its escapes, its pieces come to what it is.
func FuzzHalves(f *testing.F) {
	f.Add("a😀é\"\\ 👩‍👩‍👧", 3)
	f.Add("\\ud83d", 2)
	f.Fuzz(func(t *testing.T, text string, cut int) {
		text = strings.ToValidUTF8(text, "")
		pieces := []string{}
		for _, r := range text {
			if r > 0xffff {
				r -= 0x10000
				pieces = append(pieces, unitOf(0xd800+r>>10), unitOf(0xdc00+r&0x3ff))
			} else {
				raw := quoted(string(r))
				pieces = append(pieces, raw[1:len(raw)-1])
			}
		}
		cut = max(0, min(cut, len(pieces)))
		var h halves
		got := ""
		for _, piece := range [][]string{pieces[:cut], pieces[cut:]} {
			got += h.text(gjson.Parse(`"` + strings.Join(piece, "") + `"`))
		}
		if got != text {
			t.Fatalf("%q, want %q", got, text)
		}
	})
}

func unitOf(unit rune) string {
	const digits = "0123456789abcdef"
	return `\u` + string([]byte{digits[unit>>12&15], digits[unit>>8&15], digits[unit>>4&15], digits[unit&15]})
}

// A half without another at the end of a block is no part of the next one: before the
// arguments of a call it would make them no JSON.
func TestAHalfDoesNotLeaveItsBlock(t *testing.T) {
	body := `data: {"type":"message_start","message":{}}

data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a\ud83d"}}

data: {"type":"content_block_stop","index":0}

data: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}

data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}}

data: {"type":"content_block_stop","index":1}

data: {"type":"message_delta","delta":{"stop_reason":"tool_use"}}

data: {"type":"message_stop"}

`
	server, _ := nativeServer(t, says(http.StatusOK, "text/event-stream", body))
	a, err := kinds[anthropicKind].adapter(Settings{Name: "p", Kind: anthropicKind, BaseURL: server.URL, Client: server.Client(), State: NewState(1, time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	s, err := a.Open(t.Context(), withText())
	if err != nil {
		t.Fatal(err)
	}
	got, err := gateway.Collect(s)
	if err != nil {
		t.Fatal(err)
	}
	if ch := got.Choices[0]; ch.Text != "a" || len(ch.ToolCalls) != 1 || ch.ToolCalls[0].Arguments != `{"a":1}` {
		t.Errorf("%q and calls %+v", ch.Text, ch.ToolCalls)
	}
}
