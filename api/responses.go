package api

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/tidwall/gjson"

	"gateway"
)

const (
	responsesWire gateway.Wire = "openai_responses"
	// openAIMaker is whose encrypted reasoning the format has as it is.
	openAIMaker = "openai"
)

// responsesDialect is OpenAI's Responses API. Its scan is made per server: it must know
// which models are served by that API itself.
var responsesDialect = dialect{
	wire: responsesWire,
	claims: func(r *http.Request) bool {
		path := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/api/v1.0"), "/v1")
		return path == "/responses" || strings.HasPrefix(path, "/responses/")
	},
	endpoints: func(s *Server, d *dialect) []endpoint {
		here := *d
		here.scan = s.scanResponses
		return everywhere(endpoint{http.MethodPost, "/responses", spends, s.converse(&here)},
			endpoint{http.MethodPost, "/responses/input_tokens", spends, s.counting(s.scanResponses, `{"object":"response.input_tokens","input_tokens":`)},
			endpoint{http.MethodGet, "/responses/:id", free, s.notStored},
			endpoint{http.MethodDelete, "/responses/:id", free, s.notStored},
			endpoint{http.MethodGet, "/responses/:id/input_items", free, s.notStored},
			endpoint{http.MethodPost, "/responses/:id/cancel", free, s.notStored})
	},
	whole:   responsesWhole,
	events:  func(req *gateway.Request, a *gateway.Answer) eventWriter { return newResponsesEvents(req, a) },
	failure: responsesFailure,
	alive:   ": keep-alive\n\n",
}

func init() { register(&responsesDialect) }

func (s *Server) scanResponses(_ *http.Request, raw []byte, req *gateway.Request) *gateway.Error {
	return scanResponses(raw, req, s.servesResponses)
}

// servesResponses says whether a request's model, under the name that it is mapped to, is
// named together with its provider and that provider speaks this API itself: then it may
// be asked for what only it can do.
func (s *Server) servesResponses(req *gateway.Request) bool {
	models, pinned, err := s.catalog.Resolve(gateway.MapModel(req.Model, req.ModelMaps...))
	return err == nil && pinned && models[0].Protocol.Wire == responsesWire
}

// notStored answers everything about a response by its id.
func (s *Server) notStored(c *gin.Context) {
	s.failAs(c, http.StatusNotFound, "response_not_found", "Responses are not stored here: each request brings the whole conversation in \"input\".")
}

// responsesFailure is OpenAI's form, with the codes of its own for what is wrong with a request.
func responsesFailure(b []byte, p *problem, _ string) ([]byte, int) {
	if p.err != nil && p.err.Provider == "" && p.err.Code != "" {
		own := *p
		own.code = p.err.Code
		p = &own
	}
	return p.openAI(b), p.status
}

// responsesFees are those of a Responses body, but for its tools. A stored prompt may
// bring some of its own.
func responsesFees(name string, v gjson.Result) (dear, kept bool) {
	switch name {
	case "service_tier":
		dear = dearTier(v)
	case "prompt", "background", "context_management":
		dear = given(v)
	case "previous_response_id", "conversation":
		kept = given(v)
	}
	return dear, kept
}
