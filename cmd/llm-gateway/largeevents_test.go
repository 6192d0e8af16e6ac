package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// answeringWith is a provider that answers everything with the same bytes.
func answeringWith(t *testing.T, contentType, body string) (url string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// Images, and calls that a provider sends whole, are longer than a megabyte: in one event,
// in one line and in one body.
func TestLargeEventsComeThrough(t *testing.T) {
	large := strings.Repeat("QUJD", 800_000)
	const events = "text/event-stream"
	image := `{"candidates":[{"content":{"role":"model","parts":[{"inlineData":{"mimeType":"image/png","data":"` + large +
		`"}}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2,"totalTokenCount":3}}`
	item := `{"id":"ig_1","type":"image_generation_call","status":"completed","result":"` + large + `"}`
	call := `{"model":"q","message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"write","arguments":{"text":"` + large + `"}}}]},"done":false}` +
		"\n" + `{"model":"q","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":1,"eval_count":2}` + "\n"
	for name, c := range map[string]struct{ kind, base, media, answer, path, ask, end string }{
		"an image in an event": {"gemini", "/v1beta", events, "data: " + image + "\n\n", "/v1beta/models/p/m:streamGenerateContent?alt=sse",
			`{"contents":[{"parts":[{"text":"Draw."}]}]}`, "}}\n\n"},
		"an image in a body": {"gemini", "/v1beta", "application/json", strings.Replace(image, large, strings.Repeat(large, 6), 1),
			"/v1beta/models/p/m:generateContent", `{"contents":[{"parts":[{"text":"Draw."}]}]}`, "}}"},
		"an image of the provider's own tool": {"openai_responses", "/v1", events,
			"data: " + `{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","status":"in_progress","output":[]}}` + "\n\n" +
				"data: " + `{"type":"response.output_item.done","sequence_number":1,"output_index":0,"item":` + item + "}\n\n" +
				"data: " + `{"type":"response.completed","sequence_number":2,"response":{"id":"resp_1","status":"completed","output":[` + item + `],"usage":{"input_tokens":1,"output_tokens":2}}}` + "\n\n",
			"/v1/responses", `{"model":"p/m","stream":true,"input":"Draw.","tools":[{"type":"image_generation"}]}`, "}}}\n\n"},
		"a call in a line": {"ollama", "", "application/x-ndjson", call, "/v1/messages",
			`{"model":"p/m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"Write."}],"tools":[{"name":"write","input_schema":{"type":"object"}}]}`,
			"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"},
	} {
		t.Run(name, func(t *testing.T) {
			url := answeringWith(t, c.media, c.answer)
			base := serveGateway(t, configFile(t, entry{name: "p", price: 1,
				extras: map[string]any{"kind": c.kind, "base_url": url + c.base, "default_model": "m"}}), nil)
			status, got := postTo(t, base+c.path, c.ask)
			if status != http.StatusOK || !strings.Contains(got, large) || !strings.HasSuffix(got, c.end) {
				t.Errorf("%d, %d bytes, beginning with %.300s", status, len(got), got)
			}
			if strings.HasPrefix(got, "{") && !gjson.Valid(got) {
				t.Error("the body is no JSON")
			}
		})
	}
}
