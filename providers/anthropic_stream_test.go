package providers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"gateway"
)

func messagesStreams(t testing.TB) map[string]wantStream {
	t.Helper()
	raw, err := os.ReadFile("testdata/expected/streams.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]wantStream
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	for name := range all {
		if filepath.Dir(name) != "anthropic" {
			delete(all, name)
		}
	}
	if len(all) == 0 {
		t.Fatal("no fixtures")
	}
	return all
}

func claude(s Settings) *anthropic {
	s.Name, s.Kind = "p", anthropicKind
	a, _ := newAnthropic(s)
	return a.(*anthropic)
}

func messagesReader(r io.Reader, ask messagesAsk) *messagesStream {
	return newMessagesStream(context.Background(), claude(Settings{}), testCall(), &ask, io.NopCloser(r))
}

func TestMessagesStreamsFoldAsExpected(t *testing.T) {
	for name, want := range messagesStreams(t) {
		for _, r := range []io.Reader{bytes.NewReader(fixture(t, name)), iotest.OneByteReader(bytes.NewReader(fixture(t, name)))} {
			got, err := gateway.Collect(messagesReader(r, messagesAsk{}))
			checkStream(t, name, want, got, err)
		}
	}
}

func TestMessagesErrorsInStreams(t *testing.T) {
	for name, usage := range map[string]bool{"error_first": false, "error_midway": true} {
		_, err := gateway.Collect(messagesReader(bytes.NewReader(fixture(t, "anthropic/stream."+name+".sse")), messagesAsk{}))
		var e *gateway.Error
		if !errors.As(err, &e) || e.Kind != gateway.Overloaded || !e.Sent || (e.Usage != nil) != usage {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

func TestCutMessagesAreNeverCompleteTooEarly(t *testing.T) {
	for name, want := range messagesStreams(t) {
		raw := fixture(t, name)
		stop := bytes.Index(raw, []byte(`"stop_reason":"`))
		for n := range raw {
			got, err := gateway.Collect(messagesReader(bytes.NewReader(raw[:n]), messagesAsk{}))
			if err == nil && (stop < 0 || n < stop) {
				t.Fatalf("%s cut at %d is complete", name, n)
			}
			if !strings.HasPrefix(want.Content, got.Choices[0].Text) {
				t.Fatalf("%s cut at %d: %q is no prefix of %q", name, n, got.Choices[0].Text, want.Content)
			}
		}
	}
}

func TestThinkingIsGivenBackWhole(t *testing.T) {
	got, err := gateway.Collect(messagesReader(bytes.NewReader(fixture(t, "anthropic/stream.thinking.sse")), messagesAsk{}))
	want := []gateway.Thinking{
		{Maker: "anthropic", Model: "m", Text: "The sky scatters.", Signature: "RXhhbXBsZVNpZw=="},
		{Maker: "anthropic", Model: "m", Redacted: "b3BhcXVl"},
	}
	if err != nil || !reflect.DeepEqual(got.Choices[0].Thinking, want) {
		t.Errorf("%+v, %v", got.Choices[0].Thinking, err)
	}
}

const thinkingCall = `data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}

data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"U2ln"}}

data: {"type":"content_block_stop","index":0}

data: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_1","name":"f","input":{}}}

data: {"type":"content_block_stop","index":1}

data: {"type":"message_delta","delta":{"stop_reason":"tool_use"}}

`

func TestThinkingBeforeCallsIsRemembered(t *testing.T) {
	state := NewState(8, time.Minute)
	call := testCall()
	call.Request.Key = "k"
	s := newMessagesStream(t.Context(), claude(Settings{State: state}), call, &messagesAsk{}, io.NopCloser(strings.NewReader(thinkingCall)))
	if _, err := gateway.Collect(s); err != nil {
		t.Fatal(err)
	}
	kept, ok := state.Get(&gateway.Request{Key: "k"}, "toolu_1")
	if !ok || kept.Maker != "anthropic" || kept.Model != "m" || len(kept.Thinking) != 1 || kept.Thinking[0].Signature != "U2ln" || kept.Thinking[0].Text != "hm" {
		t.Errorf("%+v %v", kept, ok)
	}
	if _, ok := state.Get(&gateway.Request{Key: "other"}, "toolu_1"); ok {
		t.Error("another client reads it")
	}
	if _, ok := state.Get(&gateway.Request{Key: "k", Prefix: 7}, "toolu_1"); ok {
		t.Error("another conversation reads it")
	}
}

func TestRelayedEventsAreTheSameBytes(t *testing.T) {
	for _, name := range []string{"text", "tools", "thinking", "unknown_event", "refusal"} {
		raw := fixture(t, "anthropic/stream."+name+".sse")
		s := messagesReader(bytes.NewReader(raw), messagesAsk{relayed: true})
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
		if !bytes.Equal(bytes.TrimSpace(out.Bytes()), bytes.TrimSpace(raw)) {
			t.Errorf("%s differs:\n%s", name, out.Bytes())
		}
	}
}

func TestAnswerToolBecomesText(t *testing.T) {
	stream := strings.ReplaceAll(thinkingCall, `{"type":"content_block_stop","index":1}`,
		`{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}}`)
	got, err := gateway.Collect(messagesReader(strings.NewReader(stream), messagesAsk{answerTool: "f"}))
	c := got.Choices[0]
	if err != nil || c.Text != `{"a":1}` || len(c.ToolCalls) != 0 || c.Finish != gateway.FinishStop || c.Native != "tool_use" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestWholeMessagesReadLikeStreams(t *testing.T) {
	for name, want := range map[string]gateway.Usage{
		"text":        {Fresh: 221, CachedRead: 1024, Output: 42, Reasoning: 24, Reported: true},
		"tools":       {Fresh: 96, Output: 51, Reported: true},
		"cache_write": {Fresh: 12, CacheWrite5m: 3000, CacheWrite1h: 2000, Output: 3, Reported: true},
	} {
		s := messagesReader(strings.NewReader(""), messagesAsk{})
		if failure := s.body(fixture(t, "anthropic/messages."+name+".response.json")); failure != nil {
			t.Fatal(failure)
		}
		got, err := gateway.Collect(s)
		if err != nil || got.Usage != want || got.Meta.ID != "msg_01Fx" {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		c := got.Choices[0]
		if name == "tools" && (len(c.ToolCalls) != 2 || c.ToolCalls[1].ID != "toolu_01B" || c.ToolCalls[1].Arguments != `{"city":"Rome"}` || c.Finish != gateway.FinishToolCalls) {
			t.Errorf("%+v", c)
		}
	}
	for body, kind := range map[string]gateway.Kind{
		`{"type":"error","error":{"type":"overloaded_error","message":"x"}}`: gateway.Overloaded,
		`{"type":"message","content":[]}`:                                    gateway.BadAnswer,
		`<html>`:                                                             gateway.BadAnswer,
	} {
		if failure := messagesReader(strings.NewReader(""), messagesAsk{}).body([]byte(body)); failure == nil || failure.Kind != kind {
			t.Errorf("%s: %v", body, failure)
		}
	}
}

func TestContinuedTextDoesNotRepeatWhitespace(t *testing.T) {
	call := testCall()
	call.Prefill = "one \n"
	const events = `data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" "}}

data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\n two"}}

data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}

`
	s := newMessagesStream(t.Context(), claude(Settings{}), call, &messagesAsk{}, io.NopCloser(strings.NewReader(events)))
	if got, err := gateway.Collect(s); err != nil || got.Choices[0].Text != " two" {
		t.Errorf("%q, %v", got.Choices[0].Text, err)
	}
}

func FuzzAnthropicStream(f *testing.F) {
	for name := range messagesStreams(f) {
		f.Add(fixture(f, name))
	}
	f.Add([]byte(thinkingCall))
	f.Fuzz(func(t *testing.T, raw []byte) {
		whole, err := gateway.Collect(messagesReader(bytes.NewReader(raw), messagesAsk{answerTool: "now"}))
		again, err2 := gateway.Collect(messagesReader(iotest.OneByteReader(bytes.NewReader(raw)), messagesAsk{answerTool: "now"}))
		if (err == nil) != (err2 == nil) || whole.Choices[0].Text != again.Choices[0].Text {
			t.Fatalf("cutting changes the answer: %v %v", err, err2)
		}
		if err == nil && !slices.ContainsFunc(whole.Choices, func(c gateway.Choice) bool { return c.Finish != "" }) {
			t.Fatal("complete without an end")
		}
		if u := whole.Usage; u.Prompt() < 0 || u.CacheWrite5m < 0 || u.Output < u.Reasoning {
			t.Fatalf("%+v", u)
		}
	})
}

func BenchmarkAnthropicStream(b *testing.B) {
	event := []byte("event: content_block_delta\n" + `data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" light"}}` + "\n\n")
	s := messagesReader(&endless{event: event}, messagesAsk{})
	b.SetBytes(int64(len(event)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Next(); err != nil {
			b.Fatal(err)
		}
	}
}
