package providers

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"gateway"
)

// asked is what the tests need of an OpenAI body. The edge has the real decoder.
type asked struct {
	Messages []struct {
		Role       string
		Content    json.RawMessage
		ToolCallID string `json:"tool_call_id"`
		ToolCalls  []struct {
			ID       string
			Function struct{ Name, Arguments string }
		} `json:"tool_calls"`
	}
	Tools []struct {
		Function struct {
			Name, Description string
			Parameters        json.RawMessage
			Strict            bool
		}
	}
	ToolChoice     json.RawMessage `json:"tool_choice"`
	Parallel       *bool           `json:"parallel_tool_calls"`
	ResponseFormat struct {
		Type       string
		JSONSchema struct {
			Name   string
			Schema json.RawMessage
			Strict bool
		} `json:"json_schema"`
	} `json:"response_format"`
	MaxTokens     int `json:"max_tokens"`
	MaxCompletion int `json:"max_completion_tokens"`
	Temperature   json.RawMessage
	TopP          json.RawMessage `json:"top_p"`
	Effort        string          `json:"reasoning_effort"`
	Stop          json.RawMessage
	User          string
}

func readChat(raw []byte) (*gateway.Chat, error) {
	var in asked
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, gateway.Errorf(gateway.Invalid, "%v", err)
	}
	c := &gateway.Chat{MaxTokens: max(in.MaxTokens, in.MaxCompletion), Temperature: gateway.Number(in.Temperature),
		TopP: gateway.Number(in.TopP), Effort: in.Effort, User: in.User, ParallelTools: in.Parallel}
	json.Unmarshal(in.Stop, &c.Stop)
	for _, m := range in.Messages {
		msg := gateway.Message{Speaker: gateway.Speaker(m.Role), ToolCallID: m.ToolCallID, Parts: partsOf(m.Content)}
		if m.Role == "developer" {
			msg.Speaker = gateway.System
		}
		for _, t := range m.ToolCalls {
			msg.ToolCalls = append(msg.ToolCalls, gateway.ToolCall{ID: t.ID, Name: t.Function.Name, Arguments: t.Function.Arguments})
		}
		c.Messages = append(c.Messages, msg)
	}
	for _, t := range in.Tools {
		c.Tools = append(c.Tools, gateway.Tool{Name: t.Function.Name, Description: t.Function.Description, Parameters: t.Function.Parameters, Strict: t.Function.Strict})
	}
	if choice := gjson.ParseBytes(in.ToolChoice); choice.IsObject() {
		c.ToolChoice = gateway.ToolChoice{Mode: "named", Name: choice.Get("function.name").Str}
	} else {
		c.ToolChoice.Mode = choice.Str
	}
	c.Format = gateway.Format{Mode: in.ResponseFormat.Type, Name: in.ResponseFormat.JSONSchema.Name,
		Schema: in.ResponseFormat.JSONSchema.Schema, Strict: in.ResponseFormat.JSONSchema.Strict}
	return c, nil
}

func partsOf(content json.RawMessage) []gateway.Part {
	var parts []gateway.Part
	v := gjson.ParseBytes(content)
	if v.Type == gjson.String {
		return []gateway.Part{{Text: v.Str}}
	}
	v.ForEach(func(_, p gjson.Result) bool {
		url := p.Get("image_url.url").Str
		switch data, found := strings.CutPrefix(url, "data:"); {
		case url == "":
			parts = append(parts, gateway.Part{Text: p.Get("text").Str})
		case found:
			mime, b64, _ := strings.Cut(data, ";base64,")
			parts = append(parts, gateway.Part{Kind: gateway.ImagePart, MIME: mime, Data: b64})
		default:
			parts = append(parts, gateway.Part{Kind: gateway.ImagePart, URL: url})
		}
		return true
	})
	return parts
}

// claudeCall is a call for a chat in normal form.
func claudeCall(model string, chat *gateway.Chat) *gateway.Call {
	r := &gateway.Request{Key: "k", Raw: []byte("{}"), Decode: func([]byte) (*gateway.Chat, error) { return chat, nil }}
	return &gateway.Call{Request: r, Model: &gateway.Model{Provider: "p", Name: model}}
}

func translated(t testing.TB, a *anthropic, call *gateway.Call) gjson.Result {
	t.Helper()
	ask, err := a.translate(call, false)
	if err != nil {
		t.Fatal(err)
	}
	if !gjson.ValidBytes(ask.body) {
		t.Fatalf("not JSON: %s", ask.body)
	}
	return gjson.ParseBytes(ask.body)
}

