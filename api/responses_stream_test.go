package api

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"gateway"
	"gateway/internal/grammar"
)

const askResponses = `{"model":"auto","input":"Hi","stream":true,"tools":[{"type":"function","name":"f"},{"type":"custom","name":"apply_patch"},` +
	`{"type":"local_shell"},{"type":"tool_search","execution":"client"},{"type":"namespace","name":"mcp__fs","tools":[{"type":"function","name":"read"}]}]}`

// streamed is what a client gets for these chunks, checked.
func streamed(t *testing.T, chunks []gateway.Chunk, end error) (*grammar.ResponsesAnswer, string) {
	t.Helper()
	srv := serve(t, answers(chunks, end), nil)
	resp, body := post(t, srv, "/v1/responses", askResponses)
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("X-Gateway-Provider") != "deepseek" {
		t.Fatalf("%d %v: %s", resp.StatusCode, resp.Header, body)
	}
	got, err := grammar.Responses(body)
	if err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	return got, body
}

func tool(i int, id, name, arguments string) gateway.Chunk {
	return gateway.Chunk{Tools: []gateway.ToolDelta{{Index: i, ID: id, Name: name, Arguments: arguments}}}
}

var someUsage = &gateway.Usage{Fresh: 7, CachedRead: 2, CacheWrite5m: 1, Output: 5, Reasoning: 1, Reported: true}

func finished(f gateway.Finish) gateway.Chunk { return gateway.Chunk{Finish: f, Usage: someUsage} }

func summary(a *grammar.ResponsesAnswer) string {
	var out []string
	for _, it := range a.Items {
		line := it.Type
		for _, s := range []string{it.Namespace, it.Name, it.CallID, it.Text, it.Refusal, it.Arguments, it.Input, it.Summary} {
			if s != "" {
				line += " " + s
			}
		}
		if it.Status == "incomplete" {
			line += " (incomplete)"
		}
		out = append(out, line)
	}
	return strings.Join(out, " | ")
}

