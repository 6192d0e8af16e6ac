package providers

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/tidwall/gjson"

	"gateway"
)

// nativeStream opens the decoder of a fixture's format over its bytes.
func nativeStream(kind string, r io.Reader) gateway.Stream {
	body := io.NopCloser(r)
	set := caller{Settings{Name: "p", Kind: kind, State: NewState(10, time.Hour)}}
	if kind == ollamaKind {
		return &ollamaStream{a: &ollama{caller: set}, ctx: context.Background(), call: testCall(), lines: newLineReader(r), body: body}
	}
	return &geminiStream{a: &gemini{caller: set}, ctx: context.Background(), call: testCall(), events: newSSEReader(r), body: body}
}

func nativeStreams(t testing.TB) map[string]wantStream {
	var all map[string]wantStream
	if err := json.Unmarshal(fixture(t, "expected/streams.json"), &all); err != nil {
		t.Fatal(err)
	}
	for name := range all {
		if !strings.HasPrefix(name, "ollama/chat.") && !strings.HasPrefix(name, "gemini/stream.") {
			delete(all, name)
		}
	}
	if len(all) < 14 {
		t.Fatalf("only %d streams", len(all))
	}
	return all
}

func TestNativeStreamsFoldAsExpected(t *testing.T) {
	for name, want := range nativeStreams(t) {
		kind, _, _ := strings.Cut(name, "/")
		raw := fixture(t, name)
		for _, r := range []io.Reader{bytes.NewReader(raw), iotest.OneByteReader(bytes.NewReader(raw))} {
			got, err := gateway.Collect(nativeStream(kind, r))
			if e, ok := err.(*gateway.Error); ok && e.Usage != nil {
				got.Usage = *e.Usage // what the provider had told before it failed
			}
			checkStream(t, name, want, got, err)
		}
	}
}

func TestNativeCutStreamIsNeverComplete(t *testing.T) {
	for name, want := range nativeStreams(t) {
		kind, _, _ := strings.Cut(name, "/")
		raw := fixture(t, name)
		mark := []byte(`"done":true`)
		if kind == geminiKind {
			mark = []byte("eason\":\"")
		}
		end := bytes.Index(raw, mark)
		for n := range raw {
			got, err := gateway.Collect(nativeStream(kind, bytes.NewReader(raw[:n])))
			if err == nil && (end < 0 || n < end) {
				t.Fatalf("%s cut at %d is complete", name, n)
			}
			if !strings.HasPrefix(want.Content, got.Choices[0].Text) {
				t.Fatalf("%s cut at %d: %q", name, n, got.Choices[0].Text)
			}
		}
	}
}

func TestGeminiSignatureIsKeptByToolCall(t *testing.T) {
	s := nativeStream(geminiKind, bytes.NewReader(fixture(t, "gemini/stream.tools.sse"))).(*geminiStream)
	c, err := gateway.Collect(s)
	if err != nil || c.Choices[0].ToolCalls[0].Signature == "" {
		t.Fatalf("%+v, %v", c, err)
	}
	if kept, ok := s.a.State.Get(&gateway.Request{}, "fc_1"); !ok || kept.Signature != c.Choices[0].ToolCalls[0].Signature {
		t.Errorf("kept %+v", kept)
	}
}

