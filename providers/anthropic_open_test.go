package providers

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"gateway"
)

// messagesServer answers with each of answers in turn and keeps what it was sent.
type messagesServer struct {
	*httptest.Server
	answers []answered
	bodies  []string
	headers []http.Header
	from    []string // the clients' ends of the connections
}

type answered struct {
	status int
	kind   string
	body   string
}

func serveMessages(t *testing.T, answers ...answered) *messagesServer {
	t.Helper()
	m := &messagesServer{answers: answers}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		m.bodies, m.headers = append(m.bodies, string(body)), append(m.headers, r.Header)
		m.from = append(m.from, r.RemoteAddr)
		a := m.answers[min(len(m.bodies), len(m.answers))-1]
		if r.URL.Path != "/v1/messages" {
			a.status = http.StatusTeapot
		}
		w.Header().Set("Content-Type", a.kind)
		w.WriteHeader(a.status)
		io.WriteString(w, a.body)
	}))
	t.Cleanup(m.Close)
	return m
}

func (m *messagesServer) open(t *testing.T, call *gateway.Call) (*gateway.Completion, error) {
	t.Helper()
	s, err := claude(Settings{BaseURL: m.URL, Key: "sk-ant-1", Client: NewClient()}).Open(t.Context(), call)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return gateway.Collect(s)
}

func stream(t *testing.T, name string) answered {
	return answered{200, "text/event-stream", string(fixture(t, "anthropic/stream."+name+".sse"))}
}

func refused(message string) answered {
	return answered{400, "application/json", `{"type":"error","error":{"type":"invalid_request_error","message":` + quoted(message) + `}}`}
}

func TestMessagesAreOpened(t *testing.T) {
	m := serveMessages(t, stream(t, "text"))
	sent := 0
	call := claudeCall("claude-opus-5", &gateway.Chat{Messages: said("hi")})
	call.OnSent = func() { sent++ }
	got, err := m.open(t, call)
	if err != nil || got.Choices[0].Text != "Air scatters blue light more than red light." || sent != 1 {
		t.Errorf("%+v, %v, sent %d", got, err, sent)
	}
	if h := m.headers[0]; h.Get("X-Api-Key") != "sk-ant-1" || h.Get("Anthropic-Version") != "2023-06-01" || h.Get("Authorization") != "" {
		t.Errorf("%v", h)
	}
	oauth := claude(Settings{BaseURL: m.URL + "/v1", Key: "sk-ant-oat01-x"})
	if oauth.header.Get("Authorization") != "Bearer sk-ant-oat01-x" || oauth.header.Get("X-Api-Key") != "" || oauth.url != m.URL+"/v1/messages" {
		t.Errorf("%v %s", oauth.header, oauth.url)
	}
}

func TestWholeBodiesAreTaken(t *testing.T) {
	whole := answered{200, "application/json", string(fixture(t, "anthropic/messages.text.response.json"))}
	for name, a := range map[string]answered{"plain": whole, "events under a wrong type": {200, "application/json", stream(t, "text").body}} {
		call := claudeCall("claude-opus-5", &gateway.Chat{Messages: said("hi")})
		call.Plain = name == "plain"
		m := serveMessages(t, a)
		got, err := m.open(t, call)
		if err != nil || got.Choices[0].Text != "Air scatters blue light more than red light." || got.Usage.Output != 42 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if streams := gjson.Get(m.bodies[0], "stream").Bool(); streams == call.Plain {
			t.Errorf("%s: %s", name, m.bodies[0])
		}
	}
	m := serveMessages(t, answered{200, "application/json", `{"type":"error","error":{"type":"overloaded_error","message":"x"}}`})
	if _, err := m.open(t, claudeCall("m", &gateway.Chat{Messages: said("hi")})); gateway.KindOf(err) != gateway.Overloaded {
		t.Errorf("%v", err)
	}
}

