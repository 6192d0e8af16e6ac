package providers

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"gateway"
)

// responsesServer answers with each of answers in turn and keeps what it was sent.
func responsesServer(t *testing.T, answers ...answered) (*responses, *[]string) {
	t.Helper()
	bodies := &[]string{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*bodies = append(*bodies, string(body))
		a := answers[min(len(*bodies), len(answers))-1]
		if r.URL.Path != "/v1/responses" || r.Header.Get("Authorization") != "Bearer sk-1" {
			a.status = http.StatusTeapot
		}
		w.Header().Set("Content-Type", a.kind)
		w.WriteHeader(a.status)
		io.WriteString(w, a.body)
	}))
	t.Cleanup(srv.Close)
	return responsesAdapter(Settings{BaseURL: srv.URL + "/v1", Key: "sk-1", Client: NewClient(), State: NewState(8, time.Minute)}), bodies
}

func responsesOpen(t *testing.T, a *responses, call *gateway.Call) (*gateway.Completion, error) {
	t.Helper()
	s, err := a.Open(t.Context(), call)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return gateway.Collect(s)
}

func events(t *testing.T, name string) answered {
	return answered{200, "text/event-stream", string(responsesFixture(t, name))}
}

func TestWholeResponses(t *testing.T) {
	a, bodies := responsesServer(t, answered{200, "application/json", string(fixture(t, "openai-responses/response.text.json"))}, events(t, "text"))
	for range 2 { // the second time the server streams although it was asked not to
		call := claudeCall("gpt-5-pro", &gateway.Chat{Messages: said("Hi")})
		call.Plain = true
		got, err := responsesOpen(t, a, call)
		if err != nil {
			t.Fatal(err)
		}
		c := got.Choices[0]
		if c.Text != "Hi there." || c.Reasoning != "Greeting." || c.Finish != "stop" || len(c.Thinking) != 1 || got.Usage != responsesCounts || got.Meta.ID != "resp_Fx1" {
			t.Errorf("%+v", got)
		}
	}
	if gjson.Get((*bodies)[0], "stream").Raw != "false" {
		t.Errorf("%s", (*bodies)[0])
	}
	for body, kind := range map[string]gateway.Kind{
		`{"error":{"code":"server_is_overloaded"}}`:                  gateway.Overloaded,
		`{"status":"failed","error":{"code":"rate_limit_exceeded"}}`: gateway.RateLimited,
		`{"status":"failed","error":null}`:                           gateway.Unavailable,
		`{"status":"in_progress","output":[]}`:                       gateway.BadAnswer,
		`<html>`:                                                     gateway.BadAnswer,
	} {
		if failure := responsesReader(strings.NewReader(""), responsesAsk{}).body([]byte(body)); failure == nil || failure.Kind != kind {
			t.Errorf("%s: %v", body, failure)
		}
	}
}

func responsesRelay(raw string) *gateway.Call {
	return &gateway.Call{Model: &gateway.Model{Provider: "p", Name: "gpt-5-codex"},
		Request: &gateway.Request{Wire: responsesWire, Raw: []byte(raw)}}
}

// Bodies of this format pass byte for byte but for the model and the stream.
func TestResponsesBodiesAreRelayed(t *testing.T) {
	for _, name := range []string{"simple", "codex_like", "previous"} {
		raw := string(fixture(t, "openai-responses/request."+name+".json"))
		a, bodies := responsesServer(t, events(t, "tools"))
		if _, err := responsesOpen(t, a, responsesRelay(raw)); err != nil {
			t.Fatal(err)
		}
		want := strings.Replace(raw, `"gateway-auto"`, `"gpt-5-codex"`, 1)
		if !strings.Contains(want, `"stream"`) {
			end := strings.LastIndexByte(want, '}')
			want = want[:end] + `,"stream":true` + want[end:]
		}
		if (*bodies)[0] != want {
			t.Errorf("%s changed: %s", name, (*bodies)[0])
		}
	}
	for _, c := range []struct{ raw, want string }{
		{`{"model":"a", "x" : 1e400}`, `{"model":"gpt-5-codex", "x" : 1e400,"stream":true,"max_output_tokens":8}`},
		{`{"stream":false,"model":"a","max_output_tokens":9}`, `{"stream":true,"model":"gpt-5-codex","max_output_tokens":8}`},
		{`{"max_output_tokens":null}`, `{"max_output_tokens":8,"model":"gpt-5-codex","stream":true}`},
		{`{"max_output_tokens":7}`, `{"max_output_tokens":7,"model":"gpt-5-codex","stream":true}`},
	} {
		call := responsesRelay(c.raw)
		call.MaxTokens = 8
		if ask, err := responsesAdapter(Settings{}).ask(call, false); err != nil || string(ask.body) != c.want {
			t.Errorf("%s: %v\n got %s\nwant %s", c.raw, err, ask.body, c.want)
		}
	}
}

