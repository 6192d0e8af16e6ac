package api

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"gateway"
)

// fixture is a recorded body. Those of openai-responses were made after openai-go
// v3.96.0 and what Codex 0.156.1 sends.
func fixture(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func unpinned(*gateway.Request) bool { return false }

func scanned(t testing.TB, raw string) (*gateway.Request, *gateway.Chat) {
	t.Helper()
	req := &gateway.Request{}
	if err := scanResponses([]byte(raw), req, unpinned); err != nil {
		t.Fatalf("scan: %v", err)
	}
	chat, err := req.Chat()
	if err != nil {
		t.Fatalf("decode: %v", err)
	}
	return req, chat
}

func TestResponsesRequestOfAnAgent(t *testing.T) {
	req, chat := scanned(t, string(fixture(t, "openai-responses/request.codex_like.json")))
	if !req.Stream || !req.Needs.Tools || req.Options.Affinity != "5b0f" || req.Prefix == 0 || req.Model != "gateway-auto" || req.Wire != responsesWire {
		t.Errorf("%+v", req)
	}
	var tools []string
	for _, tool := range chat.Tools {
		tools = append(tools, tool.Name)
	}
	if got := strings.Join(tools, " "); got != "shell apply_patch" {
		t.Errorf("tools are %s: web_search goes, the custom tool becomes a function", got)
	}
	if string(chat.Tools[1].Parameters) != inputSchema || !strings.Contains(chat.Tools[1].Description, "start: /.+/") {
		t.Errorf("apply_patch is %+v", chat.Tools[1])
	}
	want := []gateway.Message{
		{Speaker: gateway.System, Parts: []gateway.Part{{Text: "You are a coding agent."}}},
		{Speaker: gateway.System, Parts: []gateway.Part{{Text: "Work in /repo."}}},
		{Speaker: gateway.User, Parts: []gateway.Part{{Text: "List the files."}}},
		{Speaker: gateway.Assistant, Thinking: []gateway.Thinking{{Maker: "openai", Signature: "b3BhcXVl"}},
			ToolCalls: []gateway.ToolCall{{ID: "call_ls", Name: "shell", Arguments: `{"command":["ls"]}`}}},
		{Speaker: gateway.ToolSays, ToolCallID: "call_ls", Parts: []gateway.Part{{Text: "main.go\ngo.mod"}}},
	}
	if !reflect.DeepEqual(chat.Messages, want) {
		t.Errorf("messages are\n%+v\nwant\n%+v", chat.Messages, want)
	}
	if chat.Effort != "medium" || chat.ToolChoice.Mode != "auto" || chat.ParallelTools == nil || !*chat.ParallelTools {
		t.Errorf("%+v", chat)
	}
}

func TestResponsesRequestOfOneString(t *testing.T) {
	req, chat := scanned(t, string(fixture(t, "openai-responses/request.simple.json")))
	if req.MaxTokens != 50 || chat.MaxTokens != 50 || len(chat.Messages) != 1 || chat.Messages[0].Parts[0].Text != "Say hi" {
		t.Errorf("%+v", chat)
	}
}

// Each refusal names the field and what to do instead; the same request to a model that
// OpenAI's own API serves passes.
func TestResponsesRefusals(t *testing.T) {
	for _, c := range []struct{ body, param, says string }{
		{string(fixture(t, "openai-responses/request.previous.json")), "previous_response_id", "whole conversation"},
		{`{"input":"x","conversation":"conv_1"}`, "conversation", "whole conversation"},
		{`{"input":"x","background":true}`, "background", "stream"},
		{`{"input":"x","prompt":{"id":"pmpt_1"}}`, "prompt", "instructions"},
		{`{"input":[{"type":"item_reference","id":"msg_1"}]}`, "input", "send the item itself"},
		{`{"input":[{"type":"file_search_call","id":"fs_1","status":"completed"}]}`, "input", "leave it out"},
		{`{"input":"x","tools":[{"type":"file_search","vector_store_ids":["v"]}]}`, "tools", "function"},
		{`{"input":"x","tools":[{"type":"code_interpreter","container":{"type":"auto"}}]}`, "tools", "function"},
		{`{"input":"x","tools":[{"type":"mcp","server_label":"m"}]}`, "tools", "function"},
		{`{"input":"x","tools":[{"type":"web_search"}]}`, "tools", "function"},
		{`{"input":"x","tools":[{"type":"function","name":"f"}],"tool_choice":{"type":"web_search"}}`, "tool_choice", "servers"},
	} {
		req := &gateway.Request{}
		err := scanResponses([]byte(c.body), req, unpinned)
		if err == nil || err.Kind != gateway.Invalid || err.Param != c.param || !strings.Contains(err.Message, c.says) || !strings.Contains(err.Message, "openai_responses") {
			t.Errorf("%s: %v", c.body, err)
		}
		if err := scanResponses([]byte(c.body), &gateway.Request{}, func(*gateway.Request) bool { return true }); err != nil {
			t.Errorf("pinned, %s: %v", c.body, err)
		}
		if _, err := decodeResponses([]byte(c.body)); err == nil && !strings.Contains(c.body, `[{"type":"web_search"}]`) {
			t.Errorf("%s was translated for another provider", c.body)
		}
	}
	for _, body := range []string{`{}`, `{"input":[]}`, `{"input":[1]}`, `{"input":[{"role":"robot","content":"x"}]}`, `{"input":7}`,
		`{"input":[{"role":"user","content":7}]}`, `{"input":[{"role":"user","content":[{"type":"input_image","image_url":"ftp://x"}]}]}`,
		`{"input":"x","max_output_tokens":0}`, `{"input":"x","text":{"format":{"type":"xml"}}}`, `{"input":"x","text":{"format":{"type":"json_schema","name":"n"}}}`,
		`{"input":"x","tool_choice":"required"}`, `{"input":"x","tools":[{"type":"function"}]}`, `{"input":"x","tool_choice":"perhaps"}`,
		`{"input":"x","Input":"y"}`, `{"input":"x","stream":"yes"}`} {
		if err := scanResponses([]byte(body), &gateway.Request{}, unpinned); err == nil || err.Kind != gateway.Invalid {
			t.Errorf("%s: %v", body, err)
		}
	}
}

const twoCalls = `{"type":"function_call","call_id":"a","name":"f","arguments":"{}"},{"type":"function_call","call_id":"b","name":"f","arguments":"{}"}`

func speakers(chat *gateway.Chat) string {
	var out []string
	for _, m := range chat.Messages {
		word := string(m.Speaker)
		for _, c := range m.ToolCalls {
			word += ":" + c.ID
		}
		out = append(out, word+m.ToolCallID)
	}
	return strings.Join(out, " ")
}

func TestResponsesCallsStayWithTheirResults(t *testing.T) {
	output := func(id string) string {
		return `{"type":"function_call_output","call_id":"` + id + `","output":[{"type":"input_text","text":"r` + id + `"}]}`
	}
	ours := func(id string, n string) string {
		return `{"type":"function_call","id":"fc_00000000000000000000000000000001_` + n + `","call_id":"` + id + `","name":"f","arguments":"{}"}`
	}
	for _, c := range []struct{ items, want string }{
		{twoCalls + "," + output("a") + "," + output("b"), "assistant:a:b toola toolb"},
		{twoCalls + "," + output("b") + "," + output("a"), "assistant:a:b toola toolb"},
		{twoCalls + `,{"role":"user","content":"and"},` + output("a") + "," + output("b"), "assistant:a:b toola toolb user"},
		{ours("a", "0") + "," + output("a") + "," + ours("b", "1") + "," + output("b"), "assistant:a:b toola toolb"},
		{`{"type":"function_call","call_id":"a","name":"f","arguments":"{}"},` + output("a") + `,{"type":"function_call","call_id":"a","name":"f","arguments":"{}"},` + output("a"), "assistant:a toola assistant:a toola"},
		{`{"role":"assistant","content":"hm"},{"type":"reasoning","summary":[]},` + twoCalls + "," + output("a") + "," + output("b") + `,{"role":"assistant","content":[{"type":"output_text","text":"so"}]}`,
			"assistant:a:b toola toolb assistant"},
		{`{"type":"custom_tool_call","call_id":"a","name":"apply_patch","input":"x\"y"},{"type":"custom_tool_call_output","call_id":"a","output":"ok"}`, "assistant:a toola"},
		{`{"type":"local_shell_call","id":"lsh_1","call_id":"a","status":"completed","action":{"type":"exec","command":["ls"],"env":{}}},{"type":"local_shell_call_output","id":"a","output":"ok"}`, "assistant:a toola"},
		{`{"type":"reasoning","summary":[],"encrypted_content":"x"}`, ""},
	} {
		_, chat := scanned(t, `{"input":[`+c.items+`]}`)
		if got := speakers(chat); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.items, got, c.want)
		}
	}
	_, chat := scanned(t, `{"input":[`+twoCalls+","+output("a")+","+output("b")+","+output("a")+`]}`)
	if got := speakers(chat); got != "assistant:a:b toola toolb" || len(chat.Messages[1].Parts) != 2 {
		t.Errorf("a tool that reports twice: %s, %+v", got, chat.Messages[1])
	}
	for _, items := range []string{twoCalls + "," + output("a"), output("a"), output("a") + "," + twoCalls + "," + output("b")} {
		req := &gateway.Request{}
		if err := scanResponses([]byte(`{"input":[`+items+`]}`), req, unpinned); err != nil {
			t.Fatal(err)
		}
		if _, err := req.Chat(); gateway.KindOf(err) != gateway.Invalid {
			t.Errorf("%s: %v", items, err)
		}
	}
}

