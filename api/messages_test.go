package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
	"github.com/tidwall/gjson"

	"gateway"
	"gateway/internal/grammar"
)

// Each kind of failure has Anthropic's shape, a type that its clients know and nothing
// of what is inside.
func TestMessagesErrors(t *testing.T) {
	want := map[gateway.Kind]string{
		gateway.Invalid: "400 invalid_request_error", gateway.Unauthorized: "401 authentication_error", gateway.UnknownModel: "404 not_found_error",
		gateway.TooLarge: "413 request_too_large", gateway.RateLimited: "429 rate_limit_error", gateway.Overloaded: "529 overloaded_error",
		gateway.NoCapacity: "529 overloaded_error", gateway.CircuitOpen: "529 overloaded_error", gateway.Draining: "529 overloaded_error",
		gateway.Timeout: "504 timeout_error", gateway.Deadline: "504 timeout_error", gateway.BudgetExceeded: "402 billing_error",
		gateway.ContextLength: "400 invalid_request_error", gateway.ContentFiltered: "400 invalid_request_error", gateway.Unsupported: "400 invalid_request_error",
		gateway.Forbidden: "403 permission_error", gateway.KeyLimited: "429 rate_limit_error", gateway.Conflict: "409 invalid_request_error", gateway.UnknownKey: "404 not_found_error",
		gateway.Internal: "500 api_error", gateway.BadAnswer: "502 api_error", gateway.RetryNow: "503 api_error", gateway.Unavailable: "503 api_error",
		gateway.ProviderAuth: "503 api_error", gateway.ProviderBilling: "503 api_error", gateway.NoProvider: "503 api_error", gateway.LedgerDown: "503 api_error",
	}
	for _, kind := range gateway.Kinds() {
		if kind == gateway.Canceled {
			continue // nobody reads it
		}
		srv := serve(t, func(context.Context, *gateway.Request) (*gateway.Answer, error) {
			return nil, &gateway.Error{Kind: kind, Provider: "p", Err: errors.New("sk-secret"), RetryAfter: 3_000_000_000}
		}, nil)
		client := anthropic.NewClient(option.WithBaseURL(srv.URL), option.WithAPIKey("k"), option.WithMaxRetries(0))
		_, err := client.Messages.New(t.Context(), anthropic.MessageNewParams{Model: "m", MaxTokens: 5, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("x"))}})
		var got *anthropic.Error
		if !errors.As(err, &got) {
			t.Errorf("%v: %v", kind, err)
			continue
		}
		if said := fmt.Sprint(got.StatusCode, " ", got.Type()); said != want[kind] {
			t.Errorf("%v: %s, want %s", kind, said, want[kind])
		}
		if raw := got.RawJSON(); strings.Contains(raw, "secret") || gjson.Get(raw, "type").Str != "error" || got.RequestID == "" || gjson.Get(raw, "request_id").Str != got.RequestID {
			t.Errorf("%v: %s, request %s", kind, raw, got.RequestID)
		}
		if got.Response.Header.Get("Retry-After") != "3" {
			t.Errorf("%v: no Retry-After", kind)
		}
	}
	p := problemOf(&gateway.Error{Kind: gateway.ContextLength, Message: "This model's maximum context length is 9."})
	if b := string(p.messages(nil, "x", "1")); !strings.Contains(b, "prompt is too long: This model") {
		t.Errorf("%s: Claude Code would not know to compact", b)
	}
}

