package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"gateway/internal/grammar"
)

// A Messages stream that Anthropic broke off and another format finished keeps to the
// grammar to its end, which is told in the client's words.
func TestMessagesContinuedElsewhere(t *testing.T) {
	const answer = "Air scatters blue light more than red light."
	quoted, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	google := func(finish string) script {
		return sends(`data: {"candidates":[{"content":{"role":"model","parts":[{"text":` + string(quoted) + `}]},"finishReason":"` + finish + `","index":0}],` +
			`"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":9,"totalTokenCount":18},"modelVersion":"m"}` + "\r\n\r\n")
	}
	deepseek := func(finish string) script {
		return sends(chunk(roleChunk, "null"), contentChunk(answer), chunk("{}", `"`+finish+`"`), usageChunk, "data: [DONE]\n\n")
	}
	for _, c := range []struct {
		name, kind, path string
		script           script
		stop             string
		ending           grammar.Ending
	}{
		{"deepseek", "openai_compatible", "", deepseek("stop"), "end_turn", grammar.Completed},
		{"deepseek at its limit", "openai_compatible", "", deepseek("length"), "max_tokens", grammar.Incomplete},
		{"gemini", "gemini", "/v1beta", google("STOP"), "end_turn", grammar.Completed},
		{"gemini at its limit", "gemini", "/v1beta", google("MAX_TOKENS"), "max_tokens", grammar.Incomplete},
	} {
		t.Run(c.name, func(t *testing.T) {
			url, events, cut := cutting(t, "anthropic/stream.text.sse", "text/event-stream")
			second := newUpstream(t, c.script)
			base := serveGateway(t, configFile(t,
				entry{name: "first", price: 1, extras: map[string]any{"kind": "anthropic", "base_url": url + "/v1", "breaker": "off"}},
				entry{name: "second", price: 2, extras: map[string]any{"kind": c.kind, "base_url": second.URL + c.path}}), nil)
			for n := 4; n < events-1; n++ { // from the first text to its end
				cut.Store(int64(n))
				status, body := postTo(t, base+"/v1/messages", `{"model":"auto","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"Why is the sky blue?"}]}`,
					"x-gateway-stream-failure", "continue")
				got, err := grammar.Messages(body)
				if status != http.StatusOK || err != nil || got.Ending != c.ending {
					t.Errorf("%d events: %d, %v\n%s", n, status, err, body)
					continue
				}
				var said strings.Builder
				for _, b := range got.Blocks {
					said.WriteString(b.Text)
				}
				if said.String() != answer || got.Stop != c.stop {
					t.Errorf("%d events: %q, stopped for %q, want %q\n%s", n, said.String(), got.Stop, c.stop, body)
				}
			}
		})
	}
}

// Calls that a provider gave the same index are as many to the client of each format.
func TestCallsOfOneIndexInEachFormat(t *testing.T) {
	call := func(id, name, city string) string {
		return chunk(`{"tool_calls":[{"index":0,"id":"`+id+`","type":"function","function":{"name":"`+name+`","arguments":"{\"city\":\"`+city+`\"}"}}]}`, "null")
	}
	provider := newUpstream(t, sends(chunk(roleChunk, "null"), call("call_a", "f", "Paris"), call("call_b", "g", "Rome"),
		chunk("{}", `"tool_calls"`), usageChunk, "data: [DONE]\n\n"))
	base := serveGateway(t, configFile(t, entry{name: "p", url: provider.URL, price: 1}), nil)
	const want = `f {"city":"Paris"} g {"city":"Rome"}`
	function := `{"name":"f","description":"d","parameters":{"type":"object"}},{"name":"g","description":"d","parameters":{"type":"object"}}`
	for _, c := range []struct {
		path, body string
		calls      func(stream string) ([]string, error)
	}{
		{"/v1/chat/completions", `{"model":"auto","stream":true,"messages":[{"role":"user","content":"q"}],"tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}}]}`,
			func(stream string) (out []string, err error) {
				got, err := grammar.Chat(stream, false)
				for _, c := range got.Calls {
					out = append(out, c.Name, c.Arguments)
				}
				return out, err
			}},
		{"/v1/messages", `{"model":"auto","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"q"}],"tools":[{"name":"f","input_schema":{"type":"object"}},{"name":"g","input_schema":{"type":"object"}}]}`,
			func(stream string) (out []string, err error) {
				got, err := grammar.Messages(stream)
				for _, b := range got.Blocks {
					out = append(out, b.Name, b.Input)
				}
				return out, err
			}},
		{"/v1/responses", `{"model":"auto","stream":true,"input":"q","tools":[{"type":"function","name":"f"},{"type":"function","name":"g"}]}`,
			func(stream string) (out []string, err error) {
				got, err := grammar.Responses(stream)
				for _, i := range got.Items {
					out = append(out, i.Name, i.Arguments)
				}
				return out, err
			}},
		{"/v1beta/models/auto:streamGenerateContent?alt=sse", `{"contents":[{"parts":[{"text":"q"}]}],"tools":[{"functionDeclarations":[` + function + `]}]}`,
			func(stream string) (out []string, err error) {
				got, err := grammar.Gemini(stream)
				for _, c := range got.Calls {
					out = append(out, c.Name, string(c.Args))
				}
				return out, err
			}},
	} {
		status, body := postTo(t, base+c.path, c.body)
		got, err := c.calls(body)
		if status != http.StatusOK || err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %d, %v\n got %s\nwant %s\n%s", c.path, status, err, strings.Join(got, " "), want, body)
		}
	}
}
