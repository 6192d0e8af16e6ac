package api

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"gateway"
	"gateway/internal/grammar"
)

const citation = `{"type":"url_citation","start_index":0,"end_index":2,"url":"https://a.example/","title":"A"}`

// Sources that a provider of Chat Completions names are annotations of the text.
func TestResponsesTellSources(t *testing.T) {
	list := []byte(`[{"type":"url_citation","url_citation":{"start_index":0,"end_index":2,"url":"https://a.example/","title":"A"}},{"type":"other"}]`)
	chunks := []gateway.Chunk{{Text: "ok"}, {Annotations: list}, {Annotations: list}, finished(gateway.FinishStop)}
	_, body := streamed(t, chunks, io.EOF)
	if n := strings.Count(body, "event: response.output_text.annotation.added\n"); n != 2 {
		t.Errorf("%d events of sources:\n%s", n, body)
	}
	srv := serve(t, answers(chunks, io.EOF), nil)
	_, whole := post(t, srv, "/v1/responses", `{"model":"auto","input":"Hi"}`)
	if got, want := gjson.Get(whole, "output.0.content.0.annotations").Raw, "["+citation+","+citation+"]"; got != want {
		t.Errorf("annotations are %s, want %s", got, want)
	}
	early := []gateway.Chunk{{Annotations: list}, {Text: "ok"}, finished(gateway.FinishStop)}
	_, body = streamed(t, early, io.EOF)
	if _, err := grammar.Responses(body); err != nil || strings.Count(body, `"annotation":`+citation) != 1 ||
		strings.Index(body, "annotation.added") < strings.Index(body, "output_text.delta") {
		t.Errorf("sources before the text: %v\n%s", err, body)
	}
	if !strings.Contains(body, `"text":"ok","annotations":[`+citation+`]`) {
		t.Errorf("the whole part is without:\n%s", body)
	}
}

// The offsets of Chat Completions go on where a call has cut the text in two; here they
// begin anew with each part.
func TestResponsesSourcesOfASecondText(t *testing.T) {
	list := []byte(`[{"type":"url_citation","url_citation":{"start_index":3,"end_index":5,"url":"https://a.example/","title":"A"}},` +
		`{"type":"url_citation","url_citation":{"start_index":0,"end_index":2,"url":"https://b.example/","title":"B"}}]`)
	chunks := []gateway.Chunk{{Text: "é1 "}, {Tools: []gateway.ToolDelta{{ID: "c", Name: "f", Arguments: "{}"}}}, {Annotations: list}, {Text: "ok"}, finished(gateway.FinishStop)}
	_, body := streamed(t, chunks, io.EOF)
	if _, err := grammar.Responses(body); err != nil || strings.Count(body, "event: response.output_text.annotation.added\n") != 1 || !strings.Contains(body, `"annotation":`+citation) {
		t.Errorf("%v\n%s", err, body)
	}
}

// A search that only OpenAI runs is left out with a word for the receipt, and how much to
// say is read.
func TestResponsesLeaveOutASearch(t *testing.T) {
	_, chat := scanned(t, `{"input":"x","text":{"verbosity":"low"},"tools":[{"type":"function","name":"f"},{"type":"web_search_preview"}]}`)
	if len(chat.Tools) != 1 || !strings.Contains(chat.LeftOut, `"web_search_preview"`) || chat.Verbosity != "low" {
		t.Errorf("%+v", chat)
	}
	// What OpenAI searched in earlier turns comes back with the next, wherever that goes.
	_, chat = scanned(t, `{"input":[{"role":"user","content":"x"},{"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"q"}},`+
		`{"type":"web_search_call","id":"ws_2","status":"completed"},{"role":"assistant","content":"found"},{"role":"user","content":"more"}],`+
		`"tools":[{"type":"function","name":"f"},{"type":"web_search"}]}`)
	if len(chat.Messages) != 3 || chat.Messages[1].Parts[0].Text != "found" ||
		chat.LeftOut != `earlier searches of OpenAI's own servers were left out; the tool "web_search", which OpenAI's own servers run, was left out` {
		t.Errorf("%+v", chat)
	}
	if _, chat := scanned(t, `{"input":"x","tools":[{"type":"function","name":"f"}]}`); chat.LeftOut != "" {
		t.Errorf("nothing was left out, and told is %q", chat.LeftOut)
	}
}

// A tool that gave null gave nothing.
func TestMessagesTakeAResultOfNull(t *testing.T) {
	for _, content := range []string{``, `,"content":null`, `,"content":""`, `,"content":[]`} {
		req := &gateway.Request{}
		body := withMessages(`[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"tool_use","id":"c","name":"f","input":{}}]},`+
			`{"role":"user","content":[{"type":"tool_result","tool_use_id":"c"`+content+`}]}]`, ``)
		if err := scanMessagesBody(httptest.NewRequestWithContext(t.Context(), "POST", "/v1/messages", nil), []byte(body), req); err != nil {
			t.Errorf("%s: %v", content, err)
			continue
		}
		chat, err := req.Chat()
		if err != nil || len(chat.Messages) != 3 || chat.Messages[2].ToolCallID != "c" {
			t.Errorf("%s: %v", content, err)
		}
	}
}
