package api

import (
	"net/http"
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
	wire: geminiWire,
	claims: func(r *http.Request) bool {
		return strings.HasPrefix(r.URL.Path, "/v1beta/") || r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/v1/models/")
	},
	key: googleKey,
	endpoints: func(s *Server, d *dialect) []endpoint {
		generate := s.generate(d)
		return []endpoint{{http.MethodGet, "/v1beta/models", free, s.geminiModels}, {http.MethodGet, "/v1beta/models/*id", free, s.geminiModel},
			{http.MethodPost, "/v1beta/models/*id", spends, generate}, {http.MethodPost, "/v1/models/*id", spends, generate}}
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

func init() { register(&geminiDialect) }

// generate is POST /v1beta/models/{model}:{method}, and the same under /v1. Without alt=sse
// a stream is one JSON array.
func (s *Server) generate(d *dialect) gin.HandlerFunc {
	array := *d
	array.events = func(req *gateway.Request, a *gateway.Answer) eventWriter {
		w := newGeminiWriter(req, a)
		w.array = true
		return w
	}
	array.alive, array.silence, array.media = "\n", "\n", "application/json"
	events, list := s.converse(d), s.converse(&array)
	tokens := s.counting(countGemini, `{"totalTokens":`)
	return func(c *gin.Context) {
		switch _, method := geminiTarget(c.Request.URL.Path); {
		case method == geminiCount:
			tokens(c)
		case method == geminiStream && c.Query("alt") != "sse":
			list(c)
		case method != "":
			events(c)
		default:
			s.failAs(c, http.StatusNotFound, "not_found", "There is no such method: generateContent, streamGenerateContent and countTokens are.")
		}
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

// countGemini scans the body of countTokens.
func countGemini(r *http.Request, raw []byte, req *gateway.Request) *gateway.Error {
	return scanGemini(r, countedBody(raw), req)
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
	m := s.modelOf(c, id)
	if m == nil {
		s.noModel(c)
		return
	}
	c.Data(http.StatusOK, "application/json", appendGeminiModel(nil, m, m.Provider+"/"+m.Name))
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

// geminiFees are those of a generateContent body: of the tools only functions are
// free.
func geminiFees(name string, v gjson.Result) (dear, kept bool) {
	switch name {
	case "serviceTier", "service_tier":
		dear = dearTier(v)
	case "tools":
		v.ForEach(func(_, group gjson.Result) bool {
			group.ForEach(func(key, _ gjson.Result) bool {
				dear = dear || key.Str != "functionDeclarations" && key.Str != "function_declarations"
				return !dear
			})
			return !dear
		})
	case "generationConfig", "generation_config":
		dear = beyondText(either(v, "responseModalities", "response_modalities"))
	case "cachedContent", "cached_content", "continuationToken", "continuation_token":
		kept = given(v)
	}
	return dear, kept
}