func responsesBody(t testing.TB, model string, chat *gateway.Chat) string {
	t.Helper()
	ask, err := responsesAdapter(Settings{}).translate(claudeCall(model, chat), false)
	if err != nil {
		t.Fatal(err)
	}
	return string(ask.body)
}

func TestNormalFormBecomesAResponsesBody(t *testing.T) {
	alone := false
	chat := &gateway.Chat{MaxTokens: 500, Temperature: "0.2", Effort: "minimal", User: "u", ParallelTools: &alone, ToolChoice: gateway.ToolChoice{Mode: "named", Name: "f"},
		Tools:  []gateway.Tool{{Name: "f", Description: "d", Parameters: json.RawMessage(`{"type":"object"}`), Strict: true}, {Name: "g"}},
		Format: gateway.Format{Mode: "json_schema", Name: "n", Schema: json.RawMessage(`{"type":"object"}`), Strict: true},
		Messages: []gateway.Message{
			{Speaker: gateway.System, Parts: texts("Be brief.")},
			{Speaker: gateway.User, Parts: []gateway.Part{{Text: "See"}, {Kind: gateway.ImagePart, MIME: "image/png", Data: "QQ==", Detail: "low"},
				{Kind: gateway.ImagePart, URL: "https://a.example/b.png"}, {Kind: gateway.FilePart, MIME: "application/pdf", Data: "QQ==", Name: "a.pdf"}, {Kind: gateway.FilePart, FileID: "file-1"}}},
			{Speaker: gateway.Assistant, Parts: texts("Looking."), ToolCalls: []gateway.ToolCall{{ID: "call_1", Name: "f", Arguments: `{"a":1}`}, {ID: "call_2", Name: "g"}},
				Thinking: []gateway.Thinking{{Maker: "openai", Model: "gpt-5.1", Text: "hm", Signature: "U2ln"}, {Maker: "openai", Model: "other", Signature: "x"}, {Maker: "anthropic", Signature: "y"}}},
			{Speaker: gateway.ToolSays, ToolCallID: "call_1", Parts: texts("out")},
			{Speaker: gateway.ToolSays, ToolCallID: "call_2", Parts: []gateway.Part{{Text: "a"}, {Text: "b"}}},
			{Speaker: gateway.Assistant, Refusal: "no"},
		}}
	want := `{"model":"gpt-5.1","input":[{"type":"message","role":"developer","content":[{"type":"input_text","text":"Be brief."}]},` +
		`{"type":"message","role":"user","content":[{"type":"input_text","text":"See"},{"type":"input_image","image_url":"data:image/png;base64,QQ==","detail":"low"},` +
		`{"type":"input_image","image_url":"https://a.example/b.png"},{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,QQ=="},{"type":"input_file","file_id":"file-1"}]},` +
		`{"type":"reasoning","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"U2ln"},` +
		`{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Looking."}]},` +
		`{"type":"function_call","call_id":"call_1","name":"f","arguments":"{\"a\":1}"},{"type":"function_call","call_id":"call_2","name":"g","arguments":"{}"},` +
		`{"type":"function_call_output","call_id":"call_1","output":"out"},` +
		`{"type":"function_call_output","call_id":"call_2","output":[{"type":"input_text","text":"a"},{"type":"input_text","text":"b"}]},` +
		`{"type":"message","role":"assistant","content":[{"type":"refusal","refusal":"no"}]}],` +
		`"tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object"},"strict":true},{"type":"function","name":"g","parameters":{"type":"object","properties":{}},"strict":false}],` +
		`"tool_choice":{"type":"function","name":"f"},"parallel_tool_calls":false,` +
		`"text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"},"strict":true}},` +
		`"reasoning":{"effort":"low"},"include":["reasoning.encrypted_content"],"max_output_tokens":500,"user":"u","store":false,"stream":true}`
	if got := responsesBody(t, "gpt-5.1", chat); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	plain := &gateway.Chat{Messages: []gateway.Message{{Speaker: gateway.System, Parts: texts("s")}}, Temperature: "0.2", TopP: "0.9", Format: gateway.Format{Mode: "json_object"},
		Tools: []gateway.Tool{{Name: "f"}}, ToolChoice: gateway.ToolChoice{Allowed: []string{"f"}}}
	want = `{"model":"gpt-4.1","input":[{"type":"message","role":"system","content":[{"type":"input_text","text":"s"}]}],` +
		`"tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{}},"strict":false}],"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"}]},` +
		`"text":{"format":{"type":"json_object"}},"temperature":0.2,"top_p":0.9,"store":false,"stream":true}`
	if got := responsesBody(t, "gpt-4.1", plain); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

func TestWhatResponsesCannotDoIsUnsupported(t *testing.T) {
	for name, chat := range map[string]*gateway.Chat{
		"n":        {N: 2},
		"logprobs": {Logprobs: true},
		"stop":     {Stop: []string{"x"}},
		"audio":    {Messages: []gateway.Message{{Speaker: gateway.User, Parts: []gateway.Part{{Kind: gateway.AudioPart, Data: "QQ=="}}}}},
	} {
		if _, err := responsesAdapter(Settings{}).translate(claudeCall("gpt-5", chat), false); gateway.KindOf(err) != gateway.Unsupported {
			t.Errorf("%s: %v", name, err)
		}
	}
	call := claudeCall("gpt-5", &gateway.Chat{})
	call.Prefill = "so"
	if _, err := responsesAdapter(Settings{}).translate(call, false); gateway.KindOf(err) != gateway.Unsupported {
		t.Error(err)
	}
	if _, err := responsesAdapter(Settings{}).Embed(t.Context(), call); gateway.KindOf(err) != gateway.Unsupported {
		t.Error(err)
	}
}

// Reasoning before a call comes back to the same model and client, and to no other.
func TestEncryptedReasoningGoesBackWithTheResults(t *testing.T) {
	sealed := `data: {"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","summary":[],"encrypted_content":"U2ln"}}` + "\n\n"
	raw := strings.ReplaceAll(string(responsesFixture(t, "tools")), `"output_index":0`, `"output_index":1`)
	a, bodies := responsesServer(t, answered{200, "text/event-stream", sealed + raw})
	if _, err := responsesOpen(t, a, claudeCall("gpt-5", &gateway.Chat{Messages: said("ls")})); err != nil {
		t.Fatal(err)
	}
	second := &gateway.Chat{Messages: append(said("ls"),
		gateway.Message{Speaker: gateway.Assistant, ToolCalls: []gateway.ToolCall{{ID: "call_a", Name: "shell", Arguments: "{}"}}},
		gateway.Message{Speaker: gateway.ToolSays, ToolCallID: "call_a", Parts: texts("x")})}
	stranger := claudeCall("gpt-5", second)
	stranger.Request.Key = "stranger"
	for i, call := range []*gateway.Call{claudeCall("gpt-5", second), claudeCall("gpt-5.1", second), stranger} {
		if _, err := responsesOpen(t, a, call); err != nil {
			t.Fatal(err)
		}
		got := gjson.Get((*bodies)[i+1], "input.1")
		if has := got.Get("type").Str == "reasoning" && got.Get("encrypted_content").Str == "U2ln"; has != (i == 0) {
			t.Errorf("call %d: %s", i, got.Raw)
		}
	}
}

func TestRefusedReasoningIsLeftOutOnce(t *testing.T) {
	no := func(param, code string) answered {
		return answered{400, "application/json", `{"error":{"type":"invalid_request_error","message":"no","param":"` + param + `","code":"` + code + `"}}`}
	}
	chat := &gateway.Chat{Messages: said("Hi"), Effort: "none"}
	a, bodies := responsesServer(t, no("reasoning.effort", "unsupported_value"), events(t, "text"))
	sent := 0
	call := claudeCall("gpt-6-luna", chat)
	call.OnSent = func() { sent++ }
	told := ""
	call.OnDowngrade = func(what string) { told += what + ";" }
	if _, err := responsesOpen(t, a, call); err != nil || len(*bodies) != 2 || gjson.Get((*bodies)[1], "reasoning").Exists() || sent != 1 ||
		told != "the reasoning effort was refused and left out;" {
		t.Errorf("%v, %v, sent %d times, told %q", err, *bodies, sent, told)
	}
	for _, c := range []struct {
		refusal answered
		asked   int
		kind    gateway.Kind
	}{
		{no("reasoning.effort", "unsupported_value"), 2, gateway.Unsupported},
		{no("max_output_tokens", "integer_below_min_value"), 1, gateway.Unsupported},
		{no("input[0].content", "invalid_value"), 1, gateway.Invalid},
		{answered{429, "application/json", `{"error":{"code":"rate_limit_exceeded"}}`}, 1, gateway.RateLimited},
	} {
		a, bodies := responsesServer(t, c.refusal)
		if _, err := responsesOpen(t, a, claudeCall("gpt-5.1", chat)); gateway.KindOf(err) != c.kind || len(*bodies) != c.asked {
			t.Errorf("%s: %v after %d", c.refusal.body, err, len(*bodies))
		}
	}
}

// What another account encrypted costs a relayed request its earlier reasoning, not its
// answer: it is sent once more without, and else as it came.
func TestRelayedReasoningThatIsRefusedIsLeftOut(t *testing.T) {
	refuses := func(rest string) answered {
		return answered{400, "application/json", `{"error":{"type":"invalid_request_error",` + rest + `}}`}
	}
	no := refuses(`"message":"The encrypted content could not be verified.","code":"invalid_encrypted_content"`)
	thought := `{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAA"}`
	call := `{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}, {"type":"function_call_output","call_id":"c","output":""}`
	body := func(items string) string {
		return `{"model":"m", "include":["reasoning.encrypted_content"],"input":[{"role":"user","content":"go"}` + items + `],"stream":true}`
	}
	for _, c := range []struct {
		refusal    answered
		raw, again string
		told       int
	}{
		{no, body("," + thought + "," + call), body("," + strings.Replace(call, ", ", ",", 1)), 1},
		{refuses(`"message":"Item 'rs_1' of type 'reasoning' was provided without its required following item.","param":"input"`),
			body("," + thought + "," + call), body("," + strings.Replace(call, ", ", ",", 1)), 1},
		{no, body("," + call), "", 0}, // nothing to leave out
		// the effort would be refused again
		{refuses(`"message":"Invalid value: 'bogus'. Supported values are: 'low'.","param":"reasoning.effort","code":"invalid_value"`), body("," + thought + "," + call), "", 0},
		{refuses(`"message":"no","param":"input[0].content","code":"invalid_value"`), body("," + thought + "," + call), "", 0},
	} {
		a, bodies := responsesServer(t, c.refusal, events(t, "text"))
		told := 0
		one := &gateway.Call{Model: &gateway.Model{Name: "m", Kind: responsesKind}, OnDowngrade: func(string) { told++ },
			Request: &gateway.Request{Wire: responsesWire, Raw: []byte(c.raw)}}
		_, err := responsesOpen(t, a, one)
		if (err == nil) != (c.again != "") || told != c.told || (*bodies)[0] != c.raw || len(*bodies) != 1+c.told {
			t.Fatalf("%v, told %d times: %v", err, told, *bodies)
		}
		if c.again != "" && (*bodies)[1] != c.again {
			t.Errorf("sent again was\n%s\nwant\n%s", (*bodies)[1], c.again)
		}
	}
}

func FuzzResponsesTranslate(f *testing.F) {
	for _, n := range []string{"1.basic", "2.tools", "3.schema"} {
		f.Add(fixture(f, "translate/"+n+".openai.json"))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		chat, err := readChat(raw)
		if err != nil {
			return
		}
		for _, model := range []string{"gpt-4.1", "gpt-5-pro", "gpt-5.6"} {
			ask, err := responsesAdapter(Settings{}).translate(claudeCall(model, chat), false)
			if err != nil {
				if k := gateway.KindOf(err); k != gateway.Unsupported && k != gateway.Invalid {
					t.Fatal(err)
				}
				continue
			}
			if !gjson.ValidBytes(ask.body) {
				t.Fatalf("not JSON: %s", ask.body)
			}
			b := gjson.ParseBytes(ask.body)
			if b.Get("model").Str != model || b.Get("store").Raw != "false" || !b.Get("input").IsArray() {
				t.Fatalf("%s", ask.body)
			}
			for _, item := range b.Get("input").Array() {
				if item.Get("type").Str == "" || item.Get("content").Exists() && len(item.Get("content").Array()) == 0 {
					t.Fatalf("an empty item: %s", ask.body)
				}
			}
		}
	})
}

func TestResponsesAreToldThatAToolFailed(t *testing.T) {
	chat := &gateway.Chat{Messages: []gateway.Message{
		{Speaker: gateway.User, Parts: []gateway.Part{{Text: "go"}}},
		{Speaker: gateway.Assistant, ToolCalls: []gateway.ToolCall{{ID: "a", Name: "f", Arguments: "{}"}}},
		{Speaker: gateway.ToolSays, ToolCallID: "a", IsError: true, Parts: []gateway.Part{{Text: "exit status 1"}}},
	}}
	ask, err := responsesAdapter(Settings{}).translate(claudeCall("gpt-5", chat), false)
	if err != nil || !strings.Contains(string(ask.body), "Error:") {
		t.Errorf("%s, %v", ask.body, err)
	}
}