func TestResponsesStreams(t *testing.T) {
	think := func(maker, signature string) gateway.Chunk {
		return gateway.Chunk{Thinking: []gateway.Thinking{{Maker: maker, Signature: signature}}}
	}
	for name, c := range map[string]struct {
		chunks []gateway.Chunk
		want   string
		ending grammar.Ending
	}{
		"text":                {[]gateway.Chunk{{Text: "Hel"}, {Text: "lo\u2028"}, finished(gateway.FinishStop)}, "message Hello\u2028", grammar.Completed},
		"reasoning and calls": {append(slices.Clone(hello[:5]), finished(gateway.FinishToolCalls)), "reasoning hm | message Hello\u2028 | function_call f call_1 {\"a\":1}", grammar.Completed},
		"mixed calls": {[]gateway.Chunk{tool(0, "a", "f", ""), tool(1, "b", "f", ""), tool(0, "", "", `{"x"`), tool(1, "", "", `{"y":`), tool(0, "", "", `:1}`), tool(2, "c", "f", `{}`), tool(1, "", "", `2}`),
			finished(gateway.FinishToolCalls)}, `function_call f a {"x":1} | function_call f b {"y":2} | function_call f c {}`, grammar.Completed},
		"no arguments":      {[]gateway.Chunk{tool(0, "a", "f", ""), tool(1, "b", "f", ""), finished(gateway.FinishToolCalls)}, `function_call f a {} | function_call f b {}`, grammar.Completed},
		"white space after": {[]gateway.Chunk{tool(0, "a", "f", "{}"), {Text: "so"}, tool(0, "", "", " \n"), finished(gateway.FinishToolCalls)}, `function_call f a {} | message so`, grammar.Completed},
		"text in a call":    {[]gateway.Chunk{tool(0, "a", "f", "{"), {Text: "so"}, tool(0, "", "", "}"), finished(gateway.FinishToolCalls)}, `function_call f a {} | message so`, grammar.Completed},
		"custom":            {[]gateway.Chunk{tool(0, "a", "apply_patch", `{"input":"a\n`), tool(0, "", "", `b"}`), finished(gateway.FinishToolCalls)}, "custom_tool_call apply_patch a a\nb", grammar.Completed},
		"custom, bare":      {[]gateway.Chunk{tool(0, "a", "apply_patch", "*** Begin"), finished(gateway.FinishToolCalls)}, "custom_tool_call apply_patch a *** Begin", grammar.Completed},
		"namespace":         {[]gateway.Chunk{tool(0, "a", "mcp__fs__read", "{}"), finished(gateway.FinishToolCalls)}, "function_call mcp__fs read a {}", grammar.Completed},
		"local shell":       {[]gateway.Chunk{tool(0, "a", "local_shell", `{"command":["ls"]}`), finished(gateway.FinishToolCalls)}, "local_shell_call a", grammar.Completed},
		"search":            {[]gateway.Chunk{tool(0, "a", "tool_search", `{"query":`), tool(0, "", "", `"x"}`), finished(gateway.FinishToolCalls)}, `tool_search_call a {"query":"x"}`, grammar.Completed},
		"search, bare":      {[]gateway.Chunk{tool(0, "a", "tool_search", `files`), finished(gateway.FinishToolCalls)}, `tool_search_call a {"query":"files"}`, grammar.Completed},
		"refusal":           {[]gateway.Chunk{{Text: "Well"}, {Refusal: "no"}, finished(gateway.FinishStop)}, "message Well no", grammar.Completed},
		"length":            {[]gateway.Chunk{{Text: "Hel"}, finished(gateway.FinishLength)}, "message Hel (incomplete)", grammar.Incomplete},
		"length in a call":  {[]gateway.Chunk{tool(0, "a", "f", `{"x`), finished(gateway.FinishLength)}, `function_call f a {"x (incomplete)`, grammar.Incomplete},
		"filter":            {[]gateway.Chunk{finished(gateway.FinishFilter)}, "", grammar.Incomplete},
		"signed":            {[]gateway.Chunk{{Reasoning: "hm"}, think("anthropic", "s"), think("anthropic", "t"), {Text: "so"}, finished(gateway.FinishStop)}, "reasoning hm | reasoning | message so", grammar.Completed},
		"signed after text": {[]gateway.Chunk{{Text: "so"}, think("gemini", "s"), {Text: "."}, finished(gateway.FinishStop)}, "message so. | reasoning", grammar.Completed},
	} {
		t.Run(name, func(t *testing.T) {
			got, _ := streamed(t, c.chunks, io.EOF)
			if s := summary(got); s != c.want || got.Ending != c.ending {
				t.Errorf("%s: %s\nwant %s: %s", got.Ending, s, c.ending, c.want)
			}
			if got.In != 10 || got.Cached != 2 || got.Out != 5 || got.Reasoning != 1 {
				t.Errorf("usage %+v", got)
			}
			srv := serve(t, answers(c.chunks, io.EOF), nil)
			_, body := post(t, srv, "/v1/responses", strings.Replace(askResponses, `"stream":true,`, "", 1))
			var whole []string
			for _, it := range gjson.Get(body, "output").Array() {
				whole = append(whole, it.Get("type").Str)
			}
			var told []string
			for _, it := range got.Items {
				told = append(told, it.Type)
			}
			if name != "white space after" && name != "text in a call" && name != "signed" && name != "signed after text" && strings.Join(whole, " ") != strings.Join(told, " ") {
				t.Errorf("whole: %v, streamed: %v", whole, told)
			}
			if gjson.Get(body, "status").Str != string(c.ending) || gjson.Get(body, "store").Bool() || gjson.Get(body, "object").Str != "response" {
				t.Errorf("whole: %s", body)
			}
		})
	}
}

// However a provider cuts and mixes its calls, each arrives whole.
func TestResponsesMixedCallsArriveWhole(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		n := 1 + random.IntN(4)
		rest, want := make([]string, n), make([]string, n)
		for i := range rest {
			rest[i] = fmt.Sprintf(`{"n":%d,"s":"%s"}`, i, strings.Repeat("x", random.IntN(9)))
			want[i] = fmt.Sprintf("function_call f c%d %s", i, rest[i])
		}
		var chunks []gateway.Chunk
		begun := 0
		for left := n; left > 0; {
			i := random.IntN(min(begun+1, n))
			if i == begun {
				begun++
				chunks = append(chunks, tool(i, fmt.Sprintf("c%d", i), "f", ""))
				continue
			}
			if k := min(1+random.IntN(6), len(rest[i])); k > 0 {
				chunks = append(chunks, tool(i, "", "", rest[i][:k]))
				if rest[i] = rest[i][k:]; rest[i] == "" {
					left--
				}
			}
		}
		got, body := streamed(t, append(chunks, finished(gateway.FinishToolCalls)), io.EOF)
		if s := summary(got); s != strings.Join(want, " | ") {
			t.Fatalf("%s\nwant %s\n%s", s, strings.Join(want, " | "), body)
		}
	}
}

