package api

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"gateway"
)

func messagesRequest(t testing.TB, body string) (*gateway.Request, *gateway.Error) {
	t.Helper()
	req := &gateway.Request{}
	return req, scanMessagesBody(&http.Request{Header: http.Header{}}, []byte(body), req)
}

// withMessages is a body with these messages and further fields.
func withMessages(messages, more string) string {
	return `{"model":"m","max_tokens":9,"messages":` + messages + more + `}`
}

const hi = `[{"role":"user","content":"hi"}]`

// What is wrong everywhere is refused with the place of it.
func TestMessagesAreChecked(t *testing.T) {
	for body, want := range map[string]string{
		`{"model":"m","messages":` + hi + `}`:                                                                        "max_tokens: Field required",
		withMessages(`[]`, ``):                                                                                       "at least one message",
		`{"max_tokens":1}`:                                                                                           "messages: Field required",
		withMessages(`[{"role":"tool","content":"x"}]`, ``):                                                          "messages.0.role",
		withMessages(`[{"role":"user"}]`, ``):                                                                        "messages.0.content",
		withMessages(`[{"role":"user","content":[{"text":"x"}]}]`, ``):                                               "messages.0.content.0.type",
		withMessages(`[{"role":"user","content":[{"type":"text"}]}]`, ``):                                            "messages.0.content.0.text",
		withMessages(`[{"role":"user","content":[7]}]`, ``):                                                          "messages.0.content.0: Input should be an object",
		withMessages(hi, `,"tools":[{"name":"f"}]`):                                                                  "tools.0.input_schema",
		withMessages(hi, `,"tools":[{"input_schema":{}}]`):                                                           "tools.0.name",
		withMessages(hi, `,"tools":[{"name":"f","input_schema":{}},{"name":"f","input_schema":{}}]`):                 "must be unique",
		withMessages(hi, `,"tool_choice":{"type":"any"}`):                                                            "while providing tools",
		withMessages(hi, `,"tools":[{"name":"f","input_schema":{}}],"tool_choice":{"type":"tool","name":"g"}`):       "'g' not found",
		withMessages(hi, `,"tool_choice":{"type":"all"}`):                                                            "tool_choice.type",
		withMessages(hi, `,"stop_sequences":[1]`):                                                                    "stop_sequences.0",
		withMessages(hi, `,"temperature":"hot"`):                                                                     `"temperature" must be a number`,
		withMessages(hi, `,"temperature":1e999`):                                                                     "out of range",
		withMessages(`[{"role":"user","content":[{"type":"image","source":{"type":"base64"}}]}]`, ``):                "media_type",
		withMessages(`[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"file:///x"}}]}]`, ``): "http(s)",
		withMessages(`[{"role":"user","content":[{"type":"tool_result"}]}]`, ``):                                     "tool_use_id",
		withMessages(hi, `,"output_config":{"format":{"type":"json_schema"}}`):                                       "output_config.format.schema",
	} {
		if _, err := messagesRequest(t, body); err == nil || err.Kind != gateway.Invalid || !strings.Contains(err.Message, want) {
			t.Errorf("%s: %v, want %q", body, err, want)
		}
	}
	for body, want := range map[string]string{
		withMessages(`[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]},{"role":"user","content":"b"}]`, ``): "before the tool call",
		withMessages(`[{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"x"}]}]`, ``):                                                              "not made just before",
	} {
		req, err := messagesRequest(t, body)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := req.Chat(); gateway.KindOf(err) != gateway.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", body, err, want)
		}
	}
}

