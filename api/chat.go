package api

import (
	"net/http"

	"github.com/tidwall/gjson"

	"gateway"
)

// chatWire is the format's name, and of the bodies of /v1/embeddings.
const chatWire gateway.Wire = "openai_chat"

// chatMaker made the thinking_blocks that name no maker: such blocks are of the Messages format.
const chatMaker = messagesMaker

// chatDialect is OpenAI's Chat Completions. Whatever no other format claims is told in it.
var chatDialect = dialect{
	wire: chatWire,
	endpoints: func(s *Server, d *dialect) []endpoint {
		return everywhere(endpoint{http.MethodPost, "/chat/completions", spends, s.converse(d)},
			endpoint{http.MethodPost, "/embeddings", spends, s.embeddings})
	},
	models: (*Server).chatModels,
	scan: func(_ *http.Request, raw []byte, req *gateway.Request) *gateway.Error {
		return scanChat(raw, req)
	},
	whole: func(b []byte, req *gateway.Request, a *gateway.Answer) []byte {
		return completionJSON(b, req.ID, req.Begun, a, req.Options.Receipt)
	},
	events: func(req *gateway.Request, a *gateway.Answer) eventWriter {
		return newChunkWriter(req.ID, req.Begun, a, req.IncludeUsage)
	},
	failure: func(b []byte, p *problem, _ string) ([]byte, int) { return p.openAI(b), p.status },
	alive:   ": keep-alive\n\n",
}

func init() { register(&chatDialect) }

// chatFees are those of a Chat Completions body. Servers of this format have added
// searches, and lists of other models, under names of their own.
func chatFees(name string, v gjson.Result) (dear, kept bool) {
	switch name {
	case "service_tier":
		dear = dearTier(v)
	case "web_search", "search_parameters":
		dear = searches(v)
	case "web_search_options", "enable_search", "plugins", "models", "audio",
		"prediction", "mcp_servers", "container", "background":
		dear = given(v)
	case "modalities":
		dear = beyondText(v)
	case "tools":
		dear = anyType(v, func(kind string) bool { return kind != "" && kind != "function" && kind != "custom" })
	case "previous_response_id", "conversation":
		kept = given(v)
	}
	return dear, kept
}
