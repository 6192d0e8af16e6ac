package api

import (
	"net/http"
	"strings"

	"github.com/tidwall/gjson"

	"gateway"
)

const (
	messagesWire gateway.Wire = "anthropic_messages"
	// messagesMaker is whose signatures the format has as they are; those of others are sealed.
	messagesMaker = "anthropic"
)

// messagesDialect is Anthropic's Messages. A provider of the same format gets the body as
// it came and its events go out as they came; see package providers for what is replaced.
var messagesDialect = dialect{
	wire: messagesWire,
	claims: func(r *http.Request) bool {
		path := r.URL.Path
		return path == "/v1/messages" || strings.HasPrefix(path, "/v1/messages/") ||
			strings.HasPrefix(path, "/v1/models") && r.Method != http.MethodPost && r.Header.Get("anthropic-version") != ""
	},
	endpoints: func(s *Server, d *dialect) []endpoint {
		return []endpoint{{http.MethodPost, "/v1/messages", spends, s.converse(d)},
			{http.MethodPost, "/v1/messages/count_tokens", counts, s.counting(countMessages, `{"input_tokens":`)}}
	},
	idHeader: "Request-Id",
	models:   (*Server).messagesModels,
	scan:     scanMessagesBody,
	whole:    messageJSON,
	events: func(req *gateway.Request, a *gateway.Answer) eventWriter {
		return newMessageWriter(req, a)
	},
	failure: func(b []byte, p *problem, id string) ([]byte, int) {
		e := p.messagesEdge()
		return p.messages(b, e.kind, id), e.status
	},
	names: "Request-Id",
	alive: "event: ping\ndata: {\"type\":\"ping\"}\n\n",
}

func init() { register(&messagesDialect) }

// countMessages scans a body whose tokens are asked for.
func countMessages(r *http.Request, raw []byte, req *gateway.Request) *gateway.Error {
	_, err := scanPrompt(r, raw, req)
	return err
}

// messagesEdges are the statuses and types that differ from those of OpenAI's shape.
// 529 is what Anthropic's clients wait and ask again for. Source: wire reference 8.5, 14.
var messagesEdges = map[gateway.Kind]messagesEdge{
	gateway.Unauthorized:   {http.StatusUnauthorized, "authentication_error"},
	gateway.UnknownModel:   {http.StatusNotFound, "not_found_error"},
	gateway.TooLarge:       {http.StatusRequestEntityTooLarge, "request_too_large"},
	gateway.RateLimited:    {http.StatusTooManyRequests, "rate_limit_error"},
	gateway.Overloaded:     {529, "overloaded_error"},
	gateway.NoCapacity:     {529, "overloaded_error"},
	gateway.CircuitOpen:    {529, "overloaded_error"},
	gateway.Draining:       {529, "overloaded_error"},
	gateway.Timeout:        {http.StatusGatewayTimeout, "timeout_error"},
	gateway.Deadline:       {http.StatusGatewayTimeout, "timeout_error"},
	gateway.BudgetExceeded: {http.StatusPaymentRequired, "billing_error"},
}

type messagesEdge struct {
	status int
	kind   string
}

// messagesEdge is the status and the type of an error in Anthropic's words.
func (p *problem) messagesEdge() messagesEdge {
	if p.err != nil {
		if e, ok := messagesEdges[p.err.Kind]; ok && !(p.err.Kind == gateway.Unauthorized && p.status == http.StatusForbidden) {
			return e
		}
	}
	switch {
	case p.status == http.StatusForbidden:
		return messagesEdge{p.status, "permission_error"}
	case p.status == http.StatusTooManyRequests:
		return messagesEdge{p.status, "rate_limit_error"}
	case p.status == http.StatusNotFound:
		return messagesEdge{p.status, "not_found_error"}
	case p.status >= http.StatusInternalServerError:
		return messagesEdge{p.status, "api_error"}
	}
	return messagesEdge{p.status, "invalid_request_error"}
}

// messages writes the error. Claude Code compacts the conversation when it reads that
// the prompt is too long, so that is said in Anthropic's words whoever found it out.
func (p *problem) messages(b []byte, kind, id string) []byte {
	text := p.message
	if p.err != nil && p.err.Kind == gateway.ContextLength && !strings.Contains(text, "prompt is too long") {
		text = "prompt is too long: " + text
	}
	if p.param != "" && !strings.Contains(text, p.param) {
		text = p.param + ": " + text
	}
	b = append(b, `{"type":"error","error":{"type":`...)
	b = appendString(b, kind)
	b = append(b, `,"message":`...)
	b = appendString(b, text)
	b = p.attempts(b)
	b = append(b, `},"request_id":`...)
	b = appendString(b, id)
	return append(b, '}')
}

// messagesFees are those of a Messages body: tools that Anthropic runs, fast mode,
// data that must stay in a country, and summaries that cost a call of their own.
func messagesFees(name string, v gjson.Result) (dear, kept bool) {
	switch name {
	case "service_tier":
		dear = dearTier(v)
	case "speed":
		dear = v.Type != gjson.Null && v.Str != "standard"
	case "inference_geo":
		dear = v.Type != gjson.Null && v.Str != "global"
	case "mcp_servers", "container":
		dear = given(v)
	case "tools":
		dear = anyType(v, func(kind string) bool { return kind != "" && kind != "custom" && !runsAtClient(kind) })
	case "context_management":
		dear = anyType(v.Get("edits"), func(kind string) bool { return strings.HasPrefix(kind, "compact") })
	}
	return dear, kept
}