// What only Anthropic has asks for one, and says why; what has effects there is never raced.
func TestMessagesNeeds(t *testing.T) {
	block := func(b string) string { return withMessages(`[{"role":"user","content":[`+b+`]}]`, ``) }
	for body, want := range map[string]*gateway.Request{
		withMessages(hi, `,"tools":[{"type":"web_search_20250305","name":"web_search"}]`):                          {Needs: gateway.Needs{Tools: true, Native: messagesWire}, Stateful: true},
		withMessages(hi, `,"tools":[{"type":"bash_20250124","name":"bash"}]`):                                      {Needs: gateway.Needs{Tools: true, Native: messagesWire}},
		withMessages(hi, `,"tools":[{"type":"custom","name":"f","input_schema":{}}],"tool_choice":{"type":"any"}`): {Needs: gateway.Needs{Tools: true, ToolForce: true}},
		withMessages(hi, `,"mcp_servers":[{}]`):                                                                    {Needs: gateway.Needs{Native: messagesWire}, Stateful: true},
		withMessages(hi, `,"output_config":{"format":{"type":"json_schema","schema":{}}}`):                         {Needs: gateway.Needs{JSONSchema: true}},
		withMessages(hi, `,"thinking":{"type":"enabled","budget_tokens":20000}`):                                   {DeepEffort: true},
		block(`{"type":"image","source":{"type":"base64","media_type":"image/png","data":"QQ=="}}`):                {Needs: gateway.Needs{ImageData: true}, Images: 1},
		block(`{"type":"image","source":{"type":"url","url":"https://x/y.png"}}`):                                  {Needs: gateway.Needs{ImageURL: true}, Images: 1},
		block(`{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"QQ=="}}`):       {Needs: gateway.Needs{Files: true}},
		block(`{"type":"document","source":{"type":"text","media_type":"text/plain","data":"abc"}}`):               {},
		block(`{"type":"document","source":{"type":"file","file_id":"f"}}`):                                        {Needs: gateway.Needs{Native: messagesWire}},
		block(`{"type":"something_new","x":1}`):                                                                    {Needs: gateway.Needs{Native: messagesWire}},
		`{"model":"m","max_tokens":0,"messages":` + hi + `}`:                                                       {Needs: gateway.Needs{Native: messagesWire}},
	} {
		req, err := messagesRequest(t, body)
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		if (req.Needs.NativeFor == "") != (req.Needs.Native == "") {
			t.Errorf("%s: needs %q for %q", body, req.Needs.Native, req.Needs.NativeFor)
		}
		req.Needs.NativeFor = ""
		if req.Needs != want.Needs || req.Stateful != want.Stateful || req.DeepEffort != want.DeepEffort || req.Images != want.Images {
			t.Errorf("%s: needs %+v, stateful %v, deep %v, %d images", body, req.Needs, req.Stateful, req.DeepEffort, req.Images)
		}
	}
}

// A tool loop is known by its calls since the user last spoke, and by who made its state.
func TestMessagesLoop(t *testing.T) {
	sealed := gateway.Seal(gateway.Sealed{Thinking: gateway.Thinking{Maker: "gemini", Model: "g", Signature: "s"}, Call: "c"})
	use := func(id string) string { return `{"type":"tool_use","id":"` + id + `","name":"f","input":{}}` }
	result := func(id string) string {
		return `{"role":"user","content":[{"type":"tool_result","tool_use_id":"` + id + `"},{"type":"text","text":"note"}]}`
	}
	for messages, want := range map[string]gateway.Loop{
		`[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"redacted_thinking","data":"` + sealed + `"},` + use("c") + `]},` + result("c") +
			`,{"role":"assistant","content":[` + use("d") + `]},` + result("d") + `]`: {Calls: []string{"c", "d"}, Maker: "gemini", Model: "g"},
		`[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"thinking","thinking":"x","signature":"EqoB"},` + use("c") + `]},` + result("c") + `]`:                  {Calls: []string{"c"}, Maker: "anthropic"},
		`[{"role":"user","content":"hi"},{"role":"assistant","content":[` + use("c") + `]},` + result("c") + `,{"role":"assistant","content":"done"},{"role":"user","content":"next"}]`: {},
	} {
		req, err := messagesRequest(t, withMessages(messages, ""))
		if err != nil || !reflect.DeepEqual(req.Loop, want) {
			t.Errorf("%s: %+v, %v; want %+v", messages, req.Loop, err, want)
		}
	}
}

