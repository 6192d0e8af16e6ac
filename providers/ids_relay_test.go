package providers

import (
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"gateway"
)

// longIDs is a conversation with ids that we escaped: some too long, one not, and texts
// that look like one.
func longIDs(id string) string {
	return `{"model":"m", "max_tokens":4,"system":"` + id + `","messages":[{"role":"user","content":"` + id + `"},
		{"role":"assistant","content":[{"type":"text","text":"` + id + `"},{"type":"tool_use","id":"` + id + `","name":"f","input":{"id":"` + id + `","a":1.50}},
			{"id" : "gw1_short-q0","type":"tool_use","name":"f","input":{}},{"type":"tool_use","id":"` + id + `1","name":"f","input":{}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"` + id + `","content":[{"type":"text","text":"` + id + `","id":"` + id + `"}]},
			{"type":"tool_result","tool_use_id":"gw1_short-q0"},{"type":"tool_result","tool_use_id":"` + id + `1"}]}] }`
}

// A relayed conversation has ids that Anthropic takes, alike in call and result. What only
// looks like an id, and all else, keeps its bytes.
func TestLongIDsAreShortenedForAnthropic(t *testing.T) {
	id := gateway.EscapedToolID + strings.Repeat("n", 64) + "-q0"
	raw := longIDs(id)
	got := string(messagesIDs([]byte(raw)))
	use, other := gjson.Get(got, "messages.1.content.1.id").Str, gjson.Get(got, "messages.1.content.3.id").Str
	if use == "" || len(use) > gateway.MaxClaudeToolID || len(other) > gateway.MaxClaudeToolID || use == other {
		t.Errorf("the ids are %q and %q", use, other)
	}
	wanted := raw
	for field, short := range map[string]string{id: use, id + "1": other} {
		for _, name := range []string{`"type":"tool_use","id":"`, `"tool_use_id":"`} {
			wanted = strings.ReplaceAll(wanted, name+field+`"`, name+short+`"`)
		}
	}
	if got != wanted {
		t.Errorf("\n got %s\nwant %s", got, wanted)
	}
	m := serveMessages(t, stream(t, "text"))
	if _, err := m.open(t, relayCall(raw)); err != nil || gjson.Get(m.bodies[0], "messages.2.content.0.tool_use_id").Str != use {
		t.Errorf("%v: %s", err, m.bodies[0])
	}
	short := longIDs("gw1_functions-pread-q0")
	if got := string(messagesIDs([]byte(short))); got != short {
		t.Errorf("nothing is too long, and it became\n%s", got)
	}
}

// The same for OpenAI's Responses API, whose clients get ids as their makers gave them.
func TestLongIDsAreShortenedForResponses(t *testing.T) {
	long := "functions." + strings.Repeat("n", 60) + ":0"
	body := func(id string) string {
		return `{"input":[{"role":"user","content":"` + long + `"},{"type":"function_call","call_id":"` + id + `","name":"f","arguments":"{\"call_id\":\"` + long + `\"}"},` +
			`{"type":"function_call_output" , "call_id" : "` + id + `","output":"` + long + `"},{"type":"function_call","call_id":"functions.f:1","name":"f","arguments":"{}"}]}`
	}
	got := string(responsesIDs([]byte(body(long))))
	id := gjson.Get(got, "input.1.call_id").Str
	if id == "" || len(id) > maxCallID || got != body(id) {
		t.Errorf("%s", got)
	}
	if short := body("functions.f:0"); string(responsesIDs([]byte(short))) != short {
		t.Errorf("nothing is too long, and it became %s", responsesIDs([]byte(short)))
	}
}

// Whatever the ids, a body stays what it was but for them, and they fit.
func FuzzRelayedIDs(f *testing.F) {
	f.Add("gw1_"+strings.Repeat("a", 70), `{}`)
	f.Add("gw1_b", `{"messages":[{"content":[{"id":"gw1_`+strings.Repeat("c", 80)+`"}]}]}`)
	f.Add("", `{"messages":[{"content":"gw1_`)
	f.Add("c", `{"input":[{"call_id":"a\"b\\`+strings.Repeat("d", 80)+`"},{"call_id":"\u0041`+strings.Repeat("e", 80)+`"}]}`)
	f.Fuzz(func(t *testing.T, id, body string) {
		for _, ids := range []func([]byte) []byte{messagesIDs, responsesIDs} {
			if got := ids([]byte(body)); gjson.Valid(body) && !gjson.ValidBytes(got) {
				t.Errorf("%s became %s", body, got)
			}
		}
		for _, c := range id {
			if c != '-' && c != '_' && (c < '0' || c > 'z' || c > '9' && c < 'A' || c > 'Z' && c < 'a') {
				return
			}
		}
		got := string(messagesIDs([]byte(longIDs(gateway.EscapedToolID + id))))
		use, result := gjson.Get(got, "messages.1.content.1.id").Str, gjson.Get(got, "messages.2.content.0.tool_use_id").Str
		other := gjson.Get(got, "messages.1.content.3.id").Str
		if use != result || use == other || !fitsToolID(use, gateway.MaxClaudeToolID, false) || !fitsToolID(other, gateway.MaxClaudeToolID, false) {
			t.Errorf("%q became %q in the call, %q in its result and %q in another call", id, use, result, other)
		}
		if text := gjson.Get(got, "messages.0.content").Str; text != gateway.EscapedToolID+id {
			t.Errorf("a text became %q", text)
		}
	})
}

// OpenAI takes forty characters; what fits keeps its bytes, signs included.
func TestLongIDsAreShortenedForOpenAI(t *testing.T) {
	long := "functions." + strings.Repeat("n", 40) + ":0"
	for model, quirks := range map[string]Quirks{"gpt-4.1": {ToolIDs: "max40", DeveloperRole: true}, "gpt-6-luna": {ToolIDs: "max40", DeveloperRole: true, Reasoning: true}} {
		for id, fits := range map[string]bool{"functions.f:0": true, "call_1": true, long: false} {
			raw := `{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"","tool_calls":[{"id":"` + id + `","type":"function","function":{"name":"f","arguments":"{}"}}]},` +
				`{"role":"tool","tool_call_id" : "` + id + `","content":"y"}]}`
			got := gjson.ParseBytes(editBody(t, quirks, gateway.Model{Name: model}, []byte(raw), nil))
			use, result := got.Get("messages.1.tool_calls.0.id").Str, got.Get("messages.2.tool_call_id").Str
			if use == "" || use != result || (use == id) != fits || len(use) > maxOpenAIToolID {
				t.Errorf("%s: %q became %q and %q", model, id, use, result)
			}
		}
	}
}
