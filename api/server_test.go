package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"gateway"
)

func TestRealSDKReadsStreamAndWhole(t *testing.T) {
	srv := serve(t, answers(hello, io.EOF), nil)
	client := openai.NewClient(option.WithBaseURL(srv.URL+"/v1"), option.WithAPIKey("k"), option.WithMaxRetries(0))
	params := openai.ChatCompletionNewParams{Model: "auto", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("Hi")},
		StreamOptions: openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)}}
	stream := client.Chat.Completions.NewStreaming(t.Context(), params)
	var acc openai.ChatCompletionAccumulator
	for stream.Next() {
		acc.AddChunk(stream.Current())
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	params.StreamOptions = openai.ChatCompletionStreamOptionsParam{}
	whole, err := client.Chat.Completions.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]openai.ChatCompletion{"stream": acc.ChatCompletion, "whole": *whole} {
		m := c.Choices[0].Message
		if m.Content != "Hello\u2028" || len(m.ToolCalls) != 1 || m.ToolCalls[0].Function.Arguments != `{"a":1}` || m.ToolCalls[0].ID != "call_1" ||
			c.Choices[0].FinishReason != "tool_calls" || c.Usage.PromptTokens != 9 || c.Usage.CompletionTokens != 5 || c.Model != "deepseek-flash" {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

func TestUsageChunkOnlyIfAsked(t *testing.T) {
	srv := serve(t, answers(hello, io.EOF), nil)
	_, plain := post(t, srv, "/v1/chat/completions", `{"stream":true,"messages":[{"role":"user","content":"Hi"}]}`)
	if strings.Contains(plain, "usage") || !strings.HasSuffix(plain, "data: [DONE]\n\n") {
		t.Errorf("not asked: %s", plain)
	}
	_, asked := post(t, srv, "/v1/chat/completions", `{"stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"Hi"}]}`)
	if n := strings.Count(asked, `"choices":[],"usage":{`); n != 1 {
		t.Errorf("asked: %d usage chunks in %s", n, asked)
	}
	for _, line := range strings.Split(asked, "\n") {
		if data, ok := strings.CutPrefix(line, "data: "); ok && data != "[DONE]" && !json.Valid([]byte(data)) {
			t.Errorf("not JSON: %s", data)
		}
	}
}

func TestBrokenStreamIsNeverPassedOffAsWhole(t *testing.T) {
	broke := &gateway.Error{Kind: gateway.Unavailable, Message: "internal detail", Err: errors.New("secret")}
	srv := serve(t, answers([]gateway.Chunk{{Text: "half"}}, broke), nil)
	resp, body := post(t, srv, "/v1/chat/completions", `{"stream":true,"messages":[{"role":"user","content":"Hi"}]}`)
	if resp.StatusCode != 200 || strings.Contains(body, "[DONE]") || !strings.Contains(body, "provider_failed_mid_stream") ||
		!strings.Contains(body, `"delivered_characters":4`) || strings.Contains(body, "secret") || strings.Contains(body, "internal detail") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestEveryKindHasItsRow(t *testing.T) {
	for _, k := range gateway.Kinds() {
		if _, ok := edges[k]; !ok {
			t.Errorf("kind %v has no row", k)
			continue
		}
		srv := serve(t, func(context.Context, *gateway.Request) (*gateway.Answer, error) {
			return nil, &gateway.Error{Kind: k, Message: "shown", Err: errors.New("sk-secret"), RetryAfter: 1500 * time.Millisecond,
				Attempts: []gateway.AttemptNote{{Provider: "deepseek", Outcome: "overloaded", Reason: "busy"}}}
		}, nil)
		resp, body := post(t, srv, "/v1/chat/completions", ask)
		if k == gateway.Canceled {
			continue // nobody reads it
		}
		if resp.StatusCode != edges[k].status || strings.Contains(body, "sk-secret") || edges[k].own != strings.Contains(body, "shown") {
			t.Errorf("%v: %d %s", k, resp.StatusCode, body)
		}
		if resp.Header.Get("Retry-After") != "2" || !strings.Contains(body, `"provider":"deepseek"`) {
			t.Errorf("%v: %v %s", k, resp.Header, body)
		}
		srv.Close()
	}
}

func TestOddBodiesAreTheClientsFault(t *testing.T) {
	srv := serve(t, answers(hello, io.EOF), func(c *Config) { c.BodyLimit = 5000 })
	for body, want := range map[string]int{
		``: 400, `[]`: 400, `{`: 400, `{} {}`: 400, `nonsense`: 400, `{"messages":[]}`: 400, `{"messages":"x"}`: 400, `{}`: 400,
		`{"messages":[{"content":"x"}]}`: 400, `{"messages":[{"role":"king","content":"x"}]}`: 400, `{"messages":[1]}`: 400,
		`{"model":"a","model":"b","messages":[{"role":"user","content":"x"}]}`:                                     400,
		`{"model":"a","MODEL":"b","messages":[{"role":"user","content":"x"}]}`:                                     400,
		`{"temperature":"hot","messages":[{"role":"user","content":"x"}]}`:                                         400,
		`{"max_tokens":-1,"messages":[{"role":"user","content":"x"}]}`:                                             400,
		`{"max_tokens":1.5,"messages":[{"role":"user","content":"x"}]}`:                                            400,
		`{"n":0,"messages":[{"role":"user","content":"x"}]}`:                                                       400,
		`{"response_format":{"type":"xml"},"messages":[{"role":"user","content":"x"}]}`:                            400,
		`{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"file:///etc/passwd"}}]}]}`: 400,
		"{\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}":                                                400,
		`{"messages":[{"role":"user","content":"` + strings.Repeat("x", 6000) + `"}]}`:                             413,
		ask: 200, `{"unknown":{"deep":[1]},"messages":[{"role":"user","content":null}]}`: 200,
	} {
		resp, got := post(t, srv, "/v1/chat/completions", body)
		if resp.StatusCode != want {
			t.Errorf("%.80q: %d, want %d: %s", body, resp.StatusCode, want, got)
		}
		if want != 200 && !strings.Contains(got, `"error":{"message":`) {
			t.Errorf("%.80q: not OpenAI's shape: %s", body, got)
		}
	}
}

func TestShortRoutes(t *testing.T) {
	fenced := answers([]gateway.Chunk{{Text: "```json\n{\"kind\":\"greeting\"}\n```"}, {Finish: "stop", Usage: &gateway.Usage{Fresh: 3, Output: 4}}}, io.EOF)
	srv := serve(t, fenced, nil)
	for _, prefix := range []string{"", "/api/v1.0"} {
		resp, body := post(t, srv, prefix+"/classify", `{"prompt":"Hi"}`)
		var got struct {
			Classification map[string]string `json:"classification"`
			Log            map[string]any    `json:"ai_call_log"`
		}
		if err := json.Unmarshal([]byte(body), &got); err != nil || resp.StatusCode != 200 || got.Classification["kind"] != "greeting" ||
			got.Log["provider"] != "deepseek" || got.Log["cost_microcents"] != 1234.0 || got.Log["success"] != true || got.Log["prompt_tokens"] != 3.0 {
			t.Errorf("classify: %d %s", resp.StatusCode, body)
		}
		resp, body = post(t, srv, prefix+"/plan", `{"context":{"a": 1},"system_prompt":"Plan."}`)
		if resp.StatusCode != 200 || !strings.Contains(body, `"plan":{"kind":"greeting"}`) {
			t.Errorf("plan: %d %s", resp.StatusCode, body)
		}
		for path, bodies := range map[string]map[string]string{
			"/classify": {`{}`: "prompt", `{"prompt":"  "}`: "prompt", `{"prompt":3}`: "prompt"},
			"/plan":     {`{"system_prompt":"x"}`: "context", `{"context":{}}`: "system_prompt", `{"context":[],"system_prompt":"x"}`: "context"},
			"/embed":    {`{}`: "text", `{"text":""}`: "text", `{"text":[" "]}`: "text"},
		} {
			for body, name := range bodies {
				resp, got := post(t, srv, prefix+path, body)
				if resp.StatusCode != 422 || !strings.Contains(got, name) || !strings.Contains(got, `"detail"`) {
					t.Errorf("%s %s: %d %s", path, body, resp.StatusCode, got)
				}
			}
		}
	}
	long := strings.Repeat("é", 400)
	prose := serve(t, func(context.Context, *gateway.Request) (*gateway.Answer, error) {
		return nil, &gateway.Error{Kind: gateway.BadAnswer, Text: long}
	}, nil)
	if resp, body := post(t, prose, "/classify", `{"prompt":"Hi"}`); resp.StatusCode != 502 || !strings.Contains(body, long) {
		t.Errorf("not JSON: %d %s", resp.StatusCode, body)
	}
}

func TestPlanSendsCompactContext(t *testing.T) {
	var sent string
	inner := answers([]gateway.Chunk{{Text: "{}"}, {Finish: "stop"}}, io.EOF)
	srv := serve(t, func(ctx context.Context, req *gateway.Request) (*gateway.Answer, error) {
		sent = string(req.Raw)
		return inner(ctx, req)
	}, nil)
	post(t, srv, "/plan", `{"context":{"b" : [1, 9007199254740993] ,"a":"x"},"system_prompt":"Plan."}`)
	if !strings.Contains(sent, `{\"b\":[1,9007199254740993],\"a\":\"x\"}`) {
		t.Errorf("sent %s", sent)
	}
}

func TestEmbeddings(t *testing.T) {
	srv := serve(t, func(_ context.Context, req *gateway.Request) (*gateway.Answer, error) {
		e := &gateway.Embeddings{Usage: gateway.Usage{Fresh: 5}}
		for range req.Embed.Texts {
			e.Vectors = append(e.Vectors, []float32{0.5, -1})
		}
		return &gateway.Answer{Provider: "openai", Model: req.Model, Embeddings: e, HasCost: true, Cost: 50}, nil
	}, nil)
	client := openai.NewClient(option.WithBaseURL(srv.URL+"/v1"), option.WithAPIKey("k"))
	got, err := client.Embeddings.New(t.Context(), openai.EmbeddingNewParams{Model: "text-embedding-3-small",
		Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"a", "b"}}})
	if err != nil || len(got.Data) != 2 || got.Data[1].Embedding[1] != -1 || got.Usage.PromptTokens != 5 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, body := post(t, srv, "/v1/embeddings", `{"model":"m","input":"a","encoding_format":"base64"}`); !strings.Contains(body, `"embedding":"AAAAPwAAgL8="`) {
		t.Errorf("base64: %s", body)
	}
	if _, body := post(t, srv, "/embed", `{"text":"a"}`); body[:strings.Index(body, `,"ai_call_log"`)] != `{"embeddings":[[0.5,-1]],"model":"text-embedding-ada-002","dimensions":2` {
		t.Errorf("embed: %s", body)
	}
}

func TestKeys(t *testing.T) {
	keys, err := NewKeys("team-a:correct-horse, another-key")
	if err != nil {
		t.Fatal(err)
	}
	var seen string
	inner := answers(hello, io.EOF)
	srv := serve(t, func(ctx context.Context, req *gateway.Request) (*gateway.Answer, error) {
		seen = req.Key
		return inner(ctx, req)
	}, func(c *Config) { c.Keys = keys })
	for _, c := range []struct {
		header, value string
		want          int
	}{{"Authorization", "Bearer correct-horse", 200}, {"x-api-key", "another-key", 200}, {"Authorization", "Bearer wrong-horse", 401}, {"x-none", "", 401}} {
		resp, body := post(t, srv, "/v1/chat/completions", ask, c.header, c.value)
		if resp.StatusCode != c.want || strings.Contains(body, "wrong-horse") {
			t.Errorf("%s %s: %d %s", c.header, c.value, resp.StatusCode, body)
		}
	}
	if seen == "" || strings.Contains(seen, "another-key") {
		t.Errorf("key id %q", seen)
	}
	for path, want := range map[string]int{"/livez": 200, "/readyz": 200, "/health": 200, "/v1/models": 401, "/v1/spend": 401, "/api/v1.0/health": 200, "/api/v1.0/spend": 401, "/v1//models": 401, "/nothing": 404} {
		resp, err := http.Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want && !(path == "/v1//models" && resp.StatusCode == 404) {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, want)
		}
	}
}