func TestRefusedThinkingIsAskedForOnceWithout(t *testing.T) {
	lost := []gateway.Message{said("q")[0], {Speaker: gateway.Assistant, ToolCalls: []gateway.ToolCall{{ID: "c1", Name: "f"}}}, {Speaker: gateway.ToolSays, ToolCallID: "c1"}}
	chat := &gateway.Chat{Messages: lost, Effort: "max", Tools: []gateway.Tool{{Name: "f"}}}
	blames := refused("messages.1.content.0.type: Expected `thinking`, but found `tool_use`.")
	m := serveMessages(t, blames, stream(t, "text"))
	call := claudeCall("claude-opus-5", chat)
	sent := 0
	call.OnSent = func() { sent++ }
	if got, err := m.open(t, call); err != nil || got.Choices[0].Finish != gateway.FinishStop || sent != 1 {
		t.Fatalf("%v, sent %d", err, sent)
	}
	if gjson.Get(m.bodies[0], "thinking").Exists() || gjson.Get(m.bodies[1], "thinking").Raw != `{"type":"disabled"}` || gjson.Get(m.bodies[1], "output_config.effort").Str != "high" {
		t.Errorf("\n%s\n%s", m.bodies[0], m.bodies[1])
	}
	m = serveMessages(t, blames)
	if _, err := m.open(t, claudeCall("claude-opus-5", chat)); gateway.KindOf(err) != gateway.Unsupported || len(m.bodies) != 2 {
		t.Errorf("after %d tries: %v", len(m.bodies), err)
	}
	m = serveMessages(t, refused("messages.0.content: Field required"))
	if _, err := m.open(t, claudeCall("claude-opus-5", chat)); gateway.KindOf(err) != gateway.Invalid || len(m.bodies) != 1 {
		t.Errorf("after %d tries: %v", len(m.bodies), err)
	}
}

func TestMessagesErrorsAreClassified(t *testing.T) {
	want := map[string]gateway.Kind{
		"400.context_length": gateway.ContextLength, "400.credit_too_low": gateway.ProviderBilling, "400.invalid": gateway.Invalid,
		"400.orphan_tool_use": gateway.Invalid, "400.sampling": gateway.Unsupported, "400.spend_limit": gateway.ProviderBilling,
		"401.auth": gateway.ProviderAuth, "402.billing": gateway.ProviderBilling, "403.permission": gateway.ProviderAuth,
		"404.model": gateway.Unsupported, "413.too_large": gateway.Invalid, "429.enforced_spend_limit": gateway.ProviderBilling,
		"429.ramp_limit": gateway.RateLimited, "429.rate_limit": gateway.RateLimited, "500.api_error": gateway.Unavailable,
		"504.timeout": gateway.Unavailable, "529.overloaded": gateway.Overloaded,
	}
	names, err := filepath.Glob("testdata/anthropic/errors/*.http.json")
	if err != nil || len(names) != len(want) {
		t.Fatalf("%d fixtures, %v", len(names), err)
	}
	for name, kind := range want {
		f := fixture(t, "anthropic/errors/"+name+".http.json")
		m := serveMessages(t, answered{int(gjson.GetBytes(f, "status").Int()), "application/json", gjson.GetBytes(f, "body").Raw})
		if _, err := m.open(t, claudeCall("claude-opus-5", &gateway.Chat{Messages: said("hi")})); gateway.KindOf(err) != kind {
			t.Errorf("%s: %v, want %v", name, err, kind)
		}
	}
}

func relayCall(raw string) *gateway.Call {
	return &gateway.Call{Model: &gateway.Model{Provider: "p", Name: "claude-opus-5"},
		Request: &gateway.Request{Wire: messagesWire, Raw: []byte(raw),
			Forward: map[string]string{"anthropic-version": "2026-10-21", "anthropic-beta": "a,b"}}}
}

