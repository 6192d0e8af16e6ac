package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"gateway"
	"gateway/internal/grammar"
)

func scannedGemini(t testing.TB, path, raw string) (*gateway.Request, *gateway.Chat) {
	t.Helper()
	req := &gateway.Request{}
	if err := scanGemini(httptest.NewRequest("POST", path, nil), []byte(raw), req); err != nil {
		t.Fatalf("scan: %v", err)
	}
	chat, err := req.Chat()
	if err != nil {
		t.Fatalf("decode: %v", err)
	}
	return req, chat
}

const geminiPath = "/v1beta/models/auto:generateContent"

func TestGeminiRequests(t *testing.T) {
	req, chat := scannedGemini(t, "/v1beta/models/deepseek/deepseek-flash:streamGenerateContent", string(fixture(t, "gemini/generate.tools.request.json")))
	if req.Model != "deepseek/deepseek-flash" || !req.Stream || !req.Needs.Tools || req.Wire != geminiWire || req.Prefix == 0 {
		t.Errorf("%+v", req)
	}
	if got := speakers(chat); got != "user assistant:fc_1:fc_2 toolfc_1 toolfc_2" {
		t.Errorf("%s", got)
	}
	m := chat.Messages[1]
	if m.ToolCalls[0].Signature != "CpwBAVSoXO5maXh0dXJlLXNpZ25hdHVyZQ==" || m.ToolCalls[1].Signature != "" || chat.Messages[2].Parts[0].Text != "-3" {
		t.Errorf("%+v", chat.Messages)
	}
	_, chat = scannedGemini(t, geminiPath, string(fixture(t, "gemini/generate.text.request.json")))
	if len(chat.Messages) < 1 || chat.Messages[len(chat.Messages)-1].Speaker != gateway.User {
		t.Errorf("%+v", chat.Messages)
	}
}

func TestGeminiSettings(t *testing.T) {
	req, chat := scannedGemini(t, geminiPath, `{"system_instruction":{"parts":[{"text":"Be brief."}]},
		"contents":[{"parts":[{"text":"Hi"},{"inline_data":{"mime_type":"image/png","data":"aGk="}},{"inlineData":{"mimeType":"audio/mpeg","data":"aGk="}},{"inlineData":{"mimeType":"application/pdf","data":"aGk="}}]}],
		"tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"OBJECT","nullable":true,"properties":{"a":{"type":"STRING","enum":["x"],"nullable":true},"b":{"type":"ARRAY","items":{"type":"INTEGER"},"minItems":"2"}},"propertyOrdering":["a"]}},{"name":"g"}]}],
		"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}},"safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE"}],
		"generationConfig":{"maxOutputTokens":7,"temperature":0.25,"topP":0.5,"topK":40,"seed":9,"presencePenalty":0.1,"frequencyPenalty":0.2,"stopSequences":["END"],
		"responseMimeType":"application/json","responseSchema":{"type":"OBJECT","properties":{"n":{"type":"NUMBER"}}},"thinkingConfig":{"thinkingBudget":4096,"includeThoughts":true}}}`)
	if n := req.Needs; !n.ToolForce || !n.JSONSchema || !n.ImageData || !n.Audio || !n.Files || req.MaxTokens != 7 || req.Images != 1 {
		t.Errorf("%+v", req)
	}
	want := gateway.Chat{MaxTokens: 7, Temperature: "0.25", TopP: "0.5", TopK: "40", Seed: "9", PresencePenalty: "0.1", FrequencyPenalty: "0.2", Stop: []string{"END"}, Effort: "medium", Thoughts: true,
		ToolChoice: gateway.ToolChoice{Mode: "named", Name: "f"},
		Format:     gateway.Format{Mode: "json_schema", Name: "answer", Schema: json.RawMessage(`{"type":"object","properties":{"n":{"type":"number"}}}`)},
		Tools: []gateway.Tool{{Name: "f", Parameters: json.RawMessage(`{"type":["object","null"],"properties":{"a":{"type":["string","null"],"enum":["x",null]},"b":{"type":"array","items":{"type":"integer"},"minItems":2}}}`)},
			{Name: "g"}},
		Messages: []gateway.Message{{Speaker: gateway.System, Parts: []gateway.Part{{Text: "Be brief."}}},
			{Speaker: gateway.User, Parts: []gateway.Part{{Text: "Hi"}, {Kind: gateway.ImagePart, MIME: "image/png", Data: "aGk="},
				{Kind: gateway.AudioPart, MIME: "audio/mpeg", Name: "mp3", Data: "aGk="}, {Kind: gateway.FilePart, MIME: "application/pdf", Data: "aGk="}}}}}
	if !reflect.DeepEqual(*chat, want) {
		t.Errorf("\n%+v\nwant\n%+v", *chat, want)
	}
	for level, effort := range map[string]string{`{"thinkingLevel":"LOW"}`: "low", `{"thinkingBudget":0}`: "none", `{"thinkingBudget":-1}`: "", `{"thinkingBudget":512}`: "low", `{"thinkingBudget":24576}`: "high", `{}`: ""} {
		if got := geminiEffort(gjson.Parse(level)); got != effort {
			t.Errorf("%s: %s, want %s", level, got, effort)
		}
	}
}

