package providers

import (
	"strconv"
	"strings"
	"testing"

	"gateway"
)

// The results of a turn are put in their place without a look at those before them, also
// when what else the user says stands between.
func TestAnthropicPlacesManyResults(t *testing.T) {
	const n = 50_000
	chat := &gateway.Chat{Messages: []gateway.Message{{Speaker: gateway.User, Parts: []gateway.Part{{Text: "q"}}}}}
	for range n {
		chat.Messages = append(chat.Messages,
			gateway.Message{Speaker: gateway.ToolSays, ToolCallID: "c", Parts: []gateway.Part{{Text: "r"}}},
			gateway.Message{Speaker: gateway.User, Parts: []gateway.Part{{Text: "u"}}})
	}
	e := &messagesEdit{chat: chat, call: &gateway.Call{Model: &gateway.Model{}, Request: &gateway.Request{}}, rules: &claudeRules{}, ids: map[string]string{}}
	if err := e.history(); err != nil {
		t.Fatal(err)
	}
	var order strings.Builder
	content := e.body.Messages[0].Content
	for i := range content {
		order.WriteString(content[i].Type[:2])
	}
	if want := strings.Repeat("to", n) + strings.Repeat("te", n+1); len(e.body.Messages) != 1 || order.String() != want {
		t.Errorf("%d turns, %d blocks: results must come first", len(e.body.Messages), len(content))
	}
}

// A block is written once, where it stays: none makes way for one that comes later.
func TestAnthropicMovesNoBlock(t *testing.T) {
	const n = 500
	e := &messagesEdit{}
	var before []string // what the blocks of the turn say
	moved := 0
	look := func() {
		now := make([]string, 0, len(before)+1)
		for i := range e.body.Messages[0].Content {
			now = append(now, e.body.Messages[0].Content[i].Text)
		}
		for i, text := range before {
			if now[i] != text {
				moved++
			}
		}
		before = now
	}
	for i := range n {
		e.say("user", messagesBlock{Type: "text", Text: "text " + strconv.Itoa(i)})
		look()
		e.say("user", messagesBlock{Type: "tool_result", Text: "result " + strconv.Itoa(i)})
		look()
	}
	e.settle()
	look()
	if len(before) != 2*n || before[0] != "result 0" || before[n-1] != "result 499" || before[n] != "text 0" || moved > 0 {
		t.Errorf("%d blocks, of which were moved %d", len(before), moved)
	}
}
