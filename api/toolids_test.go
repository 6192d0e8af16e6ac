package api

import (
	"context"
	"io"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"gateway"
)

var idOfMessages = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

func FuzzMessagesID(f *testing.F) {
	for _, id := range []string{"functions.read_file:0", "toolu_01-A", "gw1_", "gw1_a-", "gw1_a-zz", "gw1_a-p", "gw1_a-2e", "日本", "\xff", "a b", "fc|a/b", strings.Repeat("long-", 20)} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		got := messagesID(id)
		if utf8.ValidString(id) && ownID(got) != id {
			t.Errorf("%q became %q, which is %q", id, got, ownID(got))
		}
		if id != "" && !idOfMessages.MatchString(got) {
			t.Errorf("%q became %q", id, got)
		}
		if fits := idOfMessages.MatchString(id) && len(id) <= gateway.MaxClaudeToolID; fits && !strings.HasPrefix(id, gateway.EscapedToolID) && got != id {
			t.Errorf("%q fits and became %q", id, got)
		}
		if got != id && !strings.HasPrefix(got, gateway.EscapedToolID) || got == id && len(id) > gateway.MaxClaudeToolID {
			t.Errorf("%q became %q, of which nobody sees that it may be too long", id, got)
		}
		if own := ownID(id); own != id && messagesID(own) != id {
			t.Errorf("%q became %q, of which it was not made", id, own)
		} else if utf8.ValidString(id) && !utf8.ValidString(own) {
			t.Errorf("%q became %q, which is no text", id, own)
		}
	})
}

// An id that only looks as if it had been escaped is its maker's own.
func TestIDsThatWereNotEscapedStay(t *testing.T) {
	for _, id := range []string{"gw1_", "gw1_abc", "gw1_-ff", "gw1_a-2E", "gw1_a-2e", "gw1_a-61", "gw1_a-", "gw1_a-zz", "toolu_1", ""} {
		if own := ownID(id); own != id {
			t.Errorf("%q became %q", id, own)
		}
	}
}

// Ids as they are made today stay short enough for Anthropic where that is possible.
func TestEscapedIDsAreShort(t *testing.T) {
	name := strings.Repeat("n", 45)
	if got := messagesID("functions." + name + ":12"); got != "gw1_functions-p"+name+"-q12" || len(got) > gateway.MaxClaudeToolID {
		t.Errorf("%q has %d characters", got, len(got))
	}
}

// A client of Anthropic's format gets ids that Anthropic takes; whoever made the call
// gets its own back.
func TestMessagesClientsGetIDsThatFit(t *testing.T) {
	const id = "functions.read_file:0"
	chunks := []gateway.Chunk{{Tools: []gateway.ToolDelta{{ID: id, Name: "read_file", Arguments: "{}"}}}, {Finish: gateway.FinishToolCalls}}
	var asked *gateway.Request
	srv := serve(t, func(ctx context.Context, req *gateway.Request) (*gateway.Answer, error) {
		asked = req
		return answers(chunks, io.EOF)(ctx, req)
	}, nil)
	head := `{"model":"auto","max_tokens":9,"messages":[{"role":"user","content":"read"}`
	_, whole := post(t, srv, "/v1/messages", head+`]}`)
	got := gjson.Get(whole, "content.0.id").Str
	_, stream := post(t, srv, "/v1/messages", head+`],"stream":true}`)
	if !idOfMessages.MatchString(got) || !strings.Contains(stream, `"id":"`+got+`"`) || strings.Contains(stream, id) {
		t.Errorf("the id is %q; the stream is\n%s", got, stream)
	}
	post(t, srv, "/v1/messages", head+`,{"role":"assistant","content":[{"type":"tool_use","id":"`+got+`","name":"read_file","input":{}}]},`+
		`{"role":"user","content":[{"type":"tool_result","tool_use_id":"`+got+`","content":"text"}]}]}`)
	chat, err := asked.Chat()
	if err != nil || len(chat.Messages) != 3 || chat.Messages[1].ToolCalls[0].ID != id || chat.Messages[2].ToolCallID != id {
		t.Fatalf("%v: %+v", err, chat)
	}
	if calls := asked.Loop.Calls; len(calls) != 2 || calls[0] != got || calls[1] != id {
		t.Errorf("the loop goes on with %q", calls)
	}
}
