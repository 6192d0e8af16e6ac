package api

import (
	"net/http"

	"gateway"
)

// chatWire is the format's name, and of the bodies of /v1/embeddings.
const chatWire gateway.Wire = "openai_chat"

// chatMaker made the thinking_blocks that name no maker: they are Anthropic's in form.
const chatMaker = "anthropic"

// chatDialect is OpenAI's Chat Completions.
var chatDialect = dialect{
	claims: func(*http.Request) bool { return true },
	scan: func(_ *http.Request, raw []byte, req *gateway.Request) *gateway.Error {
		return scanChat(raw, req)
	},
	whole: func(b []byte, req *gateway.Request, a *gateway.Answer) []byte {
		return completionJSON(b, "chatcmpl-"+req.ID, req.Begun, a, req.Options.Receipt)
	},
	events: func(req *gateway.Request, a *gateway.Answer) eventWriter {
		return newChunkWriter("chatcmpl-"+req.ID, req.Begun, a, req.IncludeUsage)
	},
	failure: func(b []byte, p *problem, _ string) ([]byte, int) { return p.openAI(b), p.status },
	alive:   ": keep-alive\n\n",
}
