package providers

import (
	"bytes"
	"context"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"gateway"
)

// responsesStreams are the stream fixtures of this format with what they must fold to.
var responsesStreams = map[string]struct {
	text, reasoning string
	calls           []gateway.ToolCall
	thinking        []gateway.Thinking
	finish          gateway.Finish
	native          string
	ends            string // the event before which no cut is complete
}{
	"text": {text: "Hi there.", reasoning: "Greeting.", finish: "stop", native: "completed", ends: "event: response.completed",
		thinking: []gateway.Thinking{{Maker: "openai", Model: "m", Text: "Greeting.", Signature: "b3BhcXVlMg=="}}},
	"tools": {calls: []gateway.ToolCall{{ID: "call_a", Name: "shell", Arguments: `{"command":["ls"]}`}}, finish: "tool_calls",
		native: "completed", ends: "event: response.completed"},
	"incomplete": {text: "Hi", finish: "length", native: "max_output_tokens", ends: "event: response.incomplete"},
	"failed":     {},
}

var responsesCounts = gateway.Usage{Fresh: 32, CachedRead: 64, Output: 30, Reasoning: 12, Reported: true}

func responsesFixture(t testing.TB, name string) []byte {
	return fixture(t, "openai-responses/stream."+name+".sse")
}

func responsesAdapter(s Settings) *responses {
	s.Name, s.Kind = "p", responsesKind
	a, _ := newResponses(s)
	return a.(*responses)
}

func responsesReader(r io.Reader, ask responsesAsk) *responsesStream {
	return newResponsesStream(context.Background(), responsesAdapter(Settings{}), testCall(), &ask, io.NopCloser(r))
}

func TestResponsesStreamsFoldAsExpected(t *testing.T) {
	for name, want := range responsesStreams {
		raw := responsesFixture(t, name)
		for _, r := range []io.Reader{bytes.NewReader(raw), iotest.OneByteReader(bytes.NewReader(raw))} {
			got, err := gateway.Collect(responsesReader(r, responsesAsk{}))
			c := got.Choices[0]
			if c.Text != want.text || c.Reasoning != want.reasoning || c.Finish != want.finish || c.Native != want.native ||
				!reflect.DeepEqual(c.ToolCalls, want.calls) || !reflect.DeepEqual(c.Thinking, want.thinking) {
				t.Errorf("%s: %+v", name, c)
			}
			if got.Meta.ID != "resp_Fx1" || got.Meta.Created != 1795420800 {
				t.Errorf("%s: %+v", name, got.Meta)
			}
			if name == "failed" {
				var e *gateway.Error
				if !errors.As(err, &e) || e.Kind != gateway.RateLimited || e.RetryAfter != 3*time.Second || !e.Sent {
					t.Errorf("%s: %+v", name, e)
				}
			} else if err != nil || got.Usage != responsesCounts {
				t.Errorf("%s: %+v, %v", name, got.Usage, err)
			}
		}
	}
}

func TestCutResponsesAreNeverCompleteTooEarly(t *testing.T) {
	for name, want := range responsesStreams {
		raw := responsesFixture(t, name)
		end := bytes.Index(raw, []byte(want.ends))
		for n := range raw {
			got, err := gateway.Collect(responsesReader(bytes.NewReader(raw[:n]), responsesAsk{}))
			if err == nil && (name == "failed" || n < end) {
				t.Fatalf("%s cut at %d is complete", name, n)
			}
			if !strings.HasPrefix(want.text, got.Choices[0].Text) {
				t.Fatalf("%s cut at %d: %q is no prefix of %q", name, n, got.Choices[0].Text, want.text)
			}
			if err != nil && gateway.KindOf(err) != gateway.Unavailable && name != "failed" {
				t.Fatalf("%s cut at %d: %v", name, n, err)
			}
		}
	}
}