func said(texts ...string) []gateway.Message {
	var list []gateway.Message
	for i, text := range texts {
		speaker := gateway.User
		if i%2 == 1 {
			speaker = gateway.Assistant
		}
		list = append(list, gateway.Message{Speaker: speaker, Parts: []gateway.Part{{Text: text}}})
	}
	return list
}

func TestMessagesBodiesMatchTheFixtures(t *testing.T) {
	for want, from := range map[string]string{"1.basic.anthropic": "1.basic", "1.basic.anthropic-no-sampling": "1.basic",
		"2.tools.anthropic": "2.tools", "3.schema.anthropic": "3.schema"} {
		w := parsed(t, fixture(t, "translate/"+want+".json"))
		chat, err := readChat(fixture(t, "translate/"+from+".openai.json"))
		if err != nil {
			t.Fatal(err)
		}
		body := translated(t, claude(Settings{}), claudeCall(w["model"].(string), chat))
		if g := parsed(t, []byte(body.Raw)); !reflect.DeepEqual(g, w) {
			t.Errorf("%s:\n got %s\nwant %v", want, body.Raw, w)
		}
	}
}

func TestTheSameRequestIsTheSameBytes(t *testing.T) {
	chat, _ := readChat(fixture(t, "translate/2.tools.openai.json"))
	a := claude(Settings{Params: map[string]json.RawMessage{"service_tier": json.RawMessage(`"auto"`), "a": json.RawMessage("1"), "b": json.RawMessage("2")}})
	first := translated(t, a, claudeCall("claude-haiku-4-5", chat)).Raw
	for range 20 {
		if again := translated(t, a, claudeCall("claude-haiku-4-5", chat)).Raw; again != first {
			t.Fatalf("\n%s\n%s", first, again)
		}
	}
	if !strings.HasSuffix(first, `"stream":true,"a":1,"b":2,"service_tier":"auto"}`) {
		t.Errorf("%s", first)
	}
}

func TestEffortAndThinking(t *testing.T) {
	for _, c := range []struct {
		model, effort     string
		asked, bound      int
		forced            bool
		thinking, effort2 string
		maxTokens         int
	}{
		{"claude-haiku-4-5", "low", 300, 0, false, `{"type":"enabled","budget_tokens":2048}`, "", 2348},
		{"claude-haiku-4-5", "low", 300, 3000, false, `{"type":"enabled","budget_tokens":1500}`, "", 3000},
		{"claude-haiku-4-5", "low", 300, 300, false, ``, "", 300},
		{"claude-haiku-4-5", "high", 64000, 0, false, `{"type":"enabled","budget_tokens":16384}`, "", 64000},
		{"claude-haiku-4-5", "high", 300, 0, true, ``, "", 300},
		{"claude-haiku-4-5", "none", 300, 0, false, `{"type":"disabled"}`, "", 300},
		{"claude-opus-4-5-20251101", "max", 300, 0, false, `{"type":"enabled","budget_tokens":32768}`, "high", 33068},
		{"claude-sonnet-4-6", "xhigh", 300, 0, false, `{"type":"adaptive"}`, "high", 300},
		{"claude-sonnet-4-6", "high", 300, 0, true, ``, "high", 300},
		{"claude-opus-4-8", "xhigh", 0, 0, false, `{"type":"adaptive"}`, "xhigh", 8192},
		{"claude-opus-5", "minimal", 300, 0, false, ``, "low", 300},
		{"claude-opus-5", "none", 300, 0, false, `{"type":"disabled"}`, "", 300},
		{"claude-opus-5-5", "none", 300, 0, false, `{"type":"between_tools"}`, "low", 300},
		{"claude-next-9", "medium", 300, 0, false, ``, "medium", 300},
		{"claude-3-5-sonnet-20241022", "high", 90000, 0, false, ``, "", 8192},
		{"claude-opus-4-20250514", "", 0, 0, false, ``, "", 8192},
	} {
		chat := &gateway.Chat{Messages: said("hi"), Effort: c.effort, MaxTokens: c.asked, Temperature: "0.5"}
		if c.forced {
			chat.Tools, chat.ToolChoice.Mode = []gateway.Tool{{Name: "f"}}, "required"
		}
		call := claudeCall(c.model, chat)
		call.MaxTokens = c.bound
		b := translated(t, claude(Settings{}), call)
		if b.Get("thinking").Raw != c.thinking || b.Get("output_config.effort").Str != c.effort2 || int(b.Get("max_tokens").Int()) != c.maxTokens {
			t.Errorf("%+v: %s", c, b.Raw)
		}
		if on := b.Get("thinking.type").Str; (on == "enabled" || on == "adaptive") && b.Get("temperature").Exists() {
			t.Errorf("%+v: sampling while it thinks: %s", c, b.Raw)
		}
	}
}

