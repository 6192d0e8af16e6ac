package providers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"gateway"
)

type wantStream struct {
	Content, Reasoning, Refusal string
	ToolCalls                   []struct {
		ID       string
		Function struct{ Name, Arguments string }
	} `json:"tool_calls"`
	FinishReason *string `json:"finish_reason"`
	Usage        *struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
		Cached     int `json:"cached_tokens"`
		Write      int `json:"cache_write_tokens"`
		Reasoning  int `json:"reasoning_tokens"`
	}
	Outcome string
}

// openAIStreams are the stream fixtures of this format with what they must fold to.
func openAIStreams(t testing.TB) map[string]wantStream {
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
		dir, file := filepath.Split(name)
		if dir == "anthropic/" || dir == "openai-responses/" || dir == "ollama/" && !strings.HasPrefix(file, "v1.") ||
			dir == "gemini/" && !strings.HasPrefix(file, "compat.") {
			delete(all, name)
		}
	}
	return all
}

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func testCall() *gateway.Call {
	return &gateway.Call{Request: &gateway.Request{Wire: openAIWire}, Model: &gateway.Model{Provider: "p", Name: "m"}}
}

func testStream(r io.Reader) *openAIStream {
	a := &openAI{caller: caller{Settings{Name: "p", Kind: openAIKind, Quirks: Quirks{BilledCost: true}}}}
	return newOpenAIStream(context.Background(), a, testCall(), &http.Response{Body: io.NopCloser(r)})
}

func TestStreamsFoldAsExpected(t *testing.T) {
	for name, want := range openAIStreams(t) {
		for _, r := range []io.Reader{bytes.NewReader(fixture(t, name)), iotest.OneByteReader(bytes.NewReader(fixture(t, name)))} {
			got, err := gateway.Collect(testStream(r))
			checkStream(t, name, want, got, err)
		}
	}
}

func checkStream(t *testing.T, name string, want wantStream, got *gateway.Completion, err error) {
	t.Helper()
	if ok := want.Outcome == "ok"; ok != (err == nil) {
		t.Errorf("%s: error %v, want %s", name, err, want.Outcome)
	}
	c := got.Choices[0]
	if c.Text != want.Content || c.Reasoning != want.Reasoning || c.Refusal != want.Refusal {
		t.Errorf("%s: %q %q %q, want %q %q %q", name, c.Text, c.Reasoning, c.Refusal, want.Content, want.Reasoning, want.Refusal)
	}
	if want.FinishReason != nil && string(c.Finish) != *want.FinishReason || want.FinishReason == nil && c.Finish != "" {
		t.Errorf("%s: finish %q", name, c.Finish)
	}
	if len(c.ToolCalls) != len(want.ToolCalls) {
		t.Fatalf("%s: tool calls %+v", name, c.ToolCalls)
	}
	for i, w := range want.ToolCalls {
		if g := c.ToolCalls[i]; g.ID != w.ID || g.Name != w.Function.Name || g.Arguments != w.Function.Arguments {
			t.Errorf("%s: call %d is %+v", name, i, g)
		}
	}
	u := got.Usage
	if want.Usage == nil {
		if u.Reported {
			t.Errorf("%s: usage %+v out of nothing", name, u)
		}
	} else if w := want.Usage; !u.Reported || u.Prompt() != w.Prompt || u.Output != w.Completion || u.CachedRead != w.Cached ||
		u.CacheWrite5m != w.Write || u.Reasoning != w.Reasoning {
		t.Errorf("%s: usage %+v, want %+v", name, u, *w)
	}
}

func TestCutStreamIsNeverCompleteTooEarly(t *testing.T) {
	for name, want := range openAIStreams(t) {
		raw := fixture(t, name)
		finish := bytes.Index(raw, []byte(`"finish_reason":"`))
		for n := range raw {
			got, err := gateway.Collect(testStream(bytes.NewReader(raw[:n])))
			if err == nil && (finish < 0 || n < finish) {
				t.Fatalf("%s cut at %d is complete", name, n)
			}
			if !strings.HasPrefix(want.Content, got.Choices[0].Text) {
				t.Fatalf("%s cut at %d: %q is no prefix of %q", name, n, got.Choices[0].Text, want.Content)
			}
		}
	}
}

