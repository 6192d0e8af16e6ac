package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"gateway/internal/fakeupstream"
)

// nativePair is a format that clients and a kind of provider speak alike.
type nativePair struct {
	kind     fakeupstream.Kind
	base     string // what follows the provider's address
	model    string
	path     string // MODEL stands for the model's name
	body     string // of a client, as odd as it may be; MODEL likewise
	fixtures []string
	answer   string // one that no encoder would write: THOUSAND stands for a thousand words
}

// Numbers that are the same and written apart, escapes that need not be, names that nobody
// knows, a name twice, spaces of every kind, and letters of several scripts.
const oddities = "\"x_new\" : [1.50,1.5,1e3 ,1000,-0,0.1e-7 ],\t\"x_text\":\"caf\\u00e9 \\/ \\ud83d\\ude00 \u65e5\u672c\u8a9e \u0416\u2028\",\r\n  \"x_twice\":{\"a\":1,\"a\":2}, \"x_empty\":{ } "

var nativePairs = []nativePair{
	{fakeupstream.Anthropic, "", "claude-sonnet-5-5", "/v1/messages",
		"{ \"max_tokens\":4096,\n\"model\" : \"MODEL\",\"x_new\":[1.50,1e3],\"metadata\":{\"user_id\":\"u\"},\"service_tier\":\"standard_only\",\"stream\": false, " +
			"\"thinking\":{\"type\":\"adaptive\"},\"messages\":[{\"role\":\"user\",\"content\":\"\\u00e9 \u65e5\u672c hi\"}] }\n",
		[]string{"anthropic/messages.text.response.json", "anthropic/messages.tools.response.json", "anthropic/messages.cache_write.response.json"},
		"\n {" + oddities + ",\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-sonnet-5-5\",\"content\":[" +
			"{\"type\":\"thinking\",\"thinking\":\"so\\u0301\",\"signature\":\"EqQBCgIYAhIM+/==\",\"x\":1e2},{\"type\":\"redacted_thinking\",\"data\":\"Zm9v\"}," +
			"{ \"type\":\"text\",\"citations\":null,\"text\":\"THOUSAND\"},{\"type\":\"x_block\",\"of\":[1]}," +
			"{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"f\",\"input\":{\"b\":1.0,\"a\" : 1}}],\"stop_reason\":\"tool_use\",\"stop_sequence\":null," +
			"\"usage\":{\"input_tokens\":11,\"cache_read_input_tokens\":0,\"cache_creation_input_tokens\":0,\"output_tokens\":1042}}\r\n\n"},
	{fakeupstream.OpenAIResponses, "/v1", "gpt-5.1", "/v1/responses",
		"{ \"input\":[{\"role\":\"user\",\"content\":\"\\u00e9 \u65e5\u672c hi\"}],\n\"model\" : \"MODEL\",\"x_new\":[1.50,1e3],\"max_output_tokens\": 5000,\"store\":false,\"metadata\":{\"a\":\"b\"} }\n",
		[]string{"openai-responses/response.text.json"},
		"\n {" + oddities + ",\"id\":\"resp_1\",\"object\":\"response\",\"created_at\":1795420800,\"status\":\"completed\",\"error\":null,\"model\":\"gpt-5.1\",\"output\":[" +
			"{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[],\"encrypted_content\":\"b3Bh+/==\"},{\"type\":\"x_item\",\"of\":[1]}," +
			"{\"type\":\"message\",\"id\":\"m\",\"status\":\"completed\",\"role\":\"assistant\",\"content\":[{ \"type\":\"output_text\",\"annotations\":[],\"text\":\"THOUSAND\"}]}," +
			"{\"type\":\"function_call\",\"id\":\"fc_1\",\"call_id\":\"call_1\",\"name\":\"f\",\"arguments\":\"{\\\"b\\\":1.0, \\\"a\\\":1\\u007d\"}]," +
			"\"usage\":{\"input_tokens\":11,\"input_tokens_details\":{\"cached_tokens\":0},\"output_tokens\":1042,\"output_tokens_details\":{\"reasoning_tokens\":3},\"total_tokens\":1053}}\r\n\n"},
	{fakeupstream.Gemini, "/v1beta", "gemini-3.8-flash", "/v1beta/models/MODEL:generateContent",
		"{ \"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"\\u00e9 \u65e5\u672c hi\"}]}],\n\"x_new\":[1.50,1e3],\"generationConfig\":{\"maxOutputTokens\": 5000} }\n",
		[]string{"gemini/generate.text.response.json", "gemini/generate.tools.response.json"},
		"\n {" + oddities + ",\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"so\",\"thought\":true},{ \"text\":\"THOUSAND\",\"x\":1e2}," +
			"{\"thoughtSignature\":\"CpwB+/==\",\"functionCall\":{\"name\":\"f\",\"args\":{\"b\":1.0,\"a\" : 1}}}]},\"finishReason\":\"STOP\",\"index\":0}]," +
			"\"usageMetadata\":{\"promptTokenCount\":11,\"candidatesTokenCount\":1040,\"thoughtsTokenCount\":2,\"totalTokenCount\":1053},\"modelVersion\":\"gemini-3.8-flash\"}\r\n\n"},
}