// Calls without ids are matched by name and order, and get ids that are the same
// whenever the conversation is sent and in no other conversation.
func TestGeminiCallsWithoutIDs(t *testing.T) {
	body := func(question string) string {
		return `{"contents":[{"role":"user","parts":[{"text":"` + question + `"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{"a":1}}},{"functionCall":{"name":"g"}},{"functionCall":{"name":"f"}}]},
			{"role":"user","parts":[{"functionResponse":{"name":"g","response":{"output":{"x":1}}}},{"functionResponse":{"name":"f","response":{"error":"no"}}},{"functionResponse":{"name":"f","response":{"output":"two","n":2}}},{"text":"and?"}]}]}`
	}
	_, chat := scannedGemini(t, geminiPath, body("Hi"))
	calls := chat.Messages[1].ToolCalls
	if len(chat.Messages) != 6 || chat.Messages[2].ToolCallID != calls[1].ID || chat.Messages[3].ToolCallID != calls[0].ID || chat.Messages[4].ToolCallID != calls[2].ID {
		t.Fatalf("%+v", chat.Messages)
	}
	if chat.Messages[2].Parts[0].Text != `{"x":1}` || !chat.Messages[3].IsError || chat.Messages[3].Parts[0].Text != "no" || chat.Messages[4].Parts[0].Text != `{"output":"two","n":2}` {
		t.Errorf("%+v", chat.Messages)
	}
	_, again := scannedGemini(t, geminiPath, body("Hi"))
	_, other := scannedGemini(t, geminiPath, body("Ho"))
	if !reflect.DeepEqual(chat.Messages, again.Messages) || other.Messages[1].ToolCalls[0].ID == calls[0].ID {
		t.Errorf("ids %s, %s, %s", calls[0].ID, again.Messages[1].ToolCalls[0].ID, other.Messages[1].ToolCalls[0].ID)
	}
}

func TestGeminiRefusals(t *testing.T) {
	const hi = `"contents":[{"parts":[{"text":"Hi"}]}]`
	for _, body := range []string{`{}`, `{"contents":[]}`, `{"contents":[1]}`, `{"contents":[{"role":"robot"}]}`, `{"contents":[{"parts":"x"}]}`, `[]`,
		`{` + hi + `,"generationConfig":{"maxOutputTokens":0}}`, `{` + hi + `,"generationConfig":{"candidateCount":0}}`, `{` + hi + `,"generationConfig":7}`,
		`{` + hi + `,"tools":[{"functionDeclarations":[{}]}]}`, `{` + hi + `,"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}}`, `{` + hi + `,"toolConfig":{"functionCallingConfig":{"mode":"X"}}}`} {
		if err := scanGemini(httptest.NewRequest("POST", geminiPath, nil), []byte(body), &gateway.Request{}); err == nil || err.Kind != gateway.Invalid {
			t.Errorf("%s: %v", body, err)
		}
	}
	// What only Google can do is left to its models.
	for _, body := range []string{`{` + hi + `,"tools":[{"googleSearch":{}}]}`, `{` + hi + `,"cachedContent":"cachedContents/1"}`, `{` + hi + `,"generationConfig":{"responseModalities":["IMAGE"]}}`,
		`{"contents":[{"parts":[{"fileData":{"fileUri":"https://generativelanguage.googleapis.com/v1beta/files/1","mimeType":"image/png"}}]}]}`, `{"contents":[{"role":"model","parts":[{"executableCode":{"code":"1"}}]}]}`} {
		req := &gateway.Request{}
		if err := scanGemini(httptest.NewRequest("POST", geminiPath, nil), []byte(body), req); err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		if _, err := req.Chat(); gateway.KindOf(err) != gateway.Unsupported {
			t.Errorf("%s: %v", body, err)
		}
	}
	for _, contents := range []string{`{"role":"model","parts":[{"functionCall":{"name":"f"}}]}`, `{"parts":[{"functionResponse":{"name":"f","response":{}}}]}`,
		`{"role":"model","parts":[{"functionCall":{"name":"f"}}]},{"parts":[{"text":"x"}]}`, `{"role":"model","parts":[{"functionCall":{"id":"1"}}]}`} {
		req := &gateway.Request{}
		if err := scanGemini(httptest.NewRequest("POST", geminiPath, nil), []byte(`{"contents":[`+contents+`]}`), req); err != nil {
			t.Fatal(err)
		}
		if _, err := req.Chat(); gateway.KindOf(err) != gateway.Invalid {
			t.Errorf("%s: %v", contents, err)
		}
	}
}