// chatOf decodes the fields that the translation fixtures use; the edge's own decoder
// is in another room.
func chatOf(t testing.TB, raw []byte) *gateway.Chat {
	t.Helper()
	top := gjson.ParseBytes(raw)
	c := &gateway.Chat{Effort: top.Get("reasoning_effort").Str, Temperature: gateway.Number(top.Get("temperature").Raw), TopP: gateway.Number(top.Get("top_p").Raw),
		Seed: gateway.Number(top.Get("seed").Raw), MaxTokens: int(top.Get("max_tokens").Int() + top.Get("max_completion_tokens").Int())}
	for _, s := range top.Get("stop").Array() {
		c.Stop = append(c.Stop, s.Str)
	}
	for _, m := range top.Get("messages").Array() {
		msg := gateway.Message{Speaker: gateway.Speaker(m.Get("role").Str), ToolCallID: m.Get("tool_call_id").Str}
		if msg.Speaker == "developer" {
			msg.Speaker = gateway.System
		}
		if content := m.Get("content"); content.Type == gjson.String {
			msg.Parts = []gateway.Part{{Text: content.Str}}
		} else {
			for _, p := range content.Array() {
				part := gateway.Part{Text: p.Get("text").Str}
				if u := p.Get("image_url.url").Str; u != "" {
					part = gateway.Part{Kind: gateway.ImagePart, URL: u}
					if head, data, ok := strings.Cut(u, ";base64,"); ok {
						part = gateway.Part{Kind: gateway.ImagePart, MIME: strings.TrimPrefix(head, "data:"), Data: data}
					}
				}
				msg.Parts = append(msg.Parts, part)
			}
		}
		for _, tc := range m.Get("tool_calls").Array() {
			msg.ToolCalls = append(msg.ToolCalls, gateway.ToolCall{ID: tc.Get("id").Str, Name: tc.Get("function.name").Str, Arguments: tc.Get("function.arguments").Str})
		}
		c.Messages = append(c.Messages, msg)
	}
	for _, tool := range top.Get("tools").Array() {
		c.Tools = append(c.Tools, gateway.Tool{Name: tool.Get("function.name").Str, Description: tool.Get("function.description").Str,
			Parameters: json.RawMessage(tool.Get("function.parameters").Raw)})
	}
	c.ToolChoice.Mode = top.Get("tool_choice").Str
	if f := top.Get("response_format"); f.Exists() {
		c.Format = gateway.Format{Mode: f.Get("type").Str, Schema: json.RawMessage(f.Get("json_schema.schema").Raw), Strict: f.Get("json_schema.strict").Bool()}
	}
	return c
}

// same compares two bodies by meaning; differ are fields that are known to differ.
func same(t *testing.T, name string, got []byte, want []byte, differ ...string) {
	t.Helper()
	var a, b map[string]any
	if err := json.Unmarshal(got, &a); err != nil {
		t.Fatalf("%s: %v in %s", name, err, got)
	}
	if err := json.Unmarshal(want, &b); err != nil {
		t.Fatal(err)
	}
	for _, f := range differ {
		delete(a, f)
		delete(b, f)
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("%s:\n got  %s\n want %s", name, got, want)
	}
}

func TestGeminiTranslationFixtures(t *testing.T) {
	a := &gemini{caller: caller{Settings{Kind: geminiKind}}}
	call := &gateway.Call{Request: &gateway.Request{}, Model: &gateway.Model{Provider: "gemini", Name: "gemini-3.8-flash"}}
	for _, name := range []string{"2.tools", "3.schema"} {
		got, err := a.translate(call, chatOf(t, fixture(t, "translate/"+name+".openai.json")), false)
		if err != nil {
			t.Fatal(err)
		}
		same(t, name, got, fixture(t, "translate/"+name+".gemini.json"))
	}
	chat := chatOf(t, fixture(t, "translate/1.basic.openai.json"))
	if _, err := a.translate(call, chat, false); gateway.KindOf(err) != gateway.Unsupported {
		t.Errorf("an image by URL: %v; it is to be skipped", err)
	}
	chat.Messages[2].Parts = chat.Messages[2].Parts[:2]
	got, err := a.translate(call, chat, false)
	if err != nil {
		t.Fatal(err)
	}
	want := bytes.Replace(fixture(t, "translate/1.basic.gemini.json"), []byte(gjson.GetBytes(fixture(t, "translate/1.basic.gemini.json"), "contents.0.parts.2").Raw), []byte("null"), 1)
	want = bytes.Replace(want, []byte(",\n    null"), nil, 1)
	same(t, "1.basic", got, want)
}

