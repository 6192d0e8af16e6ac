package providers

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"gateway"
)

// Each provider's whole answers come out as one normal form.
func TestWholeAnswerFixtures(t *testing.T) {
	weather := []gateway.ToolCall{
		{ID: "1", Name: "get_weather", Arguments: `{"city":"Oslo","unit":"c"}`}, {ID: "2", Name: "get_weather", Arguments: `{"city":"Rome"}`}}
	for _, c := range []struct {
		kind, file, text, reasoning string
		calls                       []gateway.ToolCall
		finish                      gateway.Finish
		usage                       gateway.Usage
	}{
		{openAIKind, "openai/chat.text.response.json", "Air scatters blue light more than red light.", "", nil, "stop", gateway.Usage{Fresh: 221, CachedRead: 1024, Output: 42, Reasoning: 24}},
		{openAIKind, "openai/chat.tools.response.json", "", "", weather, "tool_calls", gateway.Usage{Fresh: 96, Output: 51}},
		{openAIKind, "deepseek/chat.thinking.response.json", "It is -3 C in Oslo.", "The tool says -3.", nil, "stop", gateway.Usage{Fresh: 28, CachedRead: 384, Output: 88, Reasoning: 40}},
		{anthropicKind, "anthropic/messages.text.response.json", "Air scatters blue light more than red light.", "", nil, "stop", gateway.Usage{Fresh: 221, CachedRead: 1024, Output: 42, Reasoning: 24}},
		{anthropicKind, "anthropic/messages.tools.response.json", "Checking.", "", weather, "tool_calls", gateway.Usage{Fresh: 96, Output: 51}},
		{anthropicKind, "anthropic/messages.cache_write.response.json", "ok", "", nil, "stop", gateway.Usage{Fresh: 12, CacheWrite5m: 3000, CacheWrite1h: 2000, Output: 3}},
		{geminiKind, "gemini/generate.text.response.json", "Air scatters blue light more than red light.", "Rayleigh scattering is the cause.", nil, "stop", gateway.Usage{Fresh: 221, CachedRead: 1024, Output: 42, Reasoning: 24}},
		{geminiKind, "gemini/generate.tools.response.json", "", "", weather, "tool_calls", gateway.Usage{Fresh: 96, Output: 51, Reasoning: 20}},
		{ollamaKind, "ollama/chat.response.json", "Hi there.", "", nil, "stop", gateway.Usage{Fresh: 31, Output: 12}},
	} {
		t.Run(c.file, func(t *testing.T) {
			got := wholeAnswer(t, c.kind, fixture(t, c.file))
			ch := got.Choices[0]
			if ch.Text != c.text || ch.Reasoning != c.reasoning || ch.Finish != c.finish {
				t.Errorf("%q %q %q", ch.Text, ch.Reasoning, ch.Finish)
			}
			c.usage.Reported = true
			if got.Usage != c.usage {
				t.Errorf("usage %+v, want %+v", got.Usage, c.usage)
			}
			if len(ch.ToolCalls) != len(c.calls) {
				t.Fatalf("calls %+v", ch.ToolCalls)
			}
			for i, want := range c.calls {
				g := ch.ToolCalls[i]
				if g.ID == "" || g.Name != want.Name || !sameJSON(g.Arguments, want.Arguments) {
					t.Errorf("call %+v, want %+v", g, want)
				}
			}
		})
	}
}

func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