func (p *nativePair) entry(name, url string, price float64) entry {
	return entry{name: name, price: price, extras: map[string]any{"kind": p.kind.String(), "base_url": url + p.base, "default_model": p.model}}
}

func (p *nativePair) odd() string {
	return strings.Replace(p.answer, "THOUSAND", strings.Repeat("word \\u00e9 ", 1000), 1)
}

func (p *nativePair) at(base, model string) (url, body string) {
	return base + strings.Replace(p.path, "MODEL", model, 1), strings.Replace(p.body, "MODEL", model, 1)
}

// answers makes a server of a kind that gives one body and says who it is in its headers.
func answers(t *testing.T, kind fakeupstream.Kind, status int, body string) *fakeupstream.Server {
	t.Helper()
	server, err := fakeupstream.Start(fakeupstream.Config{Kind: kind})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	server.ServeRaw(status, http.Header{"Content-Type": {"application/json"}, "Request-Id": {"req_theirs"}}, []byte(body), 0)
	return server
}

// ledgerRows are the rows under a directory, the newest first.
func ledgerRows(t *testing.T, dir string) []gjson.Result {
	t.Helper()
	var out, complaint strings.Builder
	if code := run(t.Context(), t.Context(), []string{"ledger", "query", "--json", "--data-dir", dir}, only(nil), &out, &complaint); code != 0 {
		t.Fatalf("exit %d %s", code, complaint.String())
	}
	return gjson.Parse(out.String()).Array()
}

// What a provider answers a client of its own format who does not stream is the client's to
// the byte, however long it is and whatever is in it; what the client sent is the provider's
// but for the model's name. The row has the counts of that body, with a budget too.
func TestWholeAnswersAreRelayedByteForByte(t *testing.T) {
	for _, p := range nativePairs {
		t.Run(p.kind.String(), func(t *testing.T) {
			server := answers(t, p.kind, http.StatusOK, "{}")
			tap := &wiretap{}
			data := t.TempDir()
			out := keysCmd(t, data, "create", "--alias", "bounded", "--budget", "100")
			key := out[strings.LastIndexAny(out, " \n")+1:]
			base, stop := startGateway(t, configFile(t, p.entry("p", tap.serve(t, server.URL()), 1)), nil, "--data-dir", data)
			defer stop()
			bodies := []string{p.odd()}
			for _, name := range p.fixtures {
				raw, err := os.ReadFile(filepath.Join("..", "..", "providers", "testdata", name))
				if err != nil {
					t.Fatal(err)
				}
				bodies = append(bodies, string(raw))
			}
			for i, want := range bodies {
				server.ServeRaw(http.StatusOK, http.Header{"Content-Type": {"application/json"}}, []byte(want), 0)
				url, body := p.at(base, "p/"+p.model)
				status, got := postTo(t, url, body, "Authorization", "Bearer "+key)
				if status != http.StatusOK || got != want {
					t.Errorf("%d: status %d\n got %q\nwant %q", i, status, got, want)
				}
				if _, sent := p.at(base, p.model); tap.requests[len(tap.requests)-1] != sent {
					t.Errorf("%d: the provider got\n%q\nwant\n%q", i, tap.requests[len(tap.requests)-1], sent)
				}
			}
			// A budget needs a limit where the client set none: that alone is put in.
			url, body := p.at(base, "p/"+p.model)
			unlimited := strings.NewReplacer(`"max_output_tokens": 5000,`, "", `,"generationConfig":{"maxOutputTokens": 5000}`, "").Replace(body)
			if unlimited != body {
				status, _ := postTo(t, url, unlimited, "Authorization", "Bearer "+key)
				sent := tap.requests[len(tap.requests)-1]
				if status != http.StatusOK || !gjson.Valid(sent) || !strings.Contains(sent, "8192") || len(sent) > len(unlimited)+50 {
					t.Errorf("%d without a limit: %s", status, sent)
				}
				bodies = append(bodies, "")
			}
			stop()
			rows := ledgerRows(t, data)
			if len(rows) != len(bodies) {
				t.Fatalf("%d rows for %d requests", len(rows), len(bodies))
			}
			first := rows[len(rows)-1]
			if first.Get("usage_source").Str != "reported" || first.Get("completion_tokens").Int() != 1042 || first.Get("cost_microcents").Int() != 11*100+1042*100 {
				t.Errorf("booked as %s", first.Raw)
			}
		})
	}
}