const askGemini = `{"contents":[{"parts":[{"text":"Hi"}]}],"generationConfig":{"thinkingConfig":{"includeThoughts":true}}}`

func geminiStreamed(t *testing.T, alt string, chunks []gateway.Chunk, end error) (*grammar.GeminiAnswer, string) {
	t.Helper()
	resp, body := post(t, serve(t, answers(chunks, end), nil), "/v1beta/models/auto:streamGenerateContent"+alt, askGemini)
	kind := "application/json"
	if alt != "" {
		kind = "text/event-stream"
	}
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != kind || resp.Header.Get("X-Gateway-Provider") != "deepseek" {
		t.Fatalf("%d %v: %s", resp.StatusCode, resp.Header, body)
	}
	got, err := grammar.Gemini(body)
	if err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	return got, body
}

func TestGeminiStreams(t *testing.T) {
	for name, c := range map[string]struct {
		chunks []gateway.Chunk
		want   string
	}{
		"all":           {hello, `STOP thought "hm" text "Hello` + "\u2028" + `" f call_1 {"a":1}`},
		"mixed":         {[]gateway.Chunk{tool(0, "a", "f", ""), tool(1, "b", "g", `{"y"`), tool(0, "", "", `{"x":1}`), tool(1, "", "", `:2}`), finished(gateway.FinishToolCalls)}, `STOP thought "" text "" f a {"x":1} g b {"y":2}`},
		"no arguments":  {[]gateway.Chunk{tool(0, "a", "f", ""), finished(gateway.FinishToolCalls)}, `STOP thought "" text "" f a {}`},
		"bad arguments": {[]gateway.Chunk{tool(0, "a", "f", `{"x`), finished(gateway.FinishLength)}, `MAX_TOKENS thought "" text "" f a {"_raw":"{\"x"}`},
		"filter":        {[]gateway.Chunk{finished(gateway.FinishFilter)}, `SAFETY thought "" text ""`},
		"refusal":       {[]gateway.Chunk{{Refusal: "no"}, finished(gateway.FinishStop)}, `STOP thought "" text "no"`},
	} {
		for _, alt := range []string{"?alt=sse", ""} {
			got, body := geminiStreamed(t, alt, c.chunks, io.EOF)
			line := fmt.Sprintf("%s thought %q text %q", got.Finish, got.Thought, got.Text)
			line = strings.ReplaceAll(line, `\u2028`, "\u2028")
			for _, call := range got.Calls {
				line += fmt.Sprintf(" %s %s %s", call.Name, call.ID, call.Args)
			}
			if line != c.want {
				t.Errorf("%s%s:\n got %s\nwant %s\n%s", name, alt, line, c.want, body)
			}
		}
		_, body := post(t, serve(t, answers(c.chunks, io.EOF), nil), geminiPath, askGemini)
		whole, err := grammar.Gemini("[" + body + "]")
		if err != nil || !strings.HasPrefix(c.want, whole.Finish) || whole.Total == 0 {
			t.Errorf("%s: %v: %s", name, err, body)
		}
	}
}

// A stream that breaks after any chunk ends in an error object.
func TestGeminiStreamCutAtEveryChunk(t *testing.T) {
	for n := range len(hello) + 1 {
		for _, alt := range []string{"?alt=sse", ""} {
			got, body := geminiStreamed(t, alt, hello[:n], &gateway.Error{Kind: gateway.Unavailable, Err: io.ErrUnexpectedEOF})
			if got.Ending != grammar.Failed || got.Code != 503 || len(got.Calls) > 0 || strings.Contains(body, "EOF") {
				t.Errorf("after %d chunks: %s", n, body)
			}
		}
	}
}

