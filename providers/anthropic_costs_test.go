package providers

import (
	"strings"
	"testing"
	"time"

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
	begun := time.Now()
	if err := e.history(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("%d results took %v", n, took)
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