func TestOllamaTranslationFixtures(t *testing.T) {
	a := &ollama{caller: caller{Settings{Kind: ollamaKind}}}
	for name, model := range map[string]string{"2.tools": "qwen3:8b", "3.schema": "gpt-oss:20b"} {
		call := &gateway.Call{Request: &gateway.Request{}, Plain: true, Model: &gateway.Model{Provider: "ollama", Name: model}}
		chat := chatOf(t, fixture(t, "translate/"+name+".openai.json"))
		got, _, err := a.translate(call, chat, true)
		if err != nil {
			t.Fatal(err)
		}
		same(t, name, got, fixture(t, "translate/"+name+".ollama.json"), "truncate", "shift", "model")
		if gjson.GetBytes(got, "truncate").Raw != "false" || gjson.GetBytes(got, "shift").Raw != "false" {
			t.Errorf("%s lets old messages be dropped silently", name)
		}
	}
	call := &gateway.Call{Request: &gateway.Request{}, Model: &gateway.Model{Provider: "ollama", Name: "qwen3:8b", Context: 16384}}
	chat := chatOf(t, fixture(t, "translate/1.basic.openai.json"))
	if _, _, err := a.translate(call, chat, true); gateway.KindOf(err) != gateway.Unsupported {
		t.Errorf("an image by URL: %v", err)
	}
	chat.Messages[2].Parts = chat.Messages[2].Parts[:2]
	got, _, err := a.translate(call, chat, true)
	if err != nil || gjson.GetBytes(got, "messages.0.content").Str != "You are terse.\n\nAnswer in French." ||
		gjson.GetBytes(got, "options.num_ctx").Int() != 16384 || gjson.GetBytes(got, "messages.1.images.#").Int() != 1 {
		t.Errorf("%s %v", got, err)
	}
}

func TestParamsFillWhatTheBodyLacks(t *testing.T) {
	c := &caller{Settings{Params: map[string]json.RawMessage{"keep_alive": json.RawMessage(`"10m"`), "options": json.RawMessage(`{"num_ctx":1,"seed":2}`)},
		ModelParams: map[string]map[string]json.RawMessage{"m": {"keep_alive": json.RawMessage(`"1h"`)}}}}
	if got := string(c.withParams([]byte(`{"options":{"seed":7}}`), "m")); got != `{"options":{"seed":7,"num_ctx":1},"keep_alive":"1h"}` {
		t.Error(got)
	}
}

// A local server answers with prepared bytes and keeps what it was asked.
func nativeServer(t *testing.T, answers ...func(w http.ResponseWriter)) (*httptest.Server, *[]string) {
	t.Helper()
	var asked []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = append(asked, r.URL.String()+" "+string(body))
		answers[min(len(asked), len(answers))-1](w)
	}))
	t.Cleanup(srv.Close)
	return srv, &asked
}