// Each kind of content becomes what every provider can be told.
func TestMessagesContent(t *testing.T) {
	req, err := messagesRequest(t, withMessages(`[{"role":"user","content":"go"},{"role":"assistant","content":[{"type":"text","text":""},{"type":"text","text":"I call"},
		{"type":"tool_use","id":"a","name":"f","input":{"x":1.0}}]},
		{"role":"user","content":[{"type":"text","text":"before"},{"type":"tool_result","tool_use_id":"a","is_error":true,"cache_control":{"type":"ephemeral"},"content":[{"type":"text","text":"no"},
			{"type":"image","source":{"type":"base64","media_type":"image/png","data":"QQ=="}}]},
			{"type":"document","title":"T","source":{"type":"text","data":"body"}},
			{"type":"document","source":{"type":"content","content":[{"type":"text","text":"one"}]}},
			{"type":"document","source":{"type":"url","url":"https://x/y"}},
			{"type":"search_result","title":"S","source":"https://s","content":[{"type":"text","text":"found"}]}]}]`,
		`,"tool_choice":{"type":"auto","disable_parallel_tool_use":true},"tools":[{"name":"f","input_schema":{"type":"object"},"strict":true,"cache_control":{"type":"ephemeral","ttl":"1h"}}],
		"stop_sequences":["X"],"top_k":5,"temperature":0.30,"metadata":{"user_id":"u"},"output_config":{"effort":"xhigh"}`))
	if err != nil {
		t.Fatal(err)
	}
	chat, derr := req.Chat()
	if derr != nil {
		t.Fatal(derr)
	}
	one := false
	want := &gateway.Chat{MaxTokens: 9, Temperature: "0.30", TopK: "5", Stop: []string{"X"}, User: "u", Effort: "xhigh", Thoughts: true, ParallelTools: &one,
		ToolChoice: gateway.ToolChoice{Mode: "auto"}, Tools: []gateway.Tool{{Name: "f", Parameters: json.RawMessage(`{"type":"object"}`), Strict: true, Cache: "1h"}},
		Messages: []gateway.Message{
			{Speaker: gateway.User, Parts: []gateway.Part{{Text: "go"}}},
			{Speaker: gateway.Assistant, Parts: []gateway.Part{{Text: "I call"}}, ToolCalls: []gateway.ToolCall{{ID: "a", Name: "f", Arguments: `{"x":1.0}`}}},
			{Speaker: gateway.ToolSays, ToolCallID: "a", IsError: true, Parts: []gateway.Part{{Text: "no"}, {Kind: gateway.ImagePart, MIME: "image/png", Data: "QQ==", Cache: "5m"}}},
			{Speaker: gateway.User, Parts: []gateway.Part{{Text: "before"}, {Text: "T\n\nbody"}, {Text: "one"},
				{Kind: gateway.FilePart, URL: "https://x/y", MIME: "application/pdf"}, {Text: "S\n\nhttps://s\n\nfound"}}},
		}}
	if !reflect.DeepEqual(chat, want) {
		t.Errorf("\n got %+v\nwant %+v", chat, want)
	}
}

// A body is judged the same way each time, and one that was taken is the client's fault
// at most.
func FuzzMessagesBody(f *testing.F) {
	f.Add([]byte(withMessages(hi, `,"system":[{"type":"text","text":"x"}],"tools":[{"name":"f","input_schema":{}}]`)))
	f.Add([]byte(withMessages(`[{"role":"assistant","content":[{"type":"thinking","signature":"gw1.a.b.c.d.e"},{"type":"tool_use","id":"a","name":"f"}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[{"type":"image","source":{"type":"url","url":"http://x"}}]}]}]`, ``)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		req := &gateway.Request{}
		if err := scanMessagesBody(&http.Request{Header: http.Header{}}, raw, req); err != nil {
			if p := problemOf(err); p.messagesEdge().status < 400 || p.messagesEdge().status > 499 {
				t.Fatalf("%v for a malformed body", err)
			}
			return
		}
		if !json.Valid(raw) {
			t.Fatal("accepted what is not JSON")
		}
		one, err1 := decodeMessages(raw)
		two, err2 := decodeMessages(raw)
		if (err1 == nil) != (err2 == nil) || !reflect.DeepEqual(one, two) {
			t.Fatal("decodes differently the second time")
		}
		if err1 != nil && problemOf(err1).status >= 500 {
			t.Fatalf("%v for a body that was accepted", err1)
		}
	})
}