func TestMessagesBodiesAreRelayed(t *testing.T) {
	raw := string(fixture(t, "anthropic/ingress.agent.request.json"))
	m := serveMessages(t, stream(t, "tools"))
	if _, err := m.open(t, relayCall(raw)); err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(raw, `"claude-sonnet-5-5"`, `"claude-opus-5"`, 1); strings.TrimSpace(m.bodies[0]) != strings.TrimSpace(want) {
		t.Errorf("changed: %s", m.bodies[0])
	}
	if h := m.headers[0]; h.Get("Anthropic-Version") != "2026-10-21" || h.Get("Anthropic-Beta") != "a,b" || h.Get("X-Api-Key") != "sk-ant-1" {
		t.Errorf("%v", h)
	}
	m = serveMessages(t, refused("`temperature` may not be set"))
	if _, err := m.open(t, relayCall(raw)); gateway.KindOf(err) != gateway.Invalid {
		t.Errorf("the client's own fault is called ours: %v", err)
	}
}

func TestRelayReplacesLittle(t *testing.T) {
	for _, c := range []struct {
		raw, want string
		bound     int
		plain     bool
	}{
		{`{ "max_tokens" : 9, "x":{"model":"in"}, "model" :"a" , "stream": false, "y": 1e400}`,
			`{ "max_tokens" : 9, "x":{"model":"in"}, "model" :"claude-opus-5" , "stream": true, "y": 1e400}`, 0, false},
		{`{"model":"a","max_tokens":9}`, `{"model":"claude-opus-5","max_tokens":9,"stream":true}`, 9, false},
		{`{"model":"a","max_tokens":9,"stream":true}`, `{"model":"claude-opus-5","max_tokens":8,"stream":false}`, 8, true},
		{`{"model":"a"}`, `{"model":"claude-opus-5"}`, 0, true},
		{`{}`, `{"model":"claude-opus-5","stream":true}`, 0, false},
	} {
		call := relayCall(c.raw)
		call.MaxTokens, call.Plain = c.bound, c.plain
		if got, err := splicedBody(call, call.Request.Raw, "max_tokens"); err != nil || string(got) != c.want {
			t.Errorf("%s:\n got %s, %v\nwant %s", c.raw, got, err, c.want)
		}
	}
	for _, raw := range []string{``, `[]`, `{"a"`, `{"a":1`, `{"a":}`} {
		if got, err := splicedBody(relayCall(raw), []byte(raw), "max_tokens"); gateway.KindOf(err) != gateway.Invalid {
			t.Errorf("%s: %s, %v", raw, got, err)
		}
	}
}