func TestGeminiStateGoesRound(t *testing.T) {
	type turn struct {
		gateway.Message
		Loop string
	}
	check := func(chunks []gateway.Chunk, want turn) {
		t.Helper()
		got, _ := geminiStreamed(t, "?alt=sse", chunks, io.EOF)
		streamed := `{"role":"model","parts":[`
		for i, p := range got.Parts {
			if i > 0 {
				streamed += ","
			}
			streamed += string(p)
		}
		streamed += "]}"
		_, body := post(t, serve(t, answers(chunks, io.EOF), nil), geminiPath, askGemini)
		for _, content := range []string{streamed, gjson.Get(body, "candidates.0.content").Raw} {
			next := `{"contents":[{"parts":[{"text":"Hi"}]},` + content + `,{"parts":[{"functionResponse":{"id":"a","name":"f","response":{}}},{"functionResponse":{"id":"b","name":"f","response":{}}}]}]}`
			if len(got.Calls) == 0 {
				next = `{"contents":[{"parts":[{"text":"Hi"}]},` + content + `,{"parts":[{"text":"and?"}]}]}`
			}
			req, chat := scannedGemini(t, geminiPath, next)
			m := chat.Messages[1]
			if !reflect.DeepEqual(m.Thinking, want.Thinking) || !reflect.DeepEqual(m.ToolCalls, want.ToolCalls) {
				t.Errorf("%+v\nwant %+v\nof %s", m, want, next)
			}
			if maker := or(want.Loop, "gemini"); len(got.Calls) > 0 && (req.Loop.Maker != maker || len(req.Loop.Calls) != 2) {
				t.Errorf("the loop is %+v, want %s", req.Loop, maker)
			}
			if raw := string(req.Raw); strings.Contains(raw, sealBase64) || strings.Contains(raw, olderBase64) {
				t.Errorf("Gemini would be sent %s", req.Raw)
			}
		}
	}
	calls := []gateway.Chunk{
		{Tools: []gateway.ToolDelta{{Index: 0, ID: "a", Name: "f", Arguments: "{}", Signature: "Z3M="}}},
		{Tools: []gateway.ToolDelta{{Index: 1, ID: "b", Name: "f", Arguments: "{}"}}}, finished(gateway.FinishToolCalls)}
	called := []gateway.ToolCall{{ID: "a", Name: "f", Arguments: "{}", Signature: "Z3M="}, {ID: "b", Name: "f", Arguments: "{}"}}
	thinking := []gateway.Thinking{{Maker: "anthropic", Model: "claude", Text: "hm", Signature: "sig<&>"}, {Maker: "anthropic", Model: "claude", Redacted: "enc"}}
	check(calls, turn{Message: gateway.Message{ToolCalls: called}})
	check(append([]gateway.Chunk{{Reasoning: "hm"}, {Thinking: thinking}}, calls...), turn{gateway.Message{Thinking: thinking, ToolCalls: called}, "anthropic"})
	check([]gateway.Chunk{{Text: "so"}, {Thinking: thinking}, finished(gateway.FinishStop)}, turn{Message: gateway.Message{Thinking: thinking}})
	check([]gateway.Chunk{{Text: "so"}, {Thinking: []gateway.Thinking{{Maker: "gemini", Signature: "Z3M="}}}, finished(gateway.FinishStop)}, turn{Message: gateway.Message{Thinking: []gateway.Thinking{{Maker: "gemini", Signature: "Z3M="}}}})
}