// When the first provider fails, the second's body is the client's to the byte if it speaks
// the format too, and a translated one otherwise, streamed from who is asked so.
func TestWholeAnswersAfterAFailure(t *testing.T) {
	for _, p := range nativePairs {
		t.Run(p.kind.String(), func(t *testing.T) {
			down := answers(t, p.kind, http.StatusInternalServerError, `{"error":{"message":"out of order"}}`)
			good := answers(t, p.kind, http.StatusOK, p.odd())
			other := newUpstream(t, says("From elsewhere."))
			for name, second := range map[string]entry{"native": p.entry("b", good.URL(), 2), "translated": {name: "b", url: other.URL, price: 2}} {
				base := serveGateway(t, configFile(t, p.entry("a", down.URL(), 1), second), nil)
				url, body := p.at(base, "auto")
				status, got := postTo(t, url, body)
				if name == "native" && (status != http.StatusOK || got != p.odd()) {
					t.Errorf("%d %s", status, got)
				}
				if name == "translated" && (status != http.StatusOK || !strings.Contains(got, "From elsewhere.")) {
					t.Errorf("%d %s", status, got)
				}
				// A receipt is asked for, and stands in the body then.
				status, got = postTo(t, url, body, "x-gateway-receipt", "1")
				if status != http.StatusOK || !gjson.Valid(got) || gjson.Get(got, "gateway.attempts.#").Int() < 2 {
					t.Errorf("%s with a receipt: %d %s", name, status, got)
				}
			}
		})
	}
}

