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

func editBody(t testing.TB, q Quirks, model gateway.Model, raw []byte, change func(*gateway.Call, *Settings)) []byte {
	t.Helper()
	s := Settings{Name: "p", Kind: openAIKind, Quirks: q}
	call := &gateway.Call{Request: &gateway.Request{Wire: openAIWire, Raw: raw, Key: "k"}, Model: &model}
	if change != nil {
		change(call, &s)
	}
	pieces, err := (&openAI{caller: caller{s}}).body(call)
	if err != nil {
		t.Fatal(err)
	}
	body := pieces.bytes()
	if len(body) != pieces.size() {
		t.Fatalf("%d bytes in pieces of %d", len(body), pieces.size())
	}
	if !gjson.ValidBytes(body) {
		t.Fatalf("not JSON: %s", body)
	}
	return body
}

var (
	deepSeekQuirks = Quirks{Thinking: true, ThinkingOff: true, ReasoningBack: true, SchemaInSystem: true,
		Effort: map[string]string{"minimal": "low", "medium": "high", "none": ""},
		Drop:   []string{"seed", "n", "logit_bias"}, Rename: map[string]string{"user": "user_id"}}
	mistralQuirks = Quirks{ToolIDs: "alnum9", ToolName: true, ToolChoice: map[string]string{"required": "any"},
		OnlyKnown: true, TextAsString: true, Rename: map[string]string{"seed": "random_seed"}}
)

// parsed is a body as Go values without the fields that only streaming differs in.
func parsed(t testing.TB, raw []byte) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	delete(v, "stream")
	delete(v, "stream_options")
	return v
}

func TestBodiesMatchTheFixtures(t *testing.T) {
	for _, c := range []struct {
		number, provider, model string
		quirks                  Quirks
	}{
		{"1.basic", "deepseek", "deepseek-flash", deepSeekQuirks},
		{"3.schema", "deepseek", "deepseek-flash", deepSeekQuirks},
	} {
		raw := fixture(t, "translate/"+c.number+".openai.json")
		got := editBody(t, c.quirks, gateway.Model{Name: c.model}, raw, nil)
		want := fixture(t, "translate/"+c.number+"."+c.provider+".json")
		if g, w := parsed(t, got), parsed(t, want); !reflect.DeepEqual(g, w) {
			t.Errorf("%s for %s:\n got %v\nwant %v", c.number, c.provider, g, w)
		}
	}
}

// The fixture's ids are invented and it adds a turn for old chat templates; the rest must hold.
func TestMistralToolsMatchTheFixture(t *testing.T) {
	raw := fixture(t, "translate/2.tools.openai.json")
	got := editBody(t, mistralQuirks, gateway.Model{Name: "mistral-medium-latest"}, raw, nil)
	text := string(got)
	for from, to := range map[string]string{
		gjson.GetBytes(got, "messages.1.tool_calls.0.id").Str: "callOsl0a",
		gjson.GetBytes(got, "messages.1.tool_calls.1.id").Str: "callR0meb",
	} {
		if !fitsToolID(from, 9, true) {
			t.Errorf("id %q does not fit", from)
		}
		text = strings.ReplaceAll(text, from, to)
	}
	w := parsed(t, fixture(t, "translate/2.tools.mistral.json"))
	turns := w["messages"].([]any)
	w["messages"] = append(turns[:4:4], turns[5:]...)
	if g := parsed(t, []byte(text)); !reflect.DeepEqual(g, w) {
		t.Errorf("\n got %v\nwant %v", g, w)
	}
}