func TestFamiliesAreToldApart(t *testing.T) {
	for model, want := range map[string]string{
		"claude-opus-4-1-20250805": "claude-opus-4-1", "claude-opus-4-12": "claude", "claude-opus-4": "claude-opus-4",
		"claude-opus-4-20250514": "claude-opus-4", "claude-sonnet-5-5": "claude-sonnet-5-5", "claude-sonnet-5": "claude-sonnet-5",
		"claude-sonnet-5-7": "claude", "claude-3-opus-20240229": "claude-3", "anthropic/claude-haiku-4-5": "claude-haiku-4-5", "x": "", "claude-9": "claude", "us.anthropic.claude-opus-5": "claude-opus-5",
	} {
		if got := claudeRulesOf(model).prefix; got != want {
			t.Errorf("%s has the rules of %q, want %q", model, got, want)
		}
	}
}

func TestToolChoices(t *testing.T) {
	no := false
	for _, c := range []struct {
		model    string
		choice   gateway.ToolChoice
		parallel *bool
		want     string
		tools    int64
	}{
		{"claude-haiku-4-5", gateway.ToolChoice{}, nil, "", 2},
		{"claude-haiku-4-5", gateway.ToolChoice{}, &no, `{"type":"auto","disable_parallel_tool_use":true}`, 2},
		{"claude-haiku-4-5", gateway.ToolChoice{Mode: "none"}, &no, `{"type":"none"}`, 2},
		{"claude-haiku-4-5", gateway.ToolChoice{Mode: "named", Name: "g"}, nil, `{"type":"tool","name":"g"}`, 2},
		{"claude-haiku-4-5", gateway.ToolChoice{Mode: "required", Allowed: []string{"g"}}, nil, `{"type":"any"}`, 1},
		{"claude-opus-5-5", gateway.ToolChoice{Mode: "named", Name: "g"}, nil, `{"type":"auto"}`, 1},
		{"claude-opus-5-5", gateway.ToolChoice{Mode: "required"}, nil, `{"type":"auto"}`, 2},
	} {
		chat := &gateway.Chat{Messages: said("hi"), ToolChoice: c.choice, ParallelTools: c.parallel,
			Tools: []gateway.Tool{{Name: "f"}, {Name: "g", Parameters: json.RawMessage(`{"properties":{"a":{}}}`)}}}
		b := translated(t, claude(Settings{}), claudeCall(c.model, chat))
		if b.Get("tool_choice").Raw != c.want || b.Get("tools.#").Int() != c.tools {
			t.Errorf("%+v: %s", c, b.Raw)
		}
		if last := b.Get("tools|@reverse|0.input_schema").Raw; last != `{"type":"object","properties":{"a":{}}}` {
			t.Errorf("schema %s", last)
		}
	}
}