// A stream of the second provider is the client's to the byte when the first fails before its
// first content, with a refusal or in its stream.
func TestStreamsAfterAFailureAreRelayed(t *testing.T) {
	streams := map[fakeupstream.Kind]string{fakeupstream.Anthropic: "anthropic/stream.thinking.sse",
		fakeupstream.OpenAIResponses: "openai-responses/stream.tools.sse", fakeupstream.Gemini: "gemini/stream.tools.sse"}
	for _, p := range nativePairs {
		raw, err := os.ReadFile(filepath.Join("..", "..", "providers", "testdata", streams[p.kind]))
		if err != nil {
			t.Fatal(err)
		}
		good := answers(t, p.kind, http.StatusOK, "")
		good.ServeRaw(http.StatusOK, http.Header{"Content-Type": {"text/event-stream"}}, raw, 0)
		want := strings.ReplaceAll(string(raw), "\r\n", "\n")
		for name, broken := range map[string]struct {
			status int
			body   string
		}{"busy": {529, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`}, "cut": {200, "event: ping\ndata: {\"type\":\"ping\"}\n\n"}} {
			bad := answers(t, p.kind, broken.status, broken.body)
			if broken.status == http.StatusOK {
				bad.ServeRaw(http.StatusOK, http.Header{"Content-Type": {"text/event-stream"}}, []byte(broken.body), 0)
			}
			got, resp := p.asks(t, serveGateway(t, configFile(t, p.entry("a", bad.URL(), 1), p.entry("b", good.URL(), 2)), nil), true)
			if resp.StatusCode != http.StatusOK || got != want {
				t.Errorf("%v, %s: %d\n got %q\nwant %q", p.kind, name, resp.StatusCode, got, want)
			}
		}
	}
}

// An answer may be nothing but what only its own format has: an image, a call of a tool that
// the provider runs or the client must. It is no empty one for a client that reads it.
func TestAnswersOfTheirOwnKindOnly(t *testing.T) {
	const message = `"id":"msg_1","type":"message","role":"assistant","model":"m"`
	for _, p := range nativePairs {
		said := map[fakeupstream.Kind][2]string{
			fakeupstream.Anthropic: {`{` + message + `,"content":[{"type":"server_tool_use","id":"s","name":"web_search","input":{"query":"x"}}],"stop_reason":"pause_turn","stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":400}}`,
				"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{" + message + ",\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\n" +
					"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"server_tool_use\",\"id\":\"s\",\"name\":\"web_search\",\"input\":{}}}\n\n" +
					"event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n" +
					"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"pause_turn\"},\"usage\":{\"output_tokens\":400}}\n\n" +
					"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"},
			fakeupstream.OpenAIResponses: {`{"id":"resp_1","object":"response","status":"completed","model":"m","output":[{"type":"computer_call","id":"c","call_id":"d","action":{"type":"screenshot"}}],"usage":{"input_tokens":9,"output_tokens":400,"total_tokens":409}}`,
				"event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_1\",\"status\":\"in_progress\",\"output\":[]}}\n\n" +
					"event: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"sequence_number\":1,\"output_index\":0,\"item\":{\"type\":\"computer_call\",\"id\":\"c\"}}\n\n" +
					"event: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":2,\"response\":{\"id\":\"resp_1\",\"status\":\"completed\",\"output\":[{\"type\":\"computer_call\",\"id\":\"c\"}],\"usage\":{\"input_tokens\":9,\"output_tokens\":400}}}\n\n"},
			fakeupstream.Gemini: {`{"candidates":[{"content":{"role":"model","parts":[{"inlineData":{"mimeType":"image/png","data":"QUJD"}}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":1290,"totalTokenCount":1299}}`,
				"data: {\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"QUJD\"}}]},\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":9,\"candidatesTokenCount\":1290,\"totalTokenCount\":1299}}\n\n"},
		}[p.kind]
		server := answers(t, p.kind, http.StatusOK, said[0])
		base := serveGateway(t, configFile(t, p.entry("p", server.URL(), 1)), nil)
		if got, resp := p.asks(t, base, false); resp.StatusCode != http.StatusOK || got != said[0] {
			t.Errorf("%v: %d\n got %s\nwant %s", p.kind, resp.StatusCode, got, said[0])
		}
		server.ServeRaw(http.StatusOK, http.Header{"Content-Type": {"text/event-stream"}}, []byte(said[1]), 0)
		if got, resp := p.asks(t, base, true); resp.StatusCode != http.StatusOK || got != said[1] {
			t.Errorf("%v, streamed: %d\n got %s\nwant %s", p.kind, resp.StatusCode, got, said[1])
		}
		// Nobody else could read it, so for others it is none.
		if status, got := postTo(t, base+"/v1/chat/completions", chatBody(false)); status == http.StatusOK {
			t.Errorf("%v: a client of another format gets %s", p.kind, got)
		}
	}
}

// Where the operator wants every answer streamed, or somebody a limit or a race by the first
// content, the answer is put together from events.
func TestWhoeverWantsAStreamUpstreamGetsOne(t *testing.T) {
	for _, p := range nativePairs {
		server, err := fakeupstream.Start(fakeupstream.Config{Kind: p.kind})
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		tap := &wiretap{}
		url := tap.serve(t, server.URL())
		for name, c := range map[string]struct {
			field  string
			value  any
			header string
			whole  bool
		}{
			"nothing":     {whole: true},
			"always":      {field: "stream_upstream", value: "true"},
			"a limit":     {field: "ttft_timeout", value: "20s"},
			"adaptive":    {field: "limits", value: map[string]any{"adaptive": true}},
			"a race":      {field: "hedge_after", value: "20s"},
			"by a client": {header: "x-gateway-hedge-after"},
		} {
			e := p.entry("p", url, 1)
			if c.field != "" {
				e.extras[c.field] = c.value
			}
			to, body := p.at(serveGateway(t, configFile(t, e), nil), "p/"+p.model)
			body = strings.Replace(body, `,"x_new":[1.50,1e3]`, "", 1)
			body = strings.Replace(body, `"x_new":[1.50,1e3],`, "", 1)
			headers := []string{"x-request-id", "r"}
			if c.header != "" {
				headers = append(headers, c.header, "20s")
			}
			status, got := postTo(t, to, body, headers...)
			tap.mu.Lock()
			said := tap.answers[len(tap.answers)-1].String()
			tap.mu.Unlock()
			if status != http.StatusOK || (got == said) != c.whole {
				t.Errorf("%v, %s: %d\n%s\nwas said as\n%s", p.kind, name, status, got, said)
			}
		}
	}
}
