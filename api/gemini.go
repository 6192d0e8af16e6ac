package api

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/tidwall/gjson"

	"gateway"
)

const (
	geminiWire gateway.Wire = "gemini"
	// geminiMaker is whose signatures the format has as they are.
	geminiMaker = "gemini"
)

// geminiDialect is Google's generateContent, its streams as events. The Go SDK takes no
// comment for one, so silence is filled with empty lines. Source: genai v1.77.0. From
// 3.0 on the JavaScript SDK asks under /v1, where nobody else posts to a model.
var geminiDialect = dialect{
	claims: func(r *http.Request) bool {
		return strings.HasPrefix(r.URL.Path, "/v1beta/") || r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/v1/models/")
	},
	scan:   scanGemini,
	whole:  geminiWhole,
	events: func(req *gateway.Request, a *gateway.Answer) eventWriter { return newGeminiWriter(req, a) },
	failure: func(b []byte, p *problem, _ string) ([]byte, int) {
		status := p.googleStatus()
		return p.google(b, status), status.code
	},
	alive:   "\n\n",
	silence: "\n\n",
}

// geminiArrayDialect is the same without alt=sse: a stream is one JSON array.
var geminiArrayDialect = dialect{
	claims: geminiDialect.claims, scan: scanGemini, whole: geminiWhole, failure: geminiDialect.failure,
	events: func(req *gateway.Request, a *gateway.Answer) eventWriter {
		w := newGeminiWriter(req, a)
		w.array = true
		return w
	},
	alive: "\n", silence: "\n", media: "application/json",
}

// gemini is POST /v1beta/models/{model}:{method}, and the same under /v1.
func (s *Server) gemini(c *gin.Context) {
	switch _, method := geminiTarget(c.Request.URL.Path); {
	case method == geminiCount:
		s.countGemini(c)
	case method == geminiStream && c.Query("alt") != "sse":
		s.converse(&geminiArrayDialect)(c)
	case method != "":
		s.converse(&geminiDialect)(c)
	default:
		s.failAs(c, http.StatusNotFound, "not_found", "There is no such method: generateContent, streamGenerateContent and countTokens are.")
	}
}

// googleKey takes the key from where Google's clients put it. One in the address is
// never logged: only the route's pattern is.
func googleKey(c *gin.Context) {
	h := c.Request.Header
	if key := or(h.Get("x-goog-api-key"), c.Query("key")); key != "" && h.Get("Authorization") == "" {
		h.Set("x-api-key", key)
	}
}

// countGemini is countTokens.
func (s *Server) countGemini(c *gin.Context) {
	req, err := s.request0(c)
	if err == nil {
		var raw []byte
		if raw, err = s.readBody(c); err == nil {
			err = scanGemini(c.Request, countedBody(raw), req)
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
	c.Data(http.StatusOK, "application/json", append(appendInt(nil, `{"totalTokens":`, n), '}'))
}

// countedBody is the request whose tokens are asked for: it may stand inside of another.
func countedBody(raw []byte) []byte {
	if inner := gjson.GetBytes(raw, "generateContentRequest"); inner.IsObject() && gjson.ValidBytes(raw) {
		return []byte(inner.Raw)
	}
	return raw
}

// googleStatus is a failure in Google's words.
type googleStatus struct {
	code int
	word string
}

var googleWords = map[int]string{
	http.StatusBadRequest: "INVALID_ARGUMENT", http.StatusUnauthorized: "UNAUTHENTICATED", http.StatusPaymentRequired: "RESOURCE_EXHAUSTED",
	http.StatusForbidden: "PERMISSION_DENIED", http.StatusNotFound: "NOT_FOUND", http.StatusMethodNotAllowed: "UNIMPLEMENTED",
	http.StatusRequestEntityTooLarge: "INVALID_ARGUMENT", http.StatusTooManyRequests: "RESOURCE_EXHAUSTED", 499: "CANCELLED",
	http.StatusInternalServerError: "INTERNAL", http.StatusBadGateway: "UNAVAILABLE", http.StatusServiceUnavailable: "UNAVAILABLE",
	http.StatusGatewayTimeout: "DEADLINE_EXCEEDED",
}

func (p *problem) googleStatus() googleStatus {
	return googleStatus{p.status, or(googleWords[p.status], "UNKNOWN")}
}

// google writes a failure in Google's form. How long to wait stands in its details,
// where Google's clients look for it.
func (p *problem) google(b []byte, status googleStatus) []byte {
	b = appendInt(b, `{"error":{"code":`, status.code)
	b = append(b, `,"message":`...)
	text := p.message
	if p.param != "" && !strings.Contains(text, p.param) {
		text = p.param + ": " + text
	}
	b = appendString(b, text)
	b = append(b, `,"status":"`+status.word+`","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":`...)
	b = appendString(b, strings.ToUpper(p.code))
	b = append(b, `,"domain":"llm-gateway"`...)
	b = p.attempts(b)
	b = append(b, '}')
	if p.retry > 0 {
		b = append(b, `,{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":`...)
		b = appendString(b, strconv.FormatFloat(p.retry.Seconds(), 'f', -1, 64)+"s")
		b = append(b, '}')
	}
	return append(b, "]}}"...)
}

// geminiModels is GET /v1beta/models, and geminiModel one of them.
func (s *Server) geminiModels(c *gin.Context) {
	b := []byte(`{"models":[`)
	b = appendGeminiModel(b, &gateway.Model{Name: "auto", Can: gateway.Abilities{Chat: true}}, "auto")
	for _, m := range s.catalog.Models() {
		if mayUse(c, m) {
			b = appendGeminiModel(append(b, ','), m, m.Provider+"/"+m.Name)
		}
	}
	c.Data(http.StatusOK, "application/json", append(b, "]}"...))
}

func (s *Server) geminiModel(c *gin.Context) {
	id, _ := geminiTarget(c.Request.URL.Path)
	all := s.catalog.Models()
	i := slices.IndexFunc(all, func(m *gateway.Model) bool {
		return (id == m.Provider+"/"+m.Name || id == m.Name) && mayUse(c, m)
	})
	if i < 0 {
		s.fail(c, gateway.Errorf(gateway.UnknownModel, "There is no model of this name."))
		return
	}
	c.Data(http.StatusOK, "application/json", appendGeminiModel(nil, all[i], all[i].Provider+"/"+all[i].Name))
}

func appendGeminiModel(b []byte, m *gateway.Model, id string) []byte {
	b = append(b, `{"name":`...)
	b = appendString(b, "models/"+id)
	b = append(b, `,"version":"1","displayName":`...)
	b = appendString(b, id)
	if m.Context > 0 {
		b = appendInt(b, `,"inputTokenLimit":`, m.Context)
	}
	if m.MaxOutput > 0 {
		b = appendInt(b, `,"outputTokenLimit":`, m.MaxOutput)
	}
	b = append(b, `,"supportedGenerationMethods":[`...)
	if m.Can.Chat {
		b = append(b, `"generateContent","streamGenerateContent","countTokens"`...)
	}
	return append(b, "]}"...)
}