// The fixture of an agent's request is read as it is meant, and routing learns what it must.
func TestAgentsMessagesRequest(t *testing.T) {
	raw, err := os.ReadFile("testdata/anthropic/ingress.agent.request.json")
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest("POST", "/v1/messages?beta=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("anthropic-version", "2026-10-21")
	r.Header.Add("anthropic-beta", "a-1")
	r.Header.Add("anthropic-beta", "b-2,c-3")
	r.Header.Set("x-claude-code-agent-id", "sub")
	req := &gateway.Request{}
	if err := scanMessagesBody(r, raw, req); err != nil {
		t.Fatal(err)
	}
	if req.Model != "claude-sonnet-5-5" || !req.Stream || req.MaxTokens != 32000 || !req.Needs.Tools || req.Stateful || req.Needs.Native != "" ||
		req.Messages != 1 || req.Prefix == 0 || req.Options.Affinity != "s1/sub/claude-sonnet-5-5" {
		t.Errorf("%+v", req)
	}
	if want := map[string]string{"Anthropic-Version": "2026-10-21", "Anthropic-Beta": "a-1,b-2,c-3"}; !reflect.DeepEqual(req.Forward, want) {
		t.Errorf("forwards %v", req.Forward)
	}
	chat, derr := req.Chat()
	if derr != nil {
		t.Fatal(derr)
	}
	want := []gateway.Message{
		{Speaker: gateway.System, Parts: []gateway.Part{{Text: "You are a coding agent.", Cache: "1h"}}},
		{Speaker: gateway.User, Parts: []gateway.Part{{Text: "<system-reminder>today is Monday</system-reminder>"}, {Text: "List files", Cache: "5m"}}},
	}
	if !reflect.DeepEqual(chat.Messages, want) || chat.Effort != "medium" || chat.User != "d1" || len(chat.Tools) != 1 || chat.Tools[0].Name != "Bash" ||
		!strings.Contains(string(chat.Tools[0].Parameters), `"command"`) {
		t.Errorf("%+v", chat)
	}
}

// The error of the fixture is what a client is told when everybody is busy.
func TestOverloadedMessagesFixture(t *testing.T) {
	raw, err := os.ReadFile("testdata/anthropic/ingress.error.http.json")
	if err != nil {
		t.Fatal(err)
	}
	fixture := gjson.ParseBytes(raw)
	srv := serve(t, func(context.Context, *gateway.Request) (*gateway.Answer, error) {
		return nil, &gateway.Error{Kind: gateway.Overloaded, RetryAfter: 5_000_000_000}
	}, nil)
	resp, body := post(t, srv, "/v1/messages", thinkingAsk)
	if int64(resp.StatusCode) != fixture.Get("status").Int() || resp.Header.Get("Retry-After") != fixture.Get("headers.retry-after").Str {
		t.Errorf("%d, %v", resp.StatusCode, resp.Header)
	}
	if got, want := keysOf(fieldsOf(t, body)), keysOf(fieldsOf(t, fixture.Get("body").Raw)); !reflect.DeepEqual(got, want) {
		t.Errorf("%s has %v, want %v", body, got, want)
	}
	if gjson.Get(body, "error.type").Str != fixture.Get("body.error.type").Str {
		t.Errorf("%s", body)
	}
}

func fieldsOf(t *testing.T, body string) map[string]json.RawMessage {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return m
}

// A stream that is cut behind any of its chunks ends with an error, over real HTTP, and
// the SDK takes none of them for an answer.
func TestCutMessagesStreams(t *testing.T) {
	chunks := []gateway.Chunk{{Meta: &gateway.Meta{ID: "x"}}, {Reasoning: "hm"}, {Reasoning: " so"}, {Text: "Let"}, {Text: " me"},
		{Tools: []gateway.ToolDelta{{ID: "a", Name: "f"}}}, {Tools: []gateway.ToolDelta{{Arguments: `{"x"`}}}, {Tools: []gateway.ToolDelta{{Arguments: `:1}`}}},
		{Tools: []gateway.ToolDelta{{Index: 1, ID: "b", Name: "g", Arguments: "{}"}}}, {Finish: gateway.FinishToolCalls}, {Usage: &gateway.Usage{Fresh: 1, Output: 2}}}
	ask := strings.Replace(thinkingAsk, `"m"`, `"m","stream":true`, 1)
	for i := range len(chunks) + 1 {
		end := error(&gateway.Error{Kind: gateway.Overloaded, Message: "secret"})
		if i == len(chunks) {
			end = io.EOF
		}
		srv := serve(t, answers(chunks[:i], end), nil)
		resp, body := post(t, srv, "/v1/messages", ask)
		got, err := grammar.Messages(body)
		if err != nil || resp.StatusCode != 200 || strings.Contains(body, "secret") {
			t.Fatalf("cut at %d: %v, %d:\n%s", i, err, resp.StatusCode, body)
		}
		want := grammar.Failed
		if i == len(chunks) {
			want = grammar.Completed
		}
		if got.Ending != want || want == grammar.Failed && got.Code != "overloaded_error" {
			t.Errorf("cut at %d it ends %s, %s:\n%s", i, got.Ending, got.Code, body)
		}
		client := anthropic.NewClient(option.WithBaseURL(srv.URL), option.WithAPIKey("k"), option.WithMaxRetries(0))
		stream := client.Messages.NewStreaming(t.Context(), anthropic.MessageNewParams{Model: "m", MaxTokens: 5,
			Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("x"))}})
		for stream.Next() {
		}
		if err := stream.Err(); (err == nil) != (want == grammar.Completed) {
			t.Errorf("cut at %d the SDK says %v", i, err)
		}
		stream.Close()
	}
}