// Servers differ in which events they send. The answer is the same.
func TestResponsesInOtherOrders(t *testing.T) {
	const done = `data: {"type":"response.completed","response":{"status":"completed","output":%}}` + "\n\n"
	call := `{"type":"function_call","call_id":"c","name":"f","arguments":"{\"a\":1}"}`
	for name, c := range map[string]struct {
		events string
		want   gateway.Choice
	}{
		"only the end": {strings.Replace(done, "%", `[{"type":"message","content":[{"type":"output_text","text":"a"},{"type":"refusal","refusal":"no"}]},`+call+`]`, 1),
			gateway.Choice{Text: "a", Refusal: "no", ToolCalls: []gateway.ToolCall{{ID: "c", Name: "f", Arguments: `{"a":1}`}}, Finish: "tool_calls"}},
		"only whole items": {`data: {"type":"response.output_item.done","output_index":0,"item":` + call + "}\n\n" + strings.Replace(done, "%", "["+call+"]", 1),
			gateway.Choice{ToolCalls: []gateway.ToolCall{{ID: "c", Name: "f", Arguments: `{"a":1}`}}, Finish: "tool_calls"}},
		"a call without arguments": {strings.Replace(done, "%", `[{"type":"function_call","call_id":"c","name":"f","arguments":""}]`, 1),
			gateway.Choice{ToolCalls: []gateway.ToolCall{{ID: "c", Name: "f", Arguments: `{}`}}, Finish: "tool_calls"}},
		"a custom call": {strings.Replace(done, "%", `[{"type":"custom_tool_call","call_id":"c","name":"f","input":"a \"b\""}]`, 1),
			gateway.Choice{ToolCalls: []gateway.ToolCall{{ID: "c", Name: "f", Arguments: `{"input":"a \"b\""}`}}, Finish: "tool_calls"}},
		"bare deltas": {`data: {"type":"response.output_text.delta","output_index":3,"delta":"x\n"}` + "\n\n" + `data: {"type":"response.refusal.delta","delta":"no"}` + "\n\n" +
			`data: {"type":"response.new_thing","delta":{}}` + "\n\n" + strings.Replace(done, "%", `[]`, 1) + "data: [DONE]\n\n",
			gateway.Choice{Text: "x\n", Refusal: "no", Finish: "stop"}},
		"a summary of two parts": {`data: {"type":"response.reasoning_summary_text.delta","delta":"a"}` + "\n\n" + `data: {"type":"response.reasoning_summary_part.added","summary_index":1}` + "\n\n" +
			`data: {"type":"response.reasoning_summary_text.delta","summary_index":1,"delta":"b"}` + "\n\n" + strings.Replace(done, "%", `[]`, 1),
			gateway.Choice{Reasoning: "a\n\nb", Finish: "stop"}},
	} {
		got, err := gateway.Collect(responsesReader(strings.NewReader(c.events), responsesAsk{}))
		c.want.Native = "completed"
		if err != nil || !reflect.DeepEqual(got.Choices[0], c.want) {
			t.Errorf("%s: %+v, %v", name, got.Choices[0], err)
		}
	}
}

func TestResponsesFailuresAreClassified(t *testing.T) {
	failed := func(code string) string {
		return `data: {"type":"response.failed","response":{"status":"failed","error":{"code":"` + code + `","message":"x"},"usage":{"input_tokens":7}}}` + "\n\n"
	}
	for events, kind := range map[string]gateway.Kind{
		failed("server_error"):            gateway.Unavailable,
		failed("context_length_exceeded"): gateway.ContextLength,
		failed("insufficient_quota"):      gateway.ProviderBilling,
		failed("invalid_prompt"):          gateway.ContentFiltered,
		`data: {"type":"response.failed","response":{"error":null}}` + "\n\n":                          gateway.Unavailable,
		`data: {"type":"response.cancelled","response":{}}` + "\n\n":                                   gateway.Unavailable,
		"event: error\ndata: {\"code\":\"server_is_overloaded\",\"message\":\"x\",\"param\":null}\n\n": gateway.Overloaded,
		`data: {"type":"error","error":{"code":"rate_limit_exceeded"}}` + "\n\n":                       gateway.RateLimited,
		`data: {"error":{"type":"invalid_request_error","message":"x"}}` + "\n\n":                      gateway.Invalid,
		"data: <html>\n\n": gateway.BadAnswer,
		"data: [DONE]\n\n": gateway.Unavailable,
	} {
		_, err := gateway.Collect(responsesReader(strings.NewReader(events), responsesAsk{}))
		var e *gateway.Error
		if !errors.As(err, &e) || e.Kind != kind || !e.Sent {
			t.Errorf("%s: %+v", events, e)
		}
		if strings.Contains(events, "input_tokens") && (e.Usage == nil || e.Usage.Fresh != 7) {
			t.Errorf("%s: usage %+v", events, e.Usage)
		}
	}
}

func TestRelayedResponsesEventsAreTheSameBytes(t *testing.T) {
	for _, name := range []string{"text", "tools", "incomplete"} {
		raw := responsesFixture(t, name)
		s := responsesReader(bytes.NewReader(raw), responsesAsk{relayed: true})
		var out bytes.Buffer
		for {
			c, err := s.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			out.WriteString("event: " + c.Event + "\ndata: " + string(c.Raw) + "\n\n")
		}
		if !bytes.Equal(out.Bytes(), raw) {
			t.Errorf("%s differs:\n%s", name, out.Bytes())
		}
	}
}

func FuzzResponsesStream(f *testing.F) {
	for name := range responsesStreams {
		f.Add(responsesFixture(f, name))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		whole, err := gateway.Collect(responsesReader(bytes.NewReader(raw), responsesAsk{}))
		again, err2 := gateway.Collect(responsesReader(iotest.OneByteReader(bytes.NewReader(raw)), responsesAsk{}))
		if (err == nil) != (err2 == nil) || whole.Choices[0].Text != again.Choices[0].Text {
			t.Fatalf("cutting changes the answer: %v %v", err, err2)
		}
		if err == nil && whole.Choices[0].Finish == "" {
			t.Fatal("complete without an end")
		}
		if u := whole.Usage; u.Fresh < 0 || u.CacheWrite5m < 0 || u.Output < u.Reasoning {
			t.Fatalf("%+v", u)
		}
	})
}

func BenchmarkResponsesStream(b *testing.B) {
	event := []byte("event: response.output_text.delta\n" + `data: {"type":"response.output_text.delta","item_id":"msg_1","output_index":0,"content_index":0,"delta":" light","logprobs":[],"sequence_number":9}` + "\n\n")
	s := responsesReader(&endless{event: event}, responsesAsk{})
	b.SetBytes(int64(len(event)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Next(); err != nil {
			b.Fatal(err)
		}
	}
}