// wholeAnswer asks a local server, which answers with these bytes, through an adapter.
func wholeAnswer(t *testing.T, kind string, answer []byte) *gateway.Completion {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.Write(bytes.ReplaceAll(answer, []byte("\n"), nil)) // one line, as a server writes it
	}))
	defer srv.Close()
	a, err := kinds[kind].adapter(Settings{Name: "p", Kind: kind, BaseURL: srv.URL, Client: srv.Client()})
	if err != nil {
		t.Fatal(err)
	}
	chat := &gateway.Chat{Messages: []gateway.Message{{Speaker: gateway.User, Parts: []gateway.Part{{Text: "Hi"}}}}}
	req := &gateway.Request{Wire: openAIWire, Raw: []byte(`{"messages":[{"role":"user","content":"Hi"}]}`), Decode: func([]byte) (*gateway.Chat, error) { return chat, nil }}
	s, err := a.Open(t.Context(), &gateway.Call{Request: req, Plain: true, Model: &gateway.Model{Provider: "p", Name: "claude-sonnet-5-5"}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got, err := gateway.Collect(s)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// requestOf gives what an adapter sends for a chat or for embeddings.
func requestOf(t *testing.T, s Settings, model string, req *gateway.Request) (path string, body []byte) {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.Path
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusInternalServerError)
	}))
	defer srv.Close()
	s.Name, s.BaseURL, s.Client = "p", srv.URL, srv.Client()
	a, err := kinds[s.Kind].adapter(s)
	if err != nil {
		t.Fatal(err)
	}
	call := &gateway.Call{Request: req, Model: &gateway.Model{Provider: "p", Name: model, Kind: s.Kind}}
	if req.Embed != nil {
		_, err = a.Embed(t.Context(), call)
	} else {
		_, err = a.Open(t.Context(), call)
	}
	if gateway.KindOf(err) != gateway.Unavailable {
		t.Fatalf("%v; the server answers 500", err)
	}
	return path, body
}

// Requests in OpenAI's own format go to OpenAI with nothing changed but the stream.
func TestOpenAIRequestFixturesPassUnchanged(t *testing.T) {
	for _, name := range []string{"chat.text", "chat.structured", "chat.tools"} {
		raw := fixture(t, "openai/"+name+".request.json")
		_, got := requestOf(t, Settings{Kind: openAIKind, Quirks: Quirks{Reasoning: true, DeveloperRole: true}}, "gpt-6-luna", &gateway.Request{Wire: openAIWire, Raw: raw})
		var want map[string]any
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatal(err)
		}
		want["stream"], want["stream_options"] = true, map[string]any{"include_usage": true}
		wanted, _ := json.Marshal(want)
		if name == "chat.tools" { // a reasoning model takes system as developer
			wanted = bytes.Replace(wanted, []byte(`"role":"system"`), []byte(`"role":"developer"`), 1)
		}
		same(t, name, got, wanted)
	}
}

// DeepSeek's second turn of a tool loop, made from what an OpenAI client sends.
func TestDeepSeekThinkingRequestFixture(t *testing.T) {
	want := fixture(t, "deepseek/chat.thinking.request.json")
	ingress := bytes.Replace(want, []byte(`"user_id"`), []byte(`"user"`), 1)
	ingress = bytes.Replace(ingress, []byte(`"role": "system"`), []byte(`"role": "developer"`), 1)
	q := Quirks{Thinking: true, ReasoningBack: true, Rename: map[string]string{"user": "user_id"}, Effort: map[string]string{"high": "high"}}
	_, got := requestOf(t, Settings{Kind: openAIKind, Quirks: q}, "deepseek-flash", &gateway.Request{Wire: openAIWire, Raw: ingress})
	same(t, "deepseek", got, want, "stream", "stream_options")
}

func weatherTool(t *testing.T, schema gjson.Result) gateway.Tool {
	t.Helper()
	return gateway.Tool{Name: "get_weather", Description: "Current weather", Parameters: json.RawMessage(schema.Raw)}
}

func texts(s string) []gateway.Part { return []gateway.Part{{Text: s}} }

func normal(c *gateway.Chat) *gateway.Request {
	return &gateway.Request{Raw: []byte("{}"), Decode: func([]byte) (*gateway.Chat, error) { return c, nil }}
}

