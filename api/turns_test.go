package api

import (
	"net/http/httptest"
	"strings"
	"testing"

	"gateway"
)

// Turns of one speaker in a row are one: parallel calls may be split over two of them.
func TestMessagesTurnsOfOneSpeakerAreJoined(t *testing.T) {
	chat, err := decodeMessages([]byte(`{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"},
		{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]},
		{"role":"assistant","content":[{"type":"tool_use","id":"b","name":"f","input":{}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"1"},{"type":"tool_result","tool_use_id":"b","content":"2"}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if calls := chat.Messages[1].ToolCalls; len(calls) != 2 || calls[0].ID != "a" || calls[1].ID != "b" {
		t.Errorf("calls %+v", calls)
	}
}

// Tools without names are not two of one name.
func TestMessagesToolsWithoutNames(t *testing.T) {
	body := `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}],"tools":[
		{"type":"mcp_toolset","mcp_server_name":"a"},{"type":"mcp_toolset","mcp_server_name":"b"}]}`
	if err := scanMessagesBody(httptest.NewRequest("POST", "/v1/messages", nil), []byte(body), &gateway.Request{}); err != nil {
		t.Errorf("refused: %v", err)
	}
}

// A body's foreign signatures are cut out in one pass over it, also of a part that
// stands alone.
func TestGeminiForeignSignaturesAreCutInOnePass(t *testing.T) {
	for _, mark := range []string{sealBase64, olderBase64} {
		foreignIsCut(t, mark)
	}
}

func foreignIsCut(t *testing.T, mark string) {
	t.Helper()
	part := `{"text":"q","thought_signature":"` + mark + `abc"}`
	for _, body := range []string{
		`{"contents":[{"role":"model","parts":` + part + `}]}`,
		`{"contents":[{"role":"model","parts":[` + strings.Repeat(part+",", 20_000) + part + `]}]}`,
	} {
		req := &gateway.Request{}
		if err := scanGemini(httptest.NewRequest("POST", geminiPath, nil), []byte(body), req); err != nil {
			t.Fatal(err)
		}
		if raw := string(req.Raw); strings.Contains(raw, mark) || strings.Count(raw, unsignedCall) != strings.Count(body, mark) ||
			strings.Contains(raw, `"0":`) {
			t.Errorf("%.200s", raw)
		}
	}
}