func TestHistoryKeepsTheRulesOfMessages(t *testing.T) {
	call := gateway.ToolCall{ID: "bad id!", Name: "f", Arguments: "not json"}
	for name, c := range map[string]struct {
		in   []gateway.Message
		want string
	}{
		"empty text goes, neighbours join": {
			append(said("a", " \n"), said("b")...),
			`[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]`},
		"results come first": {
			[]gateway.Message{said("q")[0], {Speaker: gateway.Assistant, ToolCalls: []gateway.ToolCall{{ID: "c1", Name: "f"}}}, said("late")[0],
				{Speaker: gateway.ToolSays, ToolCallID: "c1", IsError: true, Parts: []gateway.Part{{Text: "no"}, {Kind: gateway.ImagePart, URL: "http://x/y.png"}}}},
			`[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"f","input":{}}]},` +
				`{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":[{"type":"text","text":"no"},{"type":"text","text":"(What else the tool gave follows.)"}],"is_error":true},` +
				`{"type":"text","text":"late"},{"type":"text","text":"From the tool call c1:"},{"type":"image","source":{"type":"url","url":"http://x/y.png"}}]}]`},
		"an empty result has no content": {
			[]gateway.Message{said("q")[0], {Speaker: gateway.Assistant, ToolCalls: []gateway.ToolCall{{ID: "c1", Name: "f"}}},
				{Speaker: gateway.ToolSays, ToolCallID: "c1", Parts: []gateway.Part{{Text: ""}}}},
			`[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"f","input":{}}]},` +
				`{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1"}]}]`},
		"the user speaks first": {
			append([]gateway.Message{{Speaker: gateway.Assistant, Parts: []gateway.Part{{Text: "hello"}}}}, said("q")...),
			`[{"role":"user","content":"(The conversation begins.)"},{"role":"assistant","content":"hello"},{"role":"user","content":"q"}]`},
		"a system text alone is the question": {
			[]gateway.Message{{Speaker: gateway.System, Parts: []gateway.Part{{Text: "s"}}}},
			`[{"role":"user","content":"s"}]`},
		"nothing at all": {nil, `[{"role":"user","content":"(The conversation begins.)"}]`},
		"a pdf is a document": {
			[]gateway.Message{{Speaker: gateway.User, Parts: []gateway.Part{{Kind: gateway.FilePart, Name: "a.pdf", MIME: "application/pdf", Data: "QQ==", Cache: "1h"}}}},
			`[{"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"QQ=="},"title":"a.pdf","cache_control":{"type":"ephemeral","ttl":"1h"}}]}]`},
	} {
		b := translated(t, claude(Settings{}), claudeCall("claude-haiku-4-5", &gateway.Chat{Messages: c.in}))
		if got := b.Get("messages").Raw; got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
	in := []gateway.Message{said("q")[0], {Speaker: gateway.Assistant, ToolCalls: []gateway.ToolCall{call}}, {Speaker: gateway.ToolSays, ToolCallID: call.ID}}
	b := translated(t, claude(Settings{}), claudeCall("claude-haiku-4-5", &gateway.Chat{Messages: in}))
	id := b.Get("messages.1.content.0.id").Str
	if !fitsToolID(id, 64, false) || b.Get("messages.2.content.0.tool_use_id").Str != id || b.Get("messages.1.content.0.input").Raw != `{"_raw":"not json"}` {
		t.Errorf("%s", b.Raw)
	}
	if b.Get("tools.0.name").Str != "f" || b.Get("tool_choice.type").Str != "none" {
		t.Errorf("past tools are not declared: %s", b.Raw)
	}
}

func TestThinkingGoesBackToItsModelOnly(t *testing.T) {
	state := NewState(8, time.Minute)
	state.Put(&gateway.Request{Key: "k"}, "c1", Kept{Maker: anthropicKind, Model: "claude-opus-5", Thinking: []gateway.Thinking{{Text: "kept", Signature: "s"}}})
	turn := func(th ...gateway.Thinking) []gateway.Message {
		return []gateway.Message{said("q")[0], {Speaker: gateway.Assistant, Thinking: th, ToolCalls: []gateway.ToolCall{{ID: "c1", Name: "f"}}},
			{Speaker: gateway.ToolSays, ToolCallID: "c1"}}
	}
	own := gateway.Thinking{Maker: anthropicKind, Model: "claude-opus-5", Text: "own", Signature: "o"}
	for name, c := range map[string]struct {
		model string
		in    []gateway.Message
		want  string
	}{
		"the client's":            {"claude-opus-5", turn(own, gateway.Thinking{Maker: anthropicKind, Redacted: "x"}), `[{"type":"thinking","thinking":"own","signature":"o"},{"type":"redacted_thinking","data":"x"}]`},
		"what was kept":           {"claude-opus-5", turn(), `[{"type":"thinking","thinking":"kept","signature":"s"}]`},
		"unsigned is not own":     {"claude-opus-5", turn(gateway.Thinking{Maker: anthropicKind, Text: "x"}), `[{"type":"thinking","thinking":"kept","signature":"s"}]`},
		"another model's":         {"claude-haiku-5-5", turn(own), `[]`},
		"another provider's":      {"claude-haiku-5-5", turn(gateway.Thinking{Maker: "gemini", Signature: "g"}), `[]`},
		"one that does not think": {"claude-3-5-haiku", turn(own), `[]`},
	} {
		b := translated(t, claude(Settings{State: state}), claudeCall(c.model, &gateway.Chat{Messages: c.in}))
		if got := b.Get(`messages.1.content.#(type%"*thinking")#`).Raw; got != c.want {
			t.Errorf("%s: %s", name, b.Raw)
		}
	}
	chat := &gateway.Chat{Messages: turn(), Effort: "high", MaxTokens: 9000}
	if b := translated(t, claude(Settings{}), claudeCall("claude-haiku-4-5", chat)); b.Get("thinking").Exists() || b.Get("max_tokens").Int() != 9000 {
		t.Errorf("a budget although the loop's thinking is lost: %s", b.Raw)
	}
}