func TestGeminiRequestFixtures(t *testing.T) {
	want := fixture(t, "gemini/generate.text.request.json")
	chat := &gateway.Chat{Messages: []gateway.Message{{Speaker: gateway.System, Parts: texts("Answer in one sentence.")}, {Speaker: gateway.User, Parts: texts("Why is the sky blue?")}},
		MaxTokens: 500, Temperature: "0.2", TopP: "0.9", Stop: []string{"END"}, Seed: "7", Effort: "low"}
	set := Settings{Kind: geminiKind, Params: map[string]json.RawMessage{"generationConfig": json.RawMessage(`{"thinkingConfig":{"includeThoughts":true}}`)}}
	path, got := requestOf(t, set, "gemini-3.8-flash", normal(chat))
	same(t, path, got, want)

	want = fixture(t, "gemini/generate.tools.request.json")
	tools := gjson.ParseBytes(want)
	signature := tools.Get("contents.1.parts.0.thoughtSignature").Str
	chat = &gateway.Chat{ToolChoice: gateway.ToolChoice{Mode: "auto"}, Tools: []gateway.Tool{weatherTool(t, tools.Get("tools.0.functionDeclarations.0.parametersJsonSchema"))},
		Messages: []gateway.Message{{Speaker: gateway.User, Parts: texts("Weather in Oslo and Rome?")},
			{Speaker: gateway.Assistant, ToolCalls: []gateway.ToolCall{{ID: "fc_1", Name: "get_weather", Arguments: `{"city":"Oslo","unit":"c"}`, Signature: signature}, {ID: "fc_2", Name: "get_weather", Arguments: `{"city":"Rome"}`}}},
			{Speaker: gateway.ToolSays, ToolCallID: "fc_1", Parts: texts("-3")}, {Speaker: gateway.ToolSays, ToolCallID: "fc_2", Parts: texts("14")}}}
	path, got = requestOf(t, Settings{Kind: geminiKind}, "gemini-3.8-flash", normal(chat))
	same(t, path, got, want)
}

func TestAnthropicRequestFixtures(t *testing.T) {
	want := fixture(t, "anthropic/messages.text.request.json")
	chat := &gateway.Chat{MaxTokens: 500, Effort: "low", User: "u-91", Messages: []gateway.Message{
		{Speaker: gateway.System, Parts: []gateway.Part{{Text: "Answer in one sentence.", Cache: "5m"}}}, {Speaker: gateway.User, Parts: texts("Why is the sky blue?")}}}
	path, got := requestOf(t, Settings{Kind: anthropicKind}, "claude-sonnet-5-5", normal(chat))
	same(t, path, withoutTTL(got), want, "stream")

	want = fixture(t, "anthropic/messages.tools.request.json")
	chat = &gateway.Chat{MaxTokens: 1000, Messages: []gateway.Message{{Speaker: gateway.User, Parts: texts("Weather in Oslo and Rome?")},
		{Speaker: gateway.Assistant, Parts: texts("Checking."), ToolCalls: []gateway.ToolCall{{ID: "toolu_01A", Name: "get_weather", Arguments: `{"city":"Oslo","unit":"c"}`}, {ID: "toolu_01B", Name: "get_weather", Arguments: `{"city":"Rome"}`}}},
		{Speaker: gateway.ToolSays, ToolCallID: "toolu_01A", Parts: texts("-3")}, {Speaker: gateway.ToolSays, ToolCallID: "toolu_01B", Parts: texts("station offline"), IsError: true},
		{Speaker: gateway.User, Parts: texts("Go on.")}},
		Tools: []gateway.Tool{weatherTool(t, gjson.GetBytes(want, "tools.0.input_schema"))}}
	chat.ToolChoice.Mode = "auto"
	path, got = requestOf(t, Settings{Kind: anthropicKind}, "claude-sonnet-5-5", normal(chat))
	same(t, path, got, want, "stream", "tool_choice")
	if choice := gjson.GetBytes(got, "tool_choice"); choice.Get("type").Str != "auto" || choice.Get("disable_parallel_tool_use").Bool() {
		t.Errorf("tool_choice %s", choice) // that parallel calls are allowed is the default, said or not
	}
}