// A stream that breaks after any chunk ends in response.failed, with the items that
// were whole and no other.
func TestResponsesStreamCutAtEveryChunk(t *testing.T) {
	for n := range len(hello) + 1 {
		got, body := streamed(t, hello[:n], &gateway.Error{Kind: gateway.Unavailable, Err: io.ErrUnexpectedEOF})
		if got.Ending != grammar.Failed || got.Code != "server_error" || strings.Contains(body, "unexpected EOF") {
			t.Errorf("after %d chunks: %s", n, body)
		}
		for _, it := range got.Items {
			if it.Type == "function_call" {
				t.Errorf("after %d chunks a call was told done", n)
			}
		}
	}
}

func TestResponsesFailureCodes(t *testing.T) {
	for kind, want := range map[gateway.Kind]string{
		gateway.ContextLength: "context_length_exceeded", gateway.BudgetExceeded: "insufficient_quota", gateway.RateLimited: "rate_limit_exceeded",
		gateway.Overloaded: "server_is_overloaded", gateway.Invalid: "invalid_prompt", gateway.Timeout: "server_error", gateway.Internal: "server_error",
	} {
		got, body := streamed(t, nil, &gateway.Error{Kind: kind, RetryAfter: 3e9, Message: "m"})
		if got.Ending != grammar.Failed || got.Code != want {
			t.Errorf("%v: %+v", kind, got)
		}
		if kind == gateway.RateLimited && !strings.Contains(body, "try again in 3s") {
			t.Errorf("%s", body)
		}
	}
}

// What a provider wants back comes back as it was, streamed or not.
func TestResponsesStateGoesRound(t *testing.T) {
	chunks := []gateway.Chunk{
		{Reasoning: "hm"}, {Thinking: []gateway.Thinking{{Maker: "anthropic", Model: "claude", Text: "hm", Signature: "sig<&>"}}},
		{Thinking: []gateway.Thinking{{Maker: "anthropic", Model: "claude", Redacted: "enc"}}},
		{Text: "so"},
		{Tools: []gateway.ToolDelta{{Index: 0, ID: "a", Name: "f", Arguments: "{}", Signature: "gs"}}},
		{Tools: []gateway.ToolDelta{{Index: 1, ID: "b", Name: "f", Arguments: "{}"}}},
		finished(gateway.FinishToolCalls),
	}
	check := func(items []string) {
		t.Helper()
		next := `{"input":[{"role":"user","content":"Hi"},` + strings.Join(items, ",") +
			`,{"type":"function_call_output","call_id":"a","output":"1"},{"type":"function_call_output","call_id":"b","output":"2"}]}`
		_, chat := scanned(t, next)
		if got := speakers(chat); got != "user assistant:a:b toola toolb" {
			t.Fatalf("%s of %s", got, next)
		}
		m := chat.Messages[1]
		if len(m.Thinking) != 2 || m.Thinking[0] != (gateway.Thinking{Maker: "anthropic", Model: "claude", Text: "hm", Signature: "sig<&>"}) ||
			m.Thinking[1] != (gateway.Thinking{Maker: "anthropic", Model: "claude", Redacted: "enc"}) || m.ToolCalls[0].Signature != "gs" || m.ToolCalls[1].Signature != "" {
			t.Errorf("%+v", m)
		}
	}
	got, _ := streamed(t, chunks, io.EOF)
	var items []string
	for _, it := range got.Items {
		items = append(items, string(it.Raw))
	}
	check(items)
	_, body := post(t, serve(t, answers(chunks, io.EOF), nil), "/v1/responses", strings.Replace(askResponses, `"stream":true,`, "", 1))
	items = nil
	for _, it := range gjson.Get(body, "output").Array() {
		items = append(items, it.Raw)
	}
	check(items)
}

func TestResponsesAreNotStored(t *testing.T) {
	srv := serve(t, answers(hello, io.EOF), nil)
	resp, body := post(t, srv, "/v1/responses/resp_1/cancel", "")
	if resp.StatusCode != 404 || gjson.Get(body, "error.code").Str != "response_not_found" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	resp, body = post(t, srv, "/v1/responses", string(fixture(t, "openai-responses/request.previous.json")))
	if resp.StatusCode != 400 || gjson.Get(body, "error.code").Str != "previous_response_not_found" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}
