package api

import (
	"io"
	"strings"
	"testing"

	"gateway"
)

// The last block of a message is what clients take for its answer.
func TestMessagesEndInTheAnswer(t *testing.T) {
	state := gateway.Chunk{Thinking: []gateway.Thinking{{Maker: "gemini", Model: "m", Signature: "s"}}}
	for name, c := range map[string]struct {
		chunks []gateway.Chunk
		blocks string
	}{
		"state behind the text": {[]gateway.Chunk{{Text: "Hi"}, state, finished(gateway.FinishStop)}, "text"},
		"state before the text": {[]gateway.Chunk{state, {Text: "Hi"}, finished(gateway.FinishStop)}, "redacted_thinking text"},
		"a call behind both":    {[]gateway.Chunk{{Text: "Hi"}, state, tool(0, "a", "f", "{}"), finished(gateway.FinishToolCalls)}, "text redacted_thinking tool_use"},
		"text behind both":      {[]gateway.Chunk{{Text: "Hi"}, state, {Text: " there"}, finished(gateway.FinishStop)}, "text redacted_thinking text"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, answers(c.chunks, io.EOF), nil)
			_, body := post(t, srv, "/v1/messages", `{"model":"auto","max_tokens":9,"stream":true,"thinking":{"type":"adaptive"},"tools":[{"name":"f","input_schema":{"type":"object"}}],"messages":[{"role":"user","content":"Hi"}]}`)
			var blocks []string
			for event := range strings.SplitSeq(body, "\n\n") {
				if _, block, is := strings.Cut(event, `"content_block":{"type":"`); is {
					kind, _, _ := strings.Cut(block, `"`)
					blocks = append(blocks, kind)
				}
			}
			if got := strings.Join(blocks, " "); got != c.blocks || !strings.HasSuffix(body, "data: {\"type\":\"message_stop\"}\n\n") {
				t.Errorf("blocks are %s, want %s:\n%s", got, c.blocks, body)
			}
		})
	}
}