// Codex offers its tools among the input to the models it knows. They are tools like the rest.
func TestResponsesToolsAmongTheInput(t *testing.T) {
	body := `{"tools":[{"type":"function","name":"first"}],"tool_choice":"required","input":[{"type":"additional_tools","id":"at_1","role":"developer","tools":[` +
		`{"type":"namespace","name":"functions","tools":[{"type":"custom","name":"exec"},{"type":"function","name":"wait"}]}]},{"role":"user","content":"x"}]}`
	req, chat := scanned(t, body)
	var names []string
	for _, one := range chat.Tools {
		names = append(names, one.Name)
	}
	if got := strings.Join(names, " "); got != "first functions__exec functions__wait" || !req.Needs.Tools || len(chat.Messages) != 1 {
		t.Errorf("%s, %+v, %d messages", got, req.Needs, len(chat.Messages))
	}
	head := newResponsesHead(req, nil)
	if one := head.tools["functions__exec"]; one != (clientTool{customShape, "exec", "functions"}) {
		t.Errorf("a call of it would be told as %+v", one)
	}
	for _, tools := range []string{`[{"type":"computer"}]`, `[{"type":"function"}]`} {
		if err := scanResponses([]byte(strings.Replace(body, `[{"type":"namespace"`, tools[:len(tools)-1]+`,{"type":"namespace"`, 1)), &gateway.Request{}, unpinned); err == nil || err.Kind != gateway.Invalid {
			t.Errorf("%s: %v", tools, err)
		}
	}
}

