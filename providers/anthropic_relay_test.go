package providers

import (
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"gateway"
)

// history is a tool loop whose turn holds reasoning of another maker, sealed, and its own.
func historyWith(thinking string) string {
	foreign := gateway.Seal(gateway.Sealed{Thinking: gateway.Thinking{Maker: "gemini", Model: "gemini-3.8-flash", Signature: "s"}})
	return `{"model":"m","max_tokens":4000,` + thinking + `"messages":[{"role":"user","content":"hi"},
		{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"` + foreign + `"},{"type":"redacted_thinking","data":"` + foreign + `"}]},
		{"role":"user","content":"go"},
		{"role":"assistant","content":[ {"type":"thinking","thinking":"a","signature":"EqoB"}, {"type":"thinking","thinking":"hm","signature":"` + foreign + `"},
			{"type":"tool_use","id":"c","name":"f","input":{ "a" : 1.50 }}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":"7"}]}]}`
}

// Reasoning that another provider made is left out of what Anthropic gets, and the
// receipt hears of it. The rest keeps its bytes.
func TestForeignReasoningIsNotRelayed(t *testing.T) {
	m := serveMessages(t, stream(t, "text"))
	call := relayCall(historyWith(""))
	var said []string
	call.OnDowngrade = func(what string) { said = append(said, what) }
	if _, err := m.open(t, call); err != nil {
		t.Fatal(err)
	}
	got := gjson.Parse(m.bodies[0])
	if n := got.Get("messages.#").Int(); n != 4 {
		t.Errorf("%d turns are left: %s", n, m.bodies[0])
	}
	want := `[{"type":"thinking","thinking":"a","signature":"EqoB"},{"type":"tool_use","id":"c","name":"f","input":{ "a" : 1.50 }}]`
	if got := got.Get("messages.2.content").Raw; got != want {
		t.Errorf("%s", got)
	}
	if len(said) != 1 {
		t.Errorf("told %q", said)
	}
}

// Reasoning of another model is refused; the request is then sent once more without, and
// without a budget, which such a loop may not have.
func TestRefusedSignaturesAreLeftOut(t *testing.T) {
	m := serveMessages(t, refused("messages.1.content.0: Invalid `signature` in `thinking` block"), stream(t, "text"))
	call := relayCall(historyWith(`"thinking":{"type":"enabled","budget_tokens":2000},`))
	told := 0
	call.OnDowngrade = func(string) { told++ }
	if _, err := m.open(t, call); err != nil {
		t.Fatal(err)
	}
	if len(m.bodies) != 2 || strings.Contains(m.bodies[1], "signature") || gjson.Get(m.bodies[1], "thinking.type").Str != "disabled" || told == 0 {
		t.Errorf("%d bodies, told %d times, the last: %s", len(m.bodies), told, m.bodies[len(m.bodies)-1])
	}
	m = serveMessages(t, refused("thinking.type: unknown value"))
	if _, err := m.open(t, relayCall(`{"model":"m","max_tokens":4,"messages":[{"role":"user","content":"hi"}],"thinking":{"type":"x"}}`)); gateway.KindOf(err) != gateway.Invalid || len(m.bodies) != 1 {
		t.Errorf("%v after %d bodies: the fault is the client's", err, len(m.bodies))
	}
}

// A whole answer goes on as it came.
func TestWholeMessagesAreRelayed(t *testing.T) {
	body := string(fixture(t, "anthropic/messages.tools.response.json"))
	m := serveMessages(t, answered{200, "application/json", body})
	call := relayCall(`{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`)
	call.Plain = true
	got, err := m.open(t, call)
	if err != nil || string(got.Body) != body || len(got.Choices[0].ToolCalls) == 0 {
		t.Errorf("%s, %v", got.Body, err)
	}
}

// What a tool gave beside text reaches providers whose tool messages are text only, and
// that a tool failed is said in words where there is no mark for it.
func TestToolResultsWithImages(t *testing.T) {
	chat := &gateway.Chat{Messages: []gateway.Message{
		{Speaker: gateway.User, Parts: []gateway.Part{{Text: "look"}}},
		{Speaker: gateway.Assistant, ToolCalls: []gateway.ToolCall{{ID: "a", Name: "shot"}, {ID: "b", Name: "fail"}}},
		{Speaker: gateway.ToolSays, ToolCallID: "a", Parts: []gateway.Part{{Text: "here"}, {Kind: gateway.ImagePart, MIME: "image/png", Data: "QQ=="}}},
		{Speaker: gateway.ToolSays, ToolCallID: "b", IsError: true, Parts: []gateway.Part{{Text: "no file"}}},
	}}
	got := gjson.ParseBytes(encodeOpenAI(chat, &gateway.Model{Kind: openAIKind, Name: "m"}))
	if got.Get("messages.#").Int() != 5 || got.Get("messages.2.content").Str != "here\n(What else the tool gave follows.)" ||
		got.Get("messages.3.content").Str != "Error:\nno file" || got.Get("messages.4.content.1.image_url.url").Str != "data:image/png;base64,QQ==" {
		t.Errorf("%s", got.Raw)
	}
	turns := &geminiTurns{a: &gemini{}, call: nativeCall("gemini-3.8-flash"), calls: map[string]geminiCall{}}
	if err := turns.add(chat.Messages); err != nil {
		t.Fatal(err)
	}
	contents := gjson.Parse(array(turns.contents))
	if contents.Get("2.parts.#.functionResponse.name").Raw != `["shot","fail"]` || contents.Get("2.parts.1.functionResponse.response.error").Str != "no file" ||
		contents.Get("3.parts.1.inlineData.data").Str != "QQ==" || contents.Get("3.role").Str != "user" {
		t.Errorf("%s", contents.Raw)
	}
}

// Reasoning goes back only to the model that made it.
func TestReasoningGoesBackToItsModel(t *testing.T) {
	turn := &gateway.Message{Speaker: gateway.Assistant, Parts: []gateway.Part{{Text: "x"}}, Thinking: []gateway.Thinking{
		{Maker: openAIKind, Model: "deepseek-flash", Text: "so"}, {Maker: "anthropic", Text: "no"}}}
	if got := encodeMessage(turn, &gateway.Model{Kind: openAIKind, Name: "deepseek-flash"}); gjson.Get(got, "reasoning_content").Str != "so" {
		t.Errorf("%s", got)
	}
	if got := encodeMessage(turn, &gateway.Model{Kind: openAIKind, Name: "glm-5.3"}); gjson.Get(got, "reasoning_content").Exists() {
		t.Errorf("another model gets %s", got)
	}
}