func TestGoogleErrorsAndKeys(t *testing.T) {
	keys, err := NewKeys("team:secret-of-team")
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	srv := serve(t, func(context.Context, *gateway.Request) (*gateway.Answer, error) {
		return nil, &gateway.Error{Kind: gateway.RateLimited, RetryAfter: 36500e6}
	}, func(c *Config) { c.Keys, c.Log = keys, slog.New(slog.NewJSONHandler(&log, nil)) })
	for _, c := range []struct {
		path   string
		header []string
		status int
		word   string
	}{
		{geminiPath, nil, 401, "UNAUTHENTICATED"},
		{geminiPath + "?key=wrong-secret", nil, 401, "UNAUTHENTICATED"},
		{geminiPath + "?key=secret-of-team", nil, 429, "RESOURCE_EXHAUSTED"},
		{geminiPath, []string{"x-goog-api-key", "secret-of-team"}, 429, "RESOURCE_EXHAUSTED"},
		{"/v1/models/auto:generateContent", []string{"x-goog-api-key", "secret-of-team"}, 429, "RESOURCE_EXHAUSTED"},
		{"/v1/models/auto:generateContent", nil, 401, "UNAUTHENTICATED"},
		{"/v1beta/models/auto:embedContent", []string{"x-goog-api-key", "secret-of-team"}, 404, "NOT_FOUND"},
	} {
		resp, body := post(t, srv, c.path, askGemini, c.header...)
		e := gjson.Get(body, "error")
		if resp.StatusCode != c.status || int(e.Get("code").Int()) != c.status || e.Get("status").Str != c.word || e.Get("message").Str == "" {
			t.Errorf("%s: %d %s", c.path, resp.StatusCode, body)
		}
		if c.status == 429 && (resp.Header.Get("Retry-After") != "37" || !strings.Contains(body, `"retryDelay":"36.5s"`)) {
			t.Errorf("%v %s", resp.Header, body)
		}
	}
	resp, err := http.Get(srv.URL + "/v1beta/models?key=secret-of-team")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if names := gjson.GetBytes(body, "models.#.name").String(); names != `["models/auto","models/deepseek/deepseek-flash","models/openai/text-embedding-3-small"]` {
		t.Errorf("%s", body)
	}
	if strings.Contains(log.String(), "secret") || !strings.Contains(log.String(), "/v1beta/models") {
		t.Errorf("the log says %s", log.String())
	}
}

func FuzzDecodeGemini(f *testing.F) {
	f.Add(fixture(f, "gemini/generate.tools.request.json"))
	f.Add(fixture(f, "gemini/generate.text.request.json"))
	f.Add([]byte(`{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f"},"thoughtSignature":"bGxtZ3cxLmUzMA=="}]},{"parts":{"functionResponse":{"name":"f"}}}],"generationConfig":{"responseSchema":{"type":"OBJECT","anyOf":[{"nullable":true}]}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		req := &gateway.Request{}
		if scanGemini(httptest.NewRequest("POST", geminiPath, nil), raw, req) != nil {
			return
		}
		chat, err := req.Chat()
		if !json.Valid(req.Raw) {
			t.Fatalf("what is relayed is no JSON: %s", req.Raw)
		}
		if err != nil {
			if kind := gateway.KindOf(err); kind != gateway.Invalid && kind != gateway.Unsupported {
				t.Fatalf("kind %v", kind)
			}
			return
		}
		for _, tool := range chat.Tools {
			if len(tool.Parameters) > 0 && !json.Valid(tool.Parameters) {
				t.Fatalf("parameters %s", tool.Parameters)
			}
		}
	})
}

// The events of a provider of the format make the answer it would have given as one body.
func TestGeminiEventsJoin(t *testing.T) {
	events, err := grammar.Events(string(fixture(t, "gemini/stream.text.sse")))
	if err != nil {
		t.Fatal(err)
	}
	var chunks []gateway.Chunk
	for _, ev := range events {
		chunks = append(chunks, gateway.Chunk{Raw: []byte(ev.Data)})
	}
	got := string(joinGemini(nil, chunks))
	want, streamed := gjson.ParseBytes(fixture(t, "gemini/generate.text.response.json")), ""
	for _, ev := range events {
		for _, p := range gjson.Get(ev.Data, "candidates.0.content.parts").Array() {
			if !p.Get("thought").Bool() {
				streamed += p.Get("text").Str
			}
		}
	}
	whole, err := grammar.Gemini("[" + got + "]")
	if err != nil || whole.Text != streamed || whole.Finish != "STOP" || len(whole.Parts) != len(want.Get("candidates.0.content.parts").Array()) {
		t.Errorf("%v: %s", err, got)
	}
	mixed := []gateway.Chunk{{Raw: []byte(`{"candidates":[{"content":{"role":"model","parts":[{"text":"a","thoughtSignature":"s"},{"text":"b"},{"inlineData":{"data":"x"}}]},"index":0}],"n":1}`)},
		{Raw: []byte(`{"candidates":[{"content":{"parts":[{"text":"c"}]},"finishReason":"STOP"},{"index":1,"finishReason":"STOP"}],"n":2}`)}}
	if got := string(joinGemini(nil, mixed)); got != `{"candidates":[{"content":{"role":"model","parts":[{"text":"a","thoughtSignature":"s"},{"text":"b"},{"inlineData":{"data":"x"}},{"text":"c"}]},"index":0,"finishReason":"STOP"},{"index":1,"finishReason":"STOP"}],"n":2}` {
		t.Errorf("%s", got)
	}
}