func TestPanics(t *testing.T) {
	var log bytes.Buffer
	srv := serve(t, func(_ context.Context, req *gateway.Request) (*gateway.Answer, error) {
		if !req.Stream {
			panic("on purpose")
		}
		return &gateway.Answer{Stream: &bomb{}}, nil
	}, func(c *Config) { c.Log = slog.New(slog.NewJSONHandler(&log, nil)) })
	if resp, body := post(t, srv, "/v1/chat/completions", ask); resp.StatusCode != 500 || strings.Contains(body, "purpose") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	resp, err := http.Post(srv.URL+"/v1/chat/completions", "application/json", strings.NewReader(`{"stream":true,"messages":[{"role":"user","content":"my prompt"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a panic in the middle ends with %v, want unexpected EOF", err)
	}
	srv.Close()
	if strings.Contains(log.String(), "my prompt") {
		t.Error("the prompt is in the log")
	}
}

type bomb struct{ n int }

func (b *bomb) Next() (gateway.Chunk, error) {
	if b.n++; b.n > 1 {
		panic("on purpose")
	}
	return gateway.Chunk{Text: "x"}, nil
}
func (*bomb) Close() error { return nil }

func TestClientLeavesMidStream(t *testing.T) {
	s := &prepared{chunks: []gateway.Chunk{{Text: "a"}, {Text: "b"}}, end: io.EOF, gate: make(chan struct{}, 1), closed: make(chan struct{})}
	srv := serve(t, func(ctx context.Context, _ *gateway.Request) (*gateway.Answer, error) {
		context.AfterFunc(ctx, func() { s.Close() })
		return &gateway.Answer{Stream: s}, nil
	}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, "POST", srv.URL+"/v1/chat/completions", strings.NewReader(`{"stream":true,"messages":[{"role":"user","content":"x"}]}`))
	s.gate <- struct{}{}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	cancel()
	select {
	case <-s.closed:
	case <-time.After(10 * time.Second):
		t.Fatal("the stream was not closed when the client left")
	}
}

func TestSilentStreamIsKeptAlive(t *testing.T) {
	s := &prepared{chunks: []gateway.Chunk{{Text: "a"}}, end: io.EOF, gate: make(chan struct{}, 4), closed: make(chan struct{})}
	srv := serve(t, func(context.Context, *gateway.Request) (*gateway.Answer, error) {
		return &gateway.Answer{Stream: s}, nil
	},
		func(c *Config) { c.KeepAlive = 5 * time.Millisecond })
	resp, err := http.Post(srv.URL+"/v1/chat/completions", "application/json", strings.NewReader(`{"stream":true,"messages":[{"role":"user","content":"x"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	line := make([]byte, len(": keep-alive\n\n"))
	if _, err := io.ReadFull(resp.Body, line); err != nil || string(line) != ": keep-alive\n\n" {
		t.Fatalf("%q, %v", line, err)
	}
	s.gate <- struct{}{}
	s.gate <- struct{}{}
	rest, err := io.ReadAll(resp.Body)
	if err != nil || !strings.HasSuffix(string(rest), "data: [DONE]\n\n") || !strings.Contains(string(rest), `"content":"a"`) {
		t.Errorf("%q, %v", rest, err)
	}
}

func TestOptions(t *testing.T) {
	var got gateway.Options
	inner := answers(hello, io.EOF)
	srv := serve(t, func(ctx context.Context, req *gateway.Request) (*gateway.Answer, error) {
		got = req.Options
		return inner(ctx, req)
	}, nil)
	post(t, srv, "/v1/chat/completions", ask, "x-gateway-hedge", "off", "x-gateway-hedge-after", "800ms", "x-gateway-deadline", "30",
		"x-gateway-fallback", "off", "x-gateway-max-cost-microcents", "500", "x-gateway-stream-failure", "atomic", "x-gateway-patience", "1s", "x-gateway-receipt", "1")
	want := gateway.Options{Hedge: "off", HedgeAfter: 800 * time.Millisecond, Deadline: 30 * time.Second, NoFallback: true, MaxCost: 500,
		OnBreak: "atomic", HasPatience: true, Patience: time.Second, Receipt: true}
	if got != want {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	for name, value := range map[string]string{"x-gateway-hedge": "yes", "x-gateway-deadline": "soon", "x-gateway-fallback": "of", "x-gateway-max-cost-microcents": "-1", "x-gateway-hedge-after": "NaN"} {
		if resp, body := post(t, srv, "/v1/chat/completions", ask, name, value); resp.StatusCode != 400 || !strings.Contains(body, name) {
			t.Errorf("%s %s: %d %s", name, value, resp.StatusCode, body)
		}
	}
}

func TestRequestIDs(t *testing.T) {
	srv := serve(t, answers(hello, io.EOF), nil)
	resp, _ := post(t, srv, "/v1/chat/completions", ask, "x-request-id", "mine-1")
	if resp.Header.Get("x-request-id") != "mine-1" || resp.Header.Get("x-gateway-request-id") == "" {
		t.Errorf("%v", resp.Header)
	}
	resp, _ = post(t, srv, "/v1/chat/completions", ask, "x-request-id", "bad id\t")
	if resp.Header.Get("x-request-id") != resp.Header.Get("x-gateway-request-id") {
		t.Errorf("%v", resp.Header)
	}
}

func TestSpendAndHealth(t *testing.T) {
	srv := serve(t, answers(hello, io.EOF), nil)
	for path, want := range map[string]string{
		"/v1/spend?by=provider": `"total":{`, "/health": `"embeddings_available":true`, "/v1/models": `"deepseek/deepseek-flash"`,
		"/v1/models/openai/text-embedding-3-small": `"owned_by":"openai"`, "/v1/providers": `"ttft_p50_ns":3000000`,
	} {
		resp, err := http.Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 200 || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
	for _, path := range []string{"/v1/spend?by=nonsense", "/v1/spend?from=yesterday"} {
		resp, err := http.Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 400 {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
}

// What waits in memory for the books is seen before it is too much, and when it is.
func TestHealthShowsWhatWaitsForTheBooks(t *testing.T) {
	for full, want := range map[bool]struct {
		ready int
		has   string
	}{false: {200, `"status":"ok"`}, true: {503, `"full":true`}} {
		srv := serve(t, answers(hello, io.EOF), func(c *Config) {
			c.Ledger = func() gateway.LedgerStatus {
				return gateway.LedgerStatus{State: gateway.LedgerOK, Waiting: 4711, Full: full}
			}
		})
		for path, status := range map[string]int{"/health": 200, "/readyz": want.ready} {
			resp, err := http.Get(srv.URL + path)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if text := string(body); resp.StatusCode != status || path == "/health" && (!strings.Contains(text, want.has) ||
				!strings.Contains(text, `"waiting_bytes":4711`) || full != strings.Contains(text, `"status":"degraded"`)) {
				t.Errorf("full %v: %s: %d %s", full, path, resp.StatusCode, text)
			}
		}
	}
}

func TestValuesWithoutMeaningAreTheClientsFault(t *testing.T) {
	srv := serve(t, answers(hello, io.EOF), nil)
	const m = `"messages":[{"role":"user","content":"x"}]`
	for body, param := range map[string]string{
		`{` + m + `,"tools":[5]}`: "tools", `{` + m + `,"tools":[{"type":"function","function":{}}]}`: "tools",
		`{` + m + `,"functions":[{}]}`: "functions", `{` + m + `,"stop":[1,2]}`: "stop",
		`{` + m + `,"tool_choice":"required"}`: "tool_choice", `{` + m + `,"temperature":1e999}`: "temperature",
	} {
		resp, got := post(t, srv, "/v1/chat/completions", body)
		if resp.StatusCode != 400 || !strings.Contains(got, `"param":"`+param+`"`) {
			t.Errorf("%s: %d %s", body, resp.StatusCode, got)
		}
	}
	if resp, got := post(t, srv, "/v1/chat/completions", `{`+m+`,"tools":[{"type":"custom","custom":{"name":"x"}}]}`); resp.StatusCode != 200 {
		t.Errorf("a tool of a kind that some provider may know: %d %s", resp.StatusCode, got)
	}
	if resp, got := post(t, srv, "/v1/nothing", ask); resp.StatusCode != 404 || !strings.Contains(got, "not_found") || strings.Contains(got, "model") {
		t.Errorf("%d %s", resp.StatusCode, got)
	}
}