func says(status int, contentType, body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func nativeCall(model string) *gateway.Call {
	chat := &gateway.Chat{Effort: "low", Messages: []gateway.Message{{Speaker: gateway.User, Parts: []gateway.Part{{Text: "Hi"}}},
		{Speaker: gateway.Assistant, ToolCalls: []gateway.ToolCall{{ID: "c1", Name: "f", Signature: "from-elsewhere"}}},
		{Speaker: gateway.ToolSays, ToolCallID: "c1", Parts: []gateway.Part{{Text: "7"}}}}}
	req := &gateway.Request{Raw: []byte("{}"), Decode: func([]byte) (*gateway.Chat, error) { return chat, nil }}
	return &gateway.Call{Request: req, Model: &gateway.Model{Provider: "p", Name: model}}
}

func TestOllamaAsksAgainWithoutThinking(t *testing.T) {
	status, _, refusal := readHTTPFixture(t, "ollama/errors/400.think.http.json")
	srv, asked := nativeServer(t, says(status, "application/json", string(refusal)), says(200, "application/x-ndjson", string(fixture(t, "ollama/chat.stream.text.ndjson"))))
	a, _ := newOllama(Settings{Name: "p", Kind: ollamaKind, BaseURL: srv.URL, Client: srv.Client()})
	s, err := a.Open(t.Context(), nativeCall("qwen3"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if c, err := gateway.Collect(s); err != nil || c.Choices[0].Text != "Hi there." {
		t.Errorf("%+v, %v", c, err)
	}
	if len(*asked) != 2 || !strings.Contains((*asked)[0], `"think":true`) || strings.Contains((*asked)[1], "think") {
		t.Errorf("asked %q", *asked)
	}
}

func TestGeminiReplacesAForeignSignature(t *testing.T) {
	refusal := `{"error":{"code":400,"message":"Corrupted thought signature.","status":"INVALID_ARGUMENT"}}`
	srv, asked := nativeServer(t, says(400, "application/json", refusal), says(200, "text/event-stream", string(fixture(t, "gemini/stream.text.sse"))))
	a, _ := newGemini(Settings{Name: "p", Kind: geminiKind, BaseURL: srv.URL, Client: srv.Client(), Key: "k"})
	s, err := a.Open(t.Context(), nativeCall("gemini-3.8-flash"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if c, err := gateway.Collect(s); err != nil || !strings.HasPrefix(c.Choices[0].Text, "Air scatters") {
		t.Errorf("%+v, %v", c, err)
	}
	if len(*asked) != 2 || !strings.Contains((*asked)[0], "from-elsewhere") || !strings.Contains((*asked)[1], unsigned) || strings.Contains((*asked)[1], "from-elsewhere") ||
		!strings.HasPrefix((*asked)[0], "/models/gemini-3.8-flash:streamGenerateContent?alt=sse ") {
		t.Errorf("asked %q", *asked)
	}
}

func TestGeminiWholeAnswers(t *testing.T) {
	for body, kind := range map[string]gateway.Kind{
		string(fixture(t, "gemini/generate.tools.response.json")):        gateway.Canceled, // stands for none
		string(fixture(t, "gemini/errors/stream_without_alt_sse.body")):  gateway.Invalid,
		`{"candidates":[{"content":{"parts":[{"text":"x"}]}}]}`:          gateway.Unavailable,
		`{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}`: gateway.Overloaded,
	} {
		srv, _ := nativeServer(t, says(200, "application/json", body))
		a, _ := newGemini(Settings{Name: "p", Kind: geminiKind, BaseURL: srv.URL, Client: srv.Client()})
		call := nativeCall("gemini-3.8-flash")
		call.Plain = true
		s, err := a.Open(t.Context(), call)
		if kind == gateway.Canceled {
			if err != nil {
				t.Fatal(err)
			}
			if c, err := gateway.Collect(s); err != nil || len(c.Choices[0].ToolCalls) != 2 || c.Choices[0].Finish != gateway.FinishToolCalls {
				t.Errorf("%+v, %v", c, err)
			}
			continue
		}
		if gateway.KindOf(err) != kind {
			t.Errorf("%.60s: %v, want %v", body, err, kind)
		}
	}
}

func TestNativeEmbeddings(t *testing.T) {
	for kind, file := range map[string]string{ollamaKind: "ollama/embed.response.json", geminiKind: "gemini/embed.batch.response.json"} {
		srv, asked := nativeServer(t, says(200, "application/json", string(fixture(t, file))))
		a, err := kinds[kind].adapter(Settings{Name: "p", Kind: kind, BaseURL: srv.URL, Client: srv.Client()})
		if err != nil {
			t.Fatal(err)
		}
		call := &gateway.Call{Request: &gateway.Request{Embed: &gateway.EmbedInput{Texts: []string{"first text", "second text"}, Dimensions: 4}}, Model: &gateway.Model{Provider: "p", Name: "e"}}
		e, err := a.Embed(t.Context(), call)
		if err != nil || len(e.Vectors) != 2 || e.Vectors[1][0] != -0.0625 || e.Usage.Reported != (kind == ollamaKind) {
			t.Errorf("%s: %+v, %v", kind, e, err)
		}
		if !strings.Contains((*asked)[0], "second text") {
			t.Errorf("asked %q", *asked)
		}
		call.Request.Embed.Texts = []string{"one only"}
		if _, err := a.Embed(t.Context(), call); gateway.KindOf(err) != gateway.BadAnswer {
			t.Errorf("%s: two vectors for one text: %v", kind, err)
		}
	}
}

func FuzzNativeStreams(f *testing.F) {
	for name := range nativeStreams(f) {
		f.Add(strings.HasPrefix(name, "gemini"), fixture(f, name))
	}
	f.Fuzz(func(t *testing.T, isGemini bool, raw []byte) {
		kind := ollamaKind
		if isGemini {
			kind = geminiKind
		}
		one, err1 := gateway.Collect(nativeStream(kind, bytes.NewReader(raw)))
		two, err2 := gateway.Collect(nativeStream(kind, iotest.OneByteReader(bytes.NewReader(raw))))
		if (err1 == nil) != (err2 == nil) || one.Choices[0].Text != two.Choices[0].Text {
			t.Fatalf("cut differently: %v %v", err1, err2)
		}
		if err1 != nil && gateway.KindOf(err1) == gateway.Internal {
			t.Fatalf("unclassified: %v", err1)
		}
	})
}

func FuzzNativeTranslate(f *testing.F) {
	for _, name := range []string{"1.basic", "2.tools", "3.schema"} {
		f.Add(fixture(f, "translate/"+name+".openai.json"))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !gjson.ValidBytes(raw) {
			return
		}
		chat := chatOf(t, raw)
		for _, n := range []gateway.Number{chat.Temperature, chat.TopP, chat.Seed} {
			if n != "" && gjson.Parse(string(n)).Type != gjson.Number {
				return // the edge lets numbers only through
			}
		}
		if f := chat.Format.Schema; chat.Format.Mode == "json_schema" && !gjson.ParseBytes(f).IsObject() {
			return
		}
		for _, tool := range chat.Tools {
			if len(tool.Parameters) > 0 && !gjson.ParseBytes(tool.Parameters).IsObject() {
				return
			}
		}
		call := testCall()
		g := &gemini{caller: caller{Settings{Kind: geminiKind}}}
		if got, err := g.translate(call, chat, false); err == nil && !json.Valid(got) {
			t.Fatalf("gemini: %s", got)
		}
		o := &ollama{caller: caller{Settings{Kind: ollamaKind}}}
		if got, _, err := o.translate(call, chat, true); err == nil && !json.Valid(got) {
			t.Fatalf("ollama: %s", got)
		}
	})
}

func TestGeminiNarrowsTools(t *testing.T) {
	a := &gemini{caller: caller{Settings{Kind: geminiKind}}}
	call := nativeCall("gemini-3.8-flash")
	chat, _ := call.Request.Chat()
	chat.Tools = []gateway.Tool{{Name: "f"}, {Name: "g"}}
	chat.ToolChoice = gateway.ToolChoice{Mode: "auto", Allowed: []string{"g"}}
	got, err := a.translate(call, chat, false)
	if names := gjson.GetBytes(got, "tools.0.functionDeclarations.#.name").Raw; err != nil || names != `["g"]` {
		t.Errorf("%s, %v", names, err)
	}
	chat.Messages[2].Parts = []gateway.Part{{Kind: gateway.ImagePart, URL: "https://x/y.png"}}
	if _, err := a.translate(call, chat, false); gateway.KindOf(err) != gateway.Unsupported {
		t.Errorf("an image by URL in a result: %v; it must not be dropped silently", err)
	}
}

func TestGeminiGetsResultsInCallOrder(t *testing.T) {
	a := &gemini{caller: caller{Settings{Kind: geminiKind}}}
	call := nativeCall("gemini-3.8-flash")
	says := func(id, text string) gateway.Message {
		return gateway.Message{Speaker: gateway.ToolSays, ToolCallID: id, Parts: []gateway.Part{{Text: text}}}
	}
	chat := &gateway.Chat{Messages: []gateway.Message{
		{Speaker: gateway.User, Parts: []gateway.Part{{Text: "go"}}},
		{Speaker: gateway.Assistant, ToolCalls: []gateway.ToolCall{{ID: "1", Name: "f"}, {ID: "2", Name: "g"}, {ID: "3", Name: "f"}}},
		says("3", "third"), says("lost", "of a call that was cut away"), says("1", "first"), says("2", "second"),
	}}
	got, err := a.translate(call, chat, false)
	if err != nil {
		t.Fatal(err)
	}
	results := gjson.GetBytes(got, "contents.2.parts.#.functionResponse")
	if ids := results.Get("#.id").Raw; ids != `["1","2","3","lost"]` {
		t.Errorf("results of the calls %s, want them as the calls stand", ids)
	}
	if names := results.Get("#.name").Raw; names != `["f","g","f","lost"]` {
		t.Errorf("names %s; a response without a name is refused", names)
	}
}

func TestOllamaLeavesOutACachedPromptsSize(t *testing.T) {
	for name, unknown := range map[string]bool{"cached_prompt": true, "text": false} {
		got, err := gateway.Collect(nativeStream(ollamaKind, bytes.NewReader(fixture(t, "ollama/chat.stream."+name+".ndjson"))))
		if err != nil || !got.Usage.Reported || got.Usage.PromptUnknown != unknown || got.Usage.Output == 0 {
			t.Errorf("%s: %+v, %v; want the prompt unknown: %v", name, got.Usage, err, unknown)
		}
	}
}