// A search for tools that the client runs is a function, and what it found is offered.
func TestResponsesToolSearch(t *testing.T) {
	body := `{"tools":[{"type":"function","name":"first"},{"type":"tool_search","execution":"client","description":"Finds tools.","parameters":{"type":"object"}}],"input":[{"role":"user","content":"x"},` +
		`{"type":"tool_search_call","call_id":"a","status":"completed","execution":"client","arguments":{"query":"q"}},{"type":"tool_search_call","call_id":"b","execution":"client","arguments":{}},` +
		`{"type":"tool_search_output","call_id":"a","status":"completed","execution":"client","tools":[{"type":"namespace","name":"mcp__fs","tools":[{"type":"function","name":"read","defer_loading":true,"parameters":{}}]}]},` +
		`{"type":"tool_search_output","call_id":"b","execution":"client","tools":[]},` +
		`{"type":"tool_search_call","call_id":"c","execution":"client","arguments":{}},{"type":"tool_search_output","call_id":"c","execution":"client","tools":[{"type":"namespace","name":"mcp__fs","tools":[{"type":"function","name":"read"}]}]}]}`
	req, chat := scanned(t, body)
	var names []string
	for _, one := range chat.Tools {
		names = append(names, one.Name)
	}
	if got := strings.Join(names, " "); got != "first tool_search mcp__fs__read" || !req.Needs.Tools || chat.Tools[1].Description != "Finds tools." {
		t.Errorf("%s, %+v", got, req.Needs)
	}
	if got := speakers(chat); got != "user assistant:a:b toola toolb assistant:c toolc" {
		t.Error(got)
	} else if a, b := chat.Messages[2].Parts[0].Text, chat.Messages[3].Parts[0].Text; !strings.Contains(a, "mcp__fs__read") || b != "No tool was found." {
		t.Errorf("%q, %q", a, b)
	}
	if calls := req.Loop.Calls; len(calls) != 3 || calls[2] != "c" {
		t.Errorf("the loop goes on with %q", calls)
	}
	head := newResponsesHead(req, nil)
	if head.tools["tool_search"].shape != searchShape || head.tools["mcp__fs__read"] != (clientTool{functionShape, "read", "mcp__fs"}) {
		t.Errorf("calls would be told as %+v", head.tools)
	}
	for _, other := range []string{strings.Replace(body, `"execution":"client","description"`, `"description"`, 1), strings.Replace(body, `"execution":"client","arguments":{"query"`, `"execution":"server","arguments":{"query"`, 1)} {
		if err := scanResponses([]byte(other), &gateway.Request{}, unpinned); err == nil || err.Kind != gateway.Invalid {
			t.Errorf("a search of OpenAI's own servers: %v", err)
		}
	}
}

