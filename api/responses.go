package api

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

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
	claims: func(r *http.Request) bool {
		path := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/api/v1.0"), "/v1")
		return path == "/responses" || strings.HasPrefix(path, "/responses/")
	},
	whole:   responsesWhole,
	events:  func(req *gateway.Request, a *gateway.Answer) eventWriter { return newResponsesEvents(req, a) },
	failure: responsesFailure,
	alive:   ": keep-alive\n\n",
}

// responses is the format with the models of this server.
func (s *Server) responses() *dialect {
	d := responsesDialect
	d.scan = func(_ *http.Request, raw []byte, req *gateway.Request) *gateway.Error {
		return scanResponses(raw, req, s.servesResponses)
	}
	return &d
}

// servesResponses says whether a request's model, under the name that it is mapped to, is
// named together with its provider and that provider speaks this API itself: then it may
// be asked for what only it can do.
func (s *Server) servesResponses(req *gateway.Request) bool {
	models, pinned, err := s.catalog.Resolve(gateway.MapModel(req.Model, req.ModelMaps...))
	return err == nil && pinned && models[0].Protocol.Wire == responsesWire
}

// countResponses is POST /v1/responses/input_tokens.
func (s *Server) countResponses(c *gin.Context) {
	req, err := s.request0(c)
	if err == nil {
		var raw []byte
		if raw, err = s.readBody(c); err == nil {
			err = scanResponses(raw, req, s.servesResponses)
		}
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	event(c).model = req.Model
	n, failure := s.count(c, req)
	if failure != nil {
		s.fail(c, failure)
		return
	}
	c.Data(http.StatusOK, "application/json", append(appendInt([]byte(`{"object":"response.input_tokens"`), `,"input_tokens":`, n), '}'))
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