func TestWhatMessagesCannotDoIsUnsupported(t *testing.T) {
	file := func(p gateway.Part) []gateway.Message {
		return []gateway.Message{{Speaker: gateway.User, Parts: []gateway.Part{p}}}
	}
	prefilled := claudeCall("claude-opus-5", &gateway.Chat{Messages: said("hi")})
	prefilled.Prefill = "so far"
	for name, call := range map[string]*gateway.Call{
		"many":           claudeCall("claude-haiku-4-5", &gateway.Chat{Messages: said("hi"), N: 2}),
		"logprobs":       claudeCall("claude-haiku-4-5", &gateway.Chat{Messages: said("hi"), Logprobs: true}),
		"audio":          claudeCall("claude-haiku-4-5", &gateway.Chat{Messages: file(gateway.Part{Kind: gateway.AudioPart, Data: "QQ=="})}),
		"zip":            claudeCall("claude-haiku-4-5", &gateway.Chat{Messages: file(gateway.Part{Kind: gateway.FilePart, MIME: "application/zip", Data: "QQ=="})}),
		"file id":        claudeCall("claude-haiku-4-5", &gateway.Chat{Messages: file(gateway.Part{Kind: gateway.FilePart, FileID: "file-1"})}),
		"last assistant": claudeCall("claude-opus-5", &gateway.Chat{Messages: said("hi", "ho")}),
		"prefill":        prefilled,
	} {
		if _, err := claude(Settings{}).ask(call, false); gateway.KindOf(err) != gateway.Unsupported {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := claude(Settings{}).Embed(t.Context(), testCall())
	var e *gateway.Error
	if !errors.As(err, &e) || e.Kind != gateway.Unsupported {
		t.Errorf("%v", err)
	}
}

func TestShapedAnswers(t *testing.T) {
	format := gateway.Format{Mode: "json_schema", Name: "person", Schema: json.RawMessage(`{"type":"object","properties":{"a":{"type":"integer","minimum":0,"description":"Age"}}}`)}
	old := claudeCall("claude-3-5-sonnet-20241022", &gateway.Chat{Messages: said("hi"), Format: format})
	ask, err := claude(Settings{}).translate(old, false)
	if err != nil || ask.answerTool != "json_answer" || gjson.GetBytes(ask.body, "tool_choice").Raw != `{"type":"tool","name":"json_answer"}` {
		t.Errorf("%+v, %v", ask, err)
	}
	const schema = `{"type":"object","properties":{"a":{"type":"integer","description":"Age\nminimum: 0"}},"additionalProperties":false}`
	if got := gjson.GetBytes(ask.body, "tools.0.input_schema").Raw; got != schema {
		t.Errorf("%s", got)
	}
	old = claudeCall("claude-3-5-sonnet-20241022", &gateway.Chat{Messages: said("hi"), Format: format, Tools: []gateway.Tool{{Name: "json_answer"}}})
	if ask, err = claude(Settings{}).translate(old, false); err != nil || ask.answerTool != "json_answer_" || gjson.GetBytes(ask.body, "tool_choice").Raw != `{"type":"any"}` {
		t.Errorf("%+v, %v", ask, err)
	}
	b := translated(t, claude(Settings{}), claudeCall("claude-opus-5", &gateway.Chat{Messages: said("hi"), Format: gateway.Format{Mode: "json_object"}}))
	if !strings.Contains(b.Get("system.0.text").Str, "JSON object") {
		t.Errorf("%s", b.Raw)
	}
}

func TestCleanSchema(t *testing.T) {
	for in, want := range map[string]string{
		`{"oneOf":[{"type":"string","format":"email"},{"type":"string","format":"x","maxLength":3}]}`:   `{"anyOf":[{"type":"string","format":"email"},{"type":"string","description":"format: x, maxLength: 3"}]}`,
		`{"type":["object","null"],"additionalProperties":{"type":"string"}}`:                           `{"type":["object","null"],"additionalProperties":false}`,
		`{"$defs":{"d":{"properties":{"not":{"type":"array","items":{"not":{}}}}}},"$ref":"#/$defs/d"}`: `{"$defs":{"d":{"properties":{"not":{"type":"array","items":{"description":"not: {}"}}},"additionalProperties":false}},"$ref":"#/$defs/d"}`,
		`true`: `true`, `{}`: `{}`,
	} {
		if got := cleanSchema(in); got != want {
			t.Errorf("%s:\n got %s\nwant %s", in, got, want)
		}
	}
	deep := strings.Repeat(`{"items":`, 5000) + "{}" + strings.Repeat("}", 5000)
	if got := cleanSchema(deep); got != deep {
		t.Error("a deep schema is changed")
	}
}

func TestPrefillAndBreakpoints(t *testing.T) {
	call := claudeCall("claude-haiku-4-5", &gateway.Chat{Messages: said("hi")})
	call.Prefill, call.Model.Can.Prefill = "so far \n", true
	if got := translated(t, claude(Settings{}), call).Get("messages.1").Raw; got != `{"role":"assistant","content":"so far"}` {
		t.Errorf("%s", got)
	}
	var parts []gateway.Part
	for range 6 {
		parts = append(parts, gateway.Part{Text: "x", Cache: "5m"})
	}
	b := translated(t, claude(Settings{}), claudeCall("claude-opus-5", &gateway.Chat{Messages: []gateway.Message{{Speaker: gateway.User, Parts: parts}}}))
	if n := strings.Count(b.Raw, `"cache_control":{"type":"ephemeral"}`); n != 4 || b.Get("messages.0.content.1.cache_control").Exists() || !b.Get("messages.0.content.5.cache_control").Exists() {
		t.Errorf("%d breakpoints: %s", n, b.Raw)
	}
}

func FuzzAnthropicTranslate(f *testing.F) {
	for _, n := range []string{"1.basic", "2.tools", "3.schema"} {
		f.Add(fixture(f, "translate/"+n+".openai.json"))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		chat, err := readChat(raw)
		if err != nil {
			return
		}
		for _, model := range []string{"claude-3-5-sonnet", "claude-haiku-4-5", "claude-sonnet-4-6", "claude-opus-5-5"} {
			ask, err := claude(Settings{}).translate(claudeCall(model, chat), false)
			if err != nil {
				if k := gateway.KindOf(err); k != gateway.Unsupported && k != gateway.Invalid {
					t.Fatal(err)
				}
				continue
			}
			checkMessages(t, ask.body)
		}
	})
}

// checkMessages holds a body to the rules that every model has.
func checkMessages(t *testing.T, body []byte) {
	if !gjson.ValidBytes(body) {
		t.Fatalf("not JSON: %s", body)
	}
	b := gjson.ParseBytes(body)
	before := ""
	for _, turn := range b.Get("messages").Array() {
		role := turn.Get("role").Str
		if role == before || before == "" && role != "user" {
			t.Fatalf("turns out of order: %s", body)
		}
		before = role
		content := turn.Get("content")
		if content.String() == "" || content.IsArray() && len(content.Array()) == 0 {
			t.Fatalf("an empty turn: %s", body)
		}
		for _, block := range content.Array() {
			if block.Get("type").Str == "text" && strings.TrimSpace(block.Get("text").Str) == "" {
				t.Fatalf("an empty text: %s", body)
			}
		}
	}
	if before == "" || b.Get("max_tokens").Int() < 1 {
		t.Fatalf("nothing to answer: %s", body)
	}
	if b.Get("temperature").Exists() && b.Get("top_p").Exists() {
		t.Fatalf("both ways of sampling: %s", body)
	}
}

func TestStrictToolsAndConfiguredFields(t *testing.T) {
	chat := &gateway.Chat{Messages: said("hi"), Tools: []gateway.Tool{{Name: "f", Strict: true, Parameters: json.RawMessage(`{"type":"object","properties":{}}`)}}}
	a := claude(Settings{Params: map[string]json.RawMessage{"max_tokens": json.RawMessage("77"), "model": json.RawMessage(`"other"`)}})
	b := translated(t, a, claudeCall("claude-opus-5", chat))
	if !b.Get("tools.0.strict").Bool() || b.Get("tools.0.input_schema.additionalProperties").Raw != "false" || b.Get("max_tokens").Int() != 77 || b.Get("model").Str != "claude-opus-5" {
		t.Errorf("%s", b.Raw)
	}
	if b = translated(t, a, claudeCall("claude-3-5-sonnet", chat)); b.Get("tools.0.strict").Exists() {
		t.Errorf("%s", b.Raw)
	}
}

func TestConnectionIsUsedAgainAfterAMessage(t *testing.T) {
	m := serveMessages(t, stream(t, "text"))
	a := claude(Settings{BaseURL: m.URL, Client: NewClient()})
	seen := map[string]bool{}
	for range 3 {
		s, err := a.Open(t.Context(), claudeCall("claude-opus-5", &gateway.Chat{Messages: said("hi")}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := gateway.Collect(s); err != nil {
			t.Fatal(err)
		}
		s.Close()
		seen[m.from[len(m.from)-1]] = true
	}
	if len(seen) != 1 {
		t.Errorf("%d connections for three answers in turn", len(seen))
	}
}