// What another provider wants back is read where it is ours, and never sent to OpenAI.
func TestResponsesStateComesBack(t *testing.T) {
	var s state
	s.think(gateway.Thinking{Maker: "anthropic", Model: "m", Text: "hm", Signature: "s"})
	s.sign(gateway.Thinking{Maker: "gemini"}, "a", "g")
	older := olderMark + encode(`{"t":[{"k":"anthropic","m":"m","x":"hm","s":"s"}],"c":[{"i":"a","s":"g"}]}`)
	for _, sealed := range []string{gateway.Seal(s...), older} {
		stateComesBack(t, sealed)
	}
	for _, damaged := range []string{olderMark, olderMark + "!!!", olderMark + "e30x", gateway.SealMark, gateway.SealMark + "!!!"} {
		if _, ok := responsesState(damaged, "why"); ok {
			t.Errorf("%s was read", damaged)
		}
	}
}

func stateComesBack(t *testing.T, sealed string) {
	t.Helper()
	body := `{"model":"m", "input":[{"role":"user","content":"x"}, {"type":"reasoning","summary":[],"encrypted_content":"` + sealed + `"},` +
		`{"type":"reasoning","id":"rs_00000000000000000000000000000001_0","summary":[{"type":"summary_text","text":"hm"}]},` +
		`{"type":"reasoning","summary":[],"encrypted_content":"gAAAA"},{"type":"function_call","call_id":"a","name":"f","arguments":"{}"},` +
		`{"type":"function_call_output","call_id":"a","output":"ok"}], "store":false}`
	req, chat := scanned(t, body)
	m := chat.Messages[1]
	if req.Loop.Maker != "openai" || len(req.Loop.Calls) != 1 {
		t.Errorf("the loop is %+v", req.Loop)
	}
	if len(m.Thinking) != 2 || m.Thinking[0].Signature != "s" || m.Thinking[1].Signature != "gAAAA" || m.ToolCalls[0].Signature != "g" {
		t.Errorf("%+v", m)
	}
	want := `{"model":"m", "input":[{"role":"user","content":"x"},{"type":"reasoning","summary":[],"encrypted_content":"gAAAA"},` +
		`{"type":"function_call","call_id":"a","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"a","output":"ok"}], "store":false}`
	if string(req.Raw) != want {
		t.Errorf("relayed is\n%s\nwant\n%s", req.Raw, want)
	}
}

func FuzzDecodeResponses(f *testing.F) {
	for _, name := range []string{"request.codex_like.json", "request.simple.json", "request.previous.json"} {
		f.Add(fixture(f, "openai-responses/"+name))
	}
	f.Add([]byte(`{"input":[` + twoCalls + `,{"type":"function_call_output","call_id":"b","output":""},{"type":"reasoning","encrypted_content":"llmgw1.e30","summary":[{}]}]}`))
	f.Add([]byte(`{"input":[` + twoCalls + `,{"type":"function_call_output","call_id":"b","output":""},{"type":"reasoning","encrypted_content":"gw1.YQ...Yg.,YQ..Yg.Yw.","summary":[{}]}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, pinned := range []bool{false, true} {
			req := &gateway.Request{}
			if scanResponses(raw, req, func(*gateway.Request) bool { return pinned }) != nil {
				continue
			}
			chat, err := req.Chat()
			if !json.Valid(req.Raw) {
				t.Fatalf("what is relayed is no JSON: %s", req.Raw)
			}
			if err != nil {
				if kind := gateway.KindOf(err); kind != gateway.Invalid && kind != gateway.Unsupported {
					t.Fatalf("kind %v", kind)
				}
				continue
			}
			open := map[string]int{}
			for _, m := range chat.Messages {
				for _, c := range m.ToolCalls {
					open[c.ID]++
				}
				if m.Speaker == gateway.ToolSays {
					open[m.ToolCallID]--
				}
			}
			for id, n := range open {
				if n != 0 {
					t.Fatalf("call %q and its results differ by %d", id, n)
				}
			}
		}
	})
}