func TestUnknownFieldsAreBytesForBytes(t *testing.T) {
	raw := `{"zeta":123456789012345678901234567890,"model":"x","messages":[ {"role":"user","content":"é\u00e9","a":1.10} ],"alpha":{"b":1e400}}`
	got := editBody(t, Quirks{}, gateway.Model{Name: "m"}, []byte(raw), func(c *gateway.Call, s *Settings) {
		c.MaxTokens = 7
		s.Params = map[string]json.RawMessage{"alpha": json.RawMessage("0"), "top_k": json.RawMessage("4")}
		s.ModelParams = map[string]map[string]json.RawMessage{"m": {"top_k": json.RawMessage("5")}}
	})
	want := `{"zeta":123456789012345678901234567890,"model":"m","messages":[ {"role":"user","content":"é\u00e9","a":1.10} ],"alpha":{"b":1e400},` +
		`"max_tokens":7,"stream":true,"stream_options":{"include_usage":true},"top_k":5}`
	if string(got) != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

func TestReasoningModelRules(t *testing.T) {
	raw := []byte(`{"messages":[{"role":"system","content":"s"}],"max_tokens":5,"temperature":1,"logit_bias":{},"reasoning_effort":"none"}`)
	for model, want := range map[string][3]string{ // effort, temperature, role
		"gpt-5":       {"minimal", "", "developer"},
		"gpt-5.2":     {"none", "1", "developer"},
		"o3":          {"low", "", "developer"},
		"gpt-6-astra": {"low", "", "developer"},
		"gpt-4.1":     {"none", "1", "system"},
		"gpt-5-chat":  {"none", "1", "system"},
	} {
		got := editBody(t, Quirks{Reasoning: true, DeveloperRole: true}, gateway.Model{Name: model}, raw, nil)
		found := [3]string{gjson.GetBytes(got, "reasoning_effort").Str, gjson.GetBytes(got, "temperature").Raw, gjson.GetBytes(got, "messages.0.role").Str}
		if found != want {
			t.Errorf("%s: %v, want %v", model, found, want)
		}
	}
}

func TestToolsWithoutReasoningWhereBothAreRefused(t *testing.T) {
	got := editBody(t, Quirks{Reasoning: true}, gateway.Model{Name: "gpt-5.6"}, []byte(`{"messages":[],"tools":[],"temperature":1}`), nil)
	if gjson.GetBytes(got, "reasoning_effort").Str != "none" || gjson.GetBytes(got, "temperature").Raw != "1" {
		t.Errorf("%s", got)
	}
}

func TestHistoryOfOthersIsStripped(t *testing.T) {
	raw := []byte(`{"messages":[{"role":"assistant","content":null,"reasoning_content":"r","thinking_blocks":[1],"tool_calls":[{"id":"c1","extra_content":{"google":1},"function":{"name":"f","arguments":"{}"}}]}]}`)
	got := string(editBody(t, Quirks{}, gateway.Model{Name: "m"}, raw, nil))
	for _, word := range []string{"reasoning_content", "thinking_blocks", "extra_content"} {
		if strings.Contains(got, word) {
			t.Errorf("%s went to another provider: %s", word, got)
		}
	}
	kept := string(editBody(t, Quirks{ReasoningBack: true}, gateway.Model{Name: "m"}, raw, nil))
	if gjson.Get(kept, "messages.0.reasoning_content").Str != "r" {
		t.Errorf("its own reasoning was lost: %s", kept)
	}
}

func TestDroppedReasoningIsRecalled(t *testing.T) {
	raw := []byte(`{"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"c1","function":{"name":"f","arguments":"{}"}}]},{"role":"assistant","content":"x"}]}`)
	state := NewState(8, time.Minute)
	state.Put(&gateway.Request{Key: "k"}, "c1", Kept{Maker: openAIKind, Model: "m", Reasoning: "why", HasReasoning: true})
	for key, want := range map[string]string{"k": "why", "other": ""} {
		got := editBody(t, Quirks{ReasoningBack: true}, gateway.Model{Name: "m"}, raw, func(c *gateway.Call, s *Settings) {
			s.State, c.Request.Key = state, key
		})
		first, second := gjson.GetBytes(got, "messages.0.reasoning_content"), gjson.GetBytes(got, "messages.1.reasoning_content")
		if first.Str != want || !second.Exists() || second.Str != "" {
			t.Errorf("key %s: %s", key, got)
		}
	}
}

func TestPrefillAndOldFunctions(t *testing.T) {
	raw := []byte(`{"messages":[],"functions":[{"name":"f"}],"function_call":{"name":"f"},"stop":"x"}`)
	got := editBody(t, Quirks{Thinking: true, StopArray: true}, gateway.Model{Name: "m"}, raw, func(c *gateway.Call, _ *Settings) { c.Prefill = "so \"far" })
	for path, want := range map[string]string{
		"messages": `[{"role":"assistant","content":"so \"far","prefix":true}]`, "stop": `["x"]`,
		"tools":       `[{"type":"function","function":{"name":"f"}}]`,
		"tool_choice": `{"type":"function","function":{"name":"f"}}`,
	} {
		if g := gjson.GetBytes(got, path).Raw; g != want {
			t.Errorf("%s: %s, want %s", path, g, want)
		}
	}
}

func TestOldFunctionHistoryBecomesToolCalls(t *testing.T) {
	raw := []byte(`{"messages":[{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},{"role":"function","name":"f","content":"out"}]}`)
	got := gjson.GetBytes(editBody(t, Quirks{}, gateway.Model{Name: "m"}, raw, nil), "messages").Raw
	want := `[{"role":"assistant","content":null,"tool_calls":[{"id":"call_function1","type":"function","function":{"name":"f","arguments":"{}"}}]},` +
		`{"tool_call_id":"call_function1","role":"tool","content":"out"}]`
	if got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

func TestNormalFormBecomesABody(t *testing.T) {
	chat := &gateway.Chat{MaxTokens: 9, Temperature: "0.5", Stop: []string{"a"}, Effort: "low",
		Messages: []gateway.Message{
			{Speaker: gateway.User, Parts: []gateway.Part{{Text: "hi"}, {Kind: gateway.ImagePart, MIME: "image/png", Data: "QQ=="}}},
			{Speaker: gateway.Assistant, ToolCalls: []gateway.ToolCall{{ID: "c", Name: "f", Arguments: `{"a":1}`}}},
			{Speaker: gateway.ToolSays, ToolCallID: "c", Parts: []gateway.Part{{Text: "out"}}}},
		Tools: []gateway.Tool{{Name: "f", Parameters: json.RawMessage(`{"type":"object"}`)}}, ToolChoice: gateway.ToolChoice{Mode: "auto"}}
	got := editBody(t, Quirks{}, gateway.Model{Name: "m"}, []byte(`{}`), func(c *gateway.Call, _ *Settings) {
		c.Request.Wire = messagesWire
		c.Request.Decode = func([]byte) (*gateway.Chat, error) { return chat, nil }
	})
	want := `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi"},{"type":"image_url","image_url":{"url":"data:image/png;base64,QQ=="}}]},` +
		`{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},` +
		`{"role":"tool","content":"out","tool_call_id":"c"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],` +
		`"tool_choice":"auto","temperature":0.5,"max_tokens":9,"stop":["a"],"reasoning_effort":"low","stream":true,"stream_options":{"include_usage":true}}`
	if string(got) != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

func FuzzOpenAIRequestEdit(f *testing.F) {
	for _, n := range []string{"1.basic", "2.tools", "3.schema"} {
		f.Add(fixture(f, "translate/"+n+".openai.json"))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var fields map[string]json.RawMessage
		if json.Unmarshal(raw, &fields) != nil || fields == nil {
			return
		}
		for _, q := range []Quirks{{}, deepSeekQuirks, mistralQuirks} {
			body := editBody(t, q, gateway.Model{Name: "m"}, raw, nil)
			if q.OnlyKnown {
				continue
			}
			if _, has := fields["x_unknown"]; has && !gjson.GetBytes(body, "x_unknown").Exists() {
				t.Fatalf("lost a field: %s", body)
			}
		}
	})
}

func BenchmarkOpenAIBody(b *testing.B) {
	raw := []byte(`{"model":"x","messages":[` + strings.Repeat(`{"role":"user","content":"`+strings.Repeat("word ", 200)+`"},`, 20) + `{"role":"user","content":"x"}]}`)
	a := &openAI{}
	call := &gateway.Call{Request: &gateway.Request{Wire: openAIWire, Raw: raw}, Model: &gateway.Model{Name: "m"}, MaxTokens: 9}
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.body(call); err != nil {
			b.Fatal(err)
		}
	}
}