func TestOpenRouterSaysWhatItCharged(t *testing.T) {
	got, err := gateway.Collect(testStream(bytes.NewReader(fixture(t, "compat/openrouter.stream.sse"))))
	if err != nil || !got.Usage.HasBilled || got.Usage.Billed != 480 {
		t.Errorf("billed %+v, %v; want 480 microcents", got.Usage, err)
	}
	for text, want := range map[string]gateway.Microcents{"0": 0, "0.00000001": 1, "0.000000011": 2, "1.5e-2": 1_500_000} {
		if got, ok := microcents(text); !ok || got != want {
			t.Errorf("microcents(%s) = %d, %v; want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"-1", "1e99999999", "x", "1/3", "99999999999"} {
		if got, ok := microcents(text); ok {
			t.Errorf("microcents(%s) = %d is believed", text, got)
		}
	}
}

func TestSeveralChoicesEndTogether(t *testing.T) {
	const both = `data: {"choices":[{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"b"}}]}` + "\n\n" +
		`data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"
	if _, err := gateway.Collect(testStream(strings.NewReader(both))); gateway.KindOf(err) != gateway.Unavailable {
		t.Errorf("one of two choices finished: %v", err)
	}
	got, err := gateway.Collect(testStream(strings.NewReader(both + `data: {"choices":[{"index":1,"delta":{},"finish_reason":"length"}]}` + "\n\n")))
	if err != nil || len(got.Choices) != 2 || got.Choices[1].Text != "b" || got.Choices[1].Finish != gateway.FinishLength {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestChunkTextOutlivesItsEvent(t *testing.T) {
	s := testStream(bytes.NewReader(fixture(t, "openai/chat.stream.text.sse")))
	var texts []string
	for {
		c, err := s.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, c.Text)
	}
	if got := strings.Join(texts, ""); got != "Air scatters blue light more than red light." {
		t.Errorf("%q", got)
	}
}

func FuzzOpenAIStream(f *testing.F) {
	for name := range openAIStreams(f) {
		f.Add(fixture(f, name))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		whole, err := gateway.Collect(testStream(bytes.NewReader(raw)))
		again, err2 := gateway.Collect(testStream(iotest.OneByteReader(bytes.NewReader(raw))))
		if (err == nil) != (err2 == nil) || whole.Choices[0].Text != again.Choices[0].Text {
			t.Fatalf("cutting changes the answer: %v %v", err, err2)
		}
		if err == nil && !slices.ContainsFunc(whole.Choices, func(c gateway.Choice) bool { return c.Finish != "" }) {
			t.Fatal("complete without an end")
		}
	})
}

// endless repeats one event.
type endless struct {
	event []byte
	at    int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.event[e.at:])
	e.at = (e.at + n) % len(e.event)
	return n, nil
}

func BenchmarkOpenAIStream(b *testing.B) {
	event := []byte(`data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1795420800,"model":"deepseek-flash","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"content":" light"},"logprobs":null,"finish_reason":null}],"usage":null}` + "\n\n")
	s := testStream(&endless{event: event})
	b.SetBytes(int64(len(event)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Next(); err != nil {
			b.Fatal(err)
		}
	}
}

// Servers that give calls made at once the same index still make as many as they name, and
// those that make an id for each piece make one.
func TestCallsThatShareAnIndex(t *testing.T) {
	for name, c := range map[string]struct {
		pieces []string
		want   []gateway.ToolCall
	}{
		"whole one after another": {[]string{`{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}`, `{"index":0,"id":"b","function":{"name":"g","arguments":"{}"}}`},
			[]gateway.ToolCall{{ID: "a", Name: "f", Arguments: "{}"}, {ID: "b", Name: "g", Arguments: "{}"}}},
		"in one event": {[]string{`{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}},{"index":0,"id":"b","function":{"name":"f","arguments":"{}"}}`},
			[]gateway.ToolCall{{ID: "a", Name: "f", Arguments: "{}"}, {ID: "b", Name: "f", Arguments: "{}"}}},
		"in pieces": {[]string{`{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":"}}`, `{"index":0,"function":{"arguments":"1}"}}`,
			`{"index":0,"id":"b","function":{"name":"g","arguments":""}}`, `{"index":0,"function":{"arguments":"{\"y\":"}}`, `{"index":0,"id":"b","function":{"name":"g","arguments":"2}"}}`},
			[]gateway.ToolCall{{ID: "a", Name: "f", Arguments: `{"x":1}`}, {ID: "b", Name: "g", Arguments: `{"y":2}`}}},
		"and then another index": {[]string{`{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}`, `{"index":0,"id":"b","function":{"name":"g","arguments":"{}"}}`,
			`{"index":1,"id":"c","function":{"name":"h","arguments":"{\"z\":"}}`, `{"index":1,"function":{"arguments":"3}"}}`},
			[]gateway.ToolCall{{ID: "a", Name: "f", Arguments: "{}"}, {ID: "b", Name: "g", Arguments: "{}"}, {ID: "c", Name: "h", Arguments: `{"z":3}`}}},
		"twice without arguments": {[]string{`{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}`, `{"index":0,"id":"b","function":{"name":"f","arguments":""}}`},
			[]gateway.ToolCall{{ID: "a", Name: "f", Arguments: "{}"}, {ID: "b", Name: "f"}}},
		"three times without any": {[]string{`{"index":0,"id":"a","function":{"name":"f"}}`, `{"index":0,"id":"b","function":{"name":"f"}}`, `{"index":0,"id":"c","function":{"name":"f","arguments":""}}`},
			[]gateway.ToolCall{{ID: "a", Name: "f"}, {ID: "b", Name: "f"}, {ID: "c", Name: "f"}}},
		"twice without any in one event": {[]string{`{"index":0,"id":"a","function":{"name":"f","arguments":""}},{"index":0,"id":"b","function":{"name":"f","arguments":""}}`},
			[]gateway.ToolCall{{ID: "a", Name: "f"}, {ID: "b", Name: "f"}}},
		"the last of three with arguments": {[]string{`{"index":0,"id":"a","function":{"name":"f"}}`, `{"index":0,"id":"b","function":{"name":"f"}}`, `{"index":0,"id":"c","function":{"name":"f"}}`,
			`{"index":0,"id":"c","function":{"arguments":"{\"x\":"}}`, `{"index":0,"function":{"arguments":"1}"}}`},
			[]gateway.ToolCall{{ID: "a", Name: "f"}, {ID: "b", Name: "f"}, {ID: "c", Name: "f", Arguments: `{"x":1}`}}},
		"without ids": {[]string{`{"function":{"name":"f","arguments":"{\"x\":"}}`, `{"function":{"arguments":"1}"}}`, `{"function":{"name":"f","arguments":"{\"x\":2}"}}`, `{"function":{"name":"f","arguments":" "}}`},
			[]gateway.ToolCall{{Name: "f", Arguments: `{"x":1}`}, {Name: "f", Arguments: `{"x":2} `}}},
		"begun without arguments": {[]string{`{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}`, `{"index":0,"id":"b","function":{"name":"f","arguments":""}}`,
			`{"index":0,"function":{"arguments":"{\"x\":"}}`, `{"index":0,"id":"b","function":{"arguments":"1}"}}`},
			[]gateway.ToolCall{{ID: "a", Name: "f", Arguments: "{}"}, {ID: "b", Name: "f", Arguments: `{"x":1}`}}},
		"another name without arguments": {[]string{`{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}`, `{"index":0,"id":"b","function":{"name":"g","arguments":""}}`},
			[]gateway.ToolCall{{ID: "a", Name: "f", Arguments: "{}"}, {ID: "b", Name: "g"}}},
		"without arguments": {[]string{`{"index":0,"id":"a","function":{"name":"f"}}`, `{"index":0,"id":"b","function":{"name":"g","arguments":"{}"}}`},
			[]gateway.ToolCall{{ID: "a", Name: "f"}, {ID: "b", Name: "g", Arguments: "{}"}}},
		"an id for each piece": {[]string{`{"index":0,"id":"a","function":{"name":"f","arguments":""}}`, `{"index":0,"id":"b","function":{"name":"f","arguments":"{\"x\":"}}`, `{"index":0,"id":"c","function":{"name":"f","arguments":"1}"}}`},
			[]gateway.ToolCall{{ID: "a", Name: "f", Arguments: `{"x":1}`}}},
		"an id for each piece, the end too": {[]string{`{"index":0,"id":"a","function":{"name":"f","arguments":""}}`, `{"index":0,"id":"b","function":{"name":"f","arguments":""}}`,
			`{"index":0,"id":"c","function":{"name":"f","arguments":"{\"x\":"}}`, `{"index":0,"id":"d","function":{"name":"f","arguments":"1}"}}`, `{"index":0,"id":"e","function":{"name":"f","arguments":""}}`},
			[]gateway.ToolCall{{ID: "a", Name: "f", Arguments: `{"x":1}`}}},
		"the same id again": {[]string{`{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}`, `{"index":0,"id":"a","function":{"name":"f","arguments":" "}}`},
			[]gateway.ToolCall{{ID: "a", Name: "f", Arguments: "{} "}}},
		"any text beside an empty function": {[]string{`{"index":0,"id":"a","type":"custom","function":null,"custom":{"name":"f","input":"x"}}`, `{"index":0,"function":null,"custom":{"input":"y"}}`},
			[]gateway.ToolCall{{ID: "a", Name: "f", Arguments: "xy", Custom: true}}},
		"the name after the id": {[]string{`{"index":0,"id":"a","type":"function"}`, `{"index":1,"id":"b","function":{"arguments":"{"}}`,
			`{"index":0,"function":{"name":"f"}},{"index":1,"function":{"name":"g","arguments":"}"}}`, `{"index":0,"function":{"arguments":"{\"x\":1}"}}`},
			[]gateway.ToolCall{{ID: "a", Name: "f", Arguments: `{"x":1}`}, {ID: "b", Name: "g", Arguments: "{}"}}},
	} {
		var body strings.Builder
		for _, p := range c.pieces {
			body.WriteString(`data: {"id":"x","choices":[{"index":0,"delta":{"tool_calls":[` + p + `]}}]}` + "\n\n")
		}
		body.WriteString(`data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}` + "\n\ndata: [DONE]\n\n")
		got, err := gateway.Collect(testStream(strings.NewReader(body.String())))
		for i := range c.want {
			if c.want[i].ID == "" && i < len(got.Choices[0].ToolCalls) { // one that was made here
				c.want[i].ID = got.Choices[0].ToolCalls[i].ID
			}
		}
		if err != nil || !slices.Equal(got.Choices[0].ToolCalls, c.want) {
			t.Errorf("%s: %v\n got %+v\nwant %+v", name, err, got.Choices[0].ToolCalls, c.want)
		}
	}
}

// A call is told with its id and its name at once: formats of clients have no place for a
// name that comes later.
func TestCallsAreToldByName(t *testing.T) {
	s := testStream(strings.NewReader(`data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a"}]}}]}` + "\n\n" +
		`data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"name":"f","arguments":""}}]}}]}` + "\n\n" +
		`data: {"choices":[{"index":0,"delta":{"function_call":{"arguments":"{}"}},"finish_reason":"tool_calls"}]}` + "\n\n"))
	told := map[int]bool{}
	for {
		c, err := s.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range c.Tools {
			if !told[d.Index] && (d.ID == "" || d.Name == "") {
				t.Errorf("%+v comes first", d)
			}
			told[d.Index] = true
		}
	}
	if len(told) != 1 {
		t.Errorf("%d calls were told", len(told))
	}
}

// Empty lists and objects are no speech and no images: what has only them answers nothing.
func TestEmptyMediaIsNoContent(t *testing.T) {
	for _, delta := range []string{`{"role":"assistant","content":"","images":[],"audio":{}}`, `{"images":[ ]}`, `{"audio":null}`} {
		c, err := testStream(strings.NewReader(`data: {"id":"x","choices":[{"index":0,"delta":` + delta + `}]}` + "\n\n")).Next()
		if err != nil || c.HasContent() {
			t.Errorf("%s: %+v, %v", delta, c, err)
		}
	}
}