// withoutTTL: five minutes is the default, said or not.
func withoutTTL(b []byte) []byte { return bytes.ReplaceAll(b, []byte(`,"ttl":"5m"`), nil) }

func TestOllamaRequestFixture(t *testing.T) {
	want := fixture(t, "ollama/chat.request.json")
	image := gjson.GetBytes(want, "messages.1.images.0").Str
	chat := &gateway.Chat{MaxTokens: 500, Temperature: "0.2", TopP: "0.9", Seed: "7", Stop: []string{"END"}, Effort: "none", Messages: []gateway.Message{
		{Speaker: gateway.System, Parts: texts("Use tools.")},
		{Speaker: gateway.User, Parts: []gateway.Part{{Text: "What is in this picture?"}, {Kind: gateway.ImagePart, MIME: "image/png", Data: image}}}}}
	set := Settings{Kind: ollamaKind, Params: map[string]json.RawMessage{"keep_alive": json.RawMessage(`"10m"`), "options": json.RawMessage(`{"num_ctx":16384}`)}}
	path, got := requestOf(t, set, "qwen3:8b", normal(chat))
	same(t, path, got, want, "truncate", "shift")
}

func TestEmbeddingRequestFixtures(t *testing.T) {
	input := &gateway.EmbedInput{Texts: []string{"first text", "second text"}, Dimensions: 4}
	for _, c := range []struct {
		set               Settings
		model, path, file string
		differ            []string
	}{
		{Settings{Kind: openAIKind}, "text-embedding-3-small", "/embeddings", "openai/embeddings.request.json", []string{"encoding_format"}}, // the client's encoding is the edge's matter
		{Settings{Kind: ollamaKind}, "nomic-embed-text", "/api/embed", "ollama/embed.request.json", []string{"truncate"}},                    // ours never cuts a text silently
		{Settings{Kind: geminiKind, Params: map[string]json.RawMessage{"taskType": json.RawMessage(`"RETRIEVAL_DOCUMENT"`)}}, "gemini-embedding-001",
			"/models/gemini-embedding-001:batchEmbedContents", "gemini/embed.batch.request.json", nil},
	} {
		path, got := requestOf(t, c.set, c.model, &gateway.Request{Embed: input})
		if path != c.path {
			t.Errorf("%s: path %s", c.file, path)
		}
		same(t, c.file, got, fixture(t, c.file), c.differ...)
	}
}

// No fixture is forgotten: each file of testdata is named by a test, read by a list of
// its folder, or is a stream or error that such a list covers.
func TestFixturesOfRequestsAndAnswersAreAllUsed(t *testing.T) {
	source := ""
	for _, file := range []string{"fixtures_test.go", "classify_test.go", "native_test.go", "openai_body_test.go", "openai_stream_test.go", "transport_test.go", "anthropic_body_test.go", "anthropic_open_test.go", "anthropic_stream_test.go"} {
		source += string(mustRead(t, file))
	}
	for _, dir := range []string{"openai", "deepseek", "anthropic", "gemini", "ollama"} {
		for _, name := range names(t, "testdata/"+dir) {
			stem := strings.TrimSuffix(strings.TrimSuffix(name, ".json"), ".request")
			if strings.Contains(name, "stream") || strings.HasPrefix(name, "count_tokens") || strings.HasPrefix(name, "ingress.") || name == "models.response.json" {
				continue // streams by expected/streams.json; the others are of the edge's formats
			}
			if !strings.Contains(source, stem) {
				t.Errorf("%s/%s is in no test", dir, name)
			}
		}
	}
}

func mustRead(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// names lists the files, not the folders, of a folder.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if !e.IsDir() {
			out = append(out, e.Name())
		}
	}
	return out
}
