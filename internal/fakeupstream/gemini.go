package fakeupstream

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// gemini is Google's generateContent.
type gemini struct{}

// geminiMethod splits the path of a call on a model.
func geminiMethod(r *http.Request) (model, method string) {
	rest, is := strings.CutPrefix(r.URL.Path, "/v1beta/models/")
	if !is || r.Method != http.MethodPost {
		return "", ""
	}
	model, method, _ = strings.Cut(rest, ":")
	return model, method
}

func (gemini) route(r *http.Request) func(*Server, http.ResponseWriter, *http.Request) {
	if r.Method == http.MethodGet && r.URL.Path == "/v1beta/models" {
		return listModels
	}
	switch _, method := geminiMethod(r); method {
	case "generateContent", "streamGenerateContent":
		return chat
	case "batchEmbedContents":
		return embedding(readGeminiEmbed, writeGeminiEmbed)
	case "countTokens":
		return countGemini
	}
	return nil
}

func (gemini) key(r *http.Request) string { return r.Header.Get("X-Goog-Api-Key") }

func (gemini) ids(i int, seed uint64) string { return fmt.Sprintf("fc_%d_%08x", i, uint32(seed)) }

func (gemini) contentType() string { return "text/event-stream" }

func (gemini) keepAlive() []byte { return nil }

func (gemini) broken(payload string) []byte { return []byte("data: " + payload + "\r\n\r\n") }

func (w gemini) failed(no refusal) []byte { return w.broken(string(w.refusal(no))) }

func (gemini) adjust(no refusal) refusal {
	switch no.code {
	case "invalid_api_key":
		no.status, no.message = http.StatusBadRequest, "API key not valid. Please pass a valid API key."
	case "context_length_exceeded":
		no.message = "The input token count (1196265) exceeds the maximum number of tokens allowed (1048575)."
	case "server_is_overloaded":
		no.message = "The model is overloaded."
	}
	return no
}

type geminiError struct {
	Code    int            `json:"code"`
	Message string         `json:"message"`
	Status  string         `json:"status"`
	Details []geminiDetail `json:"details,omitempty"`
}

type geminiDetail struct {
	Type       string            `json:"@type"`
	Violations []geminiViolation `json:"violations,omitempty"`
	RetryDelay string            `json:"retryDelay,omitempty"`
	Reason     string            `json:"reason,omitempty"`
}

type geminiViolation struct {
	QuotaID string `json:"quotaId"`
}

func (gemini) refusal(no refusal) []byte {
	words := map[int]string{400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED",
		500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}
	out := geminiError{Code: no.status, Message: no.message, Status: words[no.status]}
	const rpc = "type.googleapis.com/google.rpc."
	if no.code == "invalid_api_key" {
		out.Details = []geminiDetail{{Type: rpc + "ErrorInfo", Reason: "API_KEY_INVALID"}}
	}
	if no.status == http.StatusTooManyRequests {
		out.Details = []geminiDetail{{Type: rpc + "QuotaFailure",
			Violations: []geminiViolation{{"GenerateRequestsPerMinutePerProjectPerModel"}}}}
		if no.retryAfter > 0 {
			out.Details = append(out.Details, geminiDetail{Type: rpc + "RetryInfo", RetryDelay: fmt.Sprintf("%gs", no.retryAfter.Seconds())})
		}
	}
	return mustJSON(struct {
		Error geminiError `json:"error"`
	}{out})
}

func (gemini) models(names []string) any {
	type model struct {
		Name    string   `json:"name"`
		Methods []string `json:"supportedGenerationMethods"`
	}
	var list struct {
		Models []model `json:"models"`
	}
	for _, name := range names {
		list.Models = append(list.Models, model{"models/" + name, []string{"generateContent", "countTokens"}})
	}
	return list
}

// geminiPart is a part of a turn, asked or answered.
type geminiPart struct {
	Text      *string         `json:"text,omitzero"`
	Thought   bool            `json:"thought,omitzero"`
	Signature string          `json:"thoughtSignature,omitempty"`
	Call      *geminiCall     `json:"functionCall,omitzero"`
	Response  *geminiResponse `json:"functionResponse,omitzero"`
	Inline    jsontext.Value  `json:"inlineData,omitzero"`
	File      jsontext.Value  `json:"fileData,omitzero"`
}

type geminiCall struct {
	ID   string         `json:"id,omitempty"`
	Name string         `json:"name"`
	Args jsontext.Value `json:"args,omitzero"`
}

type geminiResponse struct {
	ID       string         `json:"id"`
	Name     string         `json:"name"`
	Response jsontext.Value `json:"response"`
	Parts    jsontext.Value `json:"parts"`
}

type geminiContent struct {
	Role  string       `json:"role,omitempty"`
	Parts []geminiPart `json:"parts"`
}

type geminiUsage struct {
	Prompt     int `json:"promptTokenCount"`
	Cached     int `json:"cachedContentTokenCount,omitzero"`
	Candidates int `json:"candidatesTokenCount,omitzero"`
	Thoughts   int `json:"thoughtsTokenCount,omitzero"`
	Total      int `json:"totalTokenCount"`
}

type geminiCandidate struct {
	Index   int            `json:"index"`
	Content *geminiContent `json:"content,omitzero"`
	Finish  string         `json:"finishReason,omitempty"`
}

type geminiAnswer struct {
	Candidates []geminiCandidate `json:"candidates"`
	Usage      geminiUsage       `json:"usageMetadata"`
	Version    string            `json:"modelVersion"`
	ID         string            `json:"responseId"`
}

// skipSignature is what a caller sends when it has lost a signature.
const skipSignature = "skip_thought_signature_validator"

// callSignature vouches for a call, to the account that it was made for.
func callSignature(account, name string, args jsontext.Value) string {
	return opaque(account + "\x00" + name + canonical(string(args)))
}

func (t *talk) geminiAnswer(a answer, said int, parts []geminiPart, finish string) geminiAnswer {
	thoughts := min(said, a.usage.Reasoning)
	out := geminiAnswer{Version: t.model, ID: fmt.Sprintf("%016x", sum(t.question)),
		Usage: geminiUsage{a.usage.Prompt, a.usage.Cached, said - thoughts, thoughts, a.usage.Prompt + said}}
	one := geminiCandidate{Finish: finish}
	if len(parts) > 0 {
		one.Content = &geminiContent{"model", parts}
	}
	out.Candidates = []geminiCandidate{one}
	return out
}

func (a answer) geminiFinish() string {
	switch {
	case a.refused:
		return "SAFETY"
	case a.cut:
		return "MAX_TOKENS"
	}
	return "STOP"
}

func textPart(text string) geminiPart { return geminiPart{Text: &text} }

// callPart is the i-th call of a turn. The first carries the signature; ids and
// signatures came with Gemini 3.
func callPart(t *talk, i int, c Call) geminiPart {
	part := geminiPart{Call: &geminiCall{Name: c.Name, Args: jsontext.Value(c.Arguments)}}
	if geminiVersion(t.model) >= 3 {
		part.Call.ID = c.ID
		if i == 0 {
			part.Signature = callSignature(t.account, c.Name, part.Call.Args)
		}
	}
	return part
}

func (gemini) whole(t *talk, a answer) []byte {
	var parts []geminiPart
	if t.showThoughts && len(a.reasoning) > 0 {
		thought := textPart(strings.Join(a.reasoning, ""))
		thought.Thought = true
		parts = append(parts, thought)
	}
	if len(a.text) > 0 {
		parts = append(parts, textPart(strings.Join(a.text, "")))
	}
	for i, c := range a.calls {
		parts = append(parts, callPart(t, i, c))
	}
	return mustJSON(t.geminiAnswer(a, a.usage.Output, parts, a.geminiFinish()))
}

func (w gemini) frames(t *talk, a answer) []frame {
	var frames []frame
	said := 0
	add := func(part part, tokens int, p geminiPart, finish string) {
		said += tokens
		data := w.broken(string(mustJSON(t.geminiAnswer(a, said, []geminiPart{p}, finish))))
		frames = append(frames, frame{part, data, said})
	}
	if !t.showThoughts {
		said = a.usage.Reasoning
	} else {
		for _, token := range a.reasoning {
			thought := textPart(token)
			thought.Thought = true
			add(content, 1, thought, "")
		}
	}
	for _, token := range a.text {
		add(content, 1, textPart(token), "")
	}
	for i, c := range a.calls {
		add(content, len(pieces(c.Arguments)), callPart(t, i, c), "")
	}
	last := textPart("")
	if len(a.calls) == 0 && geminiVersion(t.model) >= 3 {
		last.Signature = opaque(strings.Join(a.text, ""))
	}
	add(tail, 0, last, a.geminiFinish())
	return frames
}

func countGemini(s *Server, w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyLimit))
	if err != nil {
		return
	}
	var req struct {
		geminiRequest
		Inner *geminiRequest `json:"generateContentRequest"`
	}
	if err := json.Unmarshal(body, &req); err != nil {
		s.refuse(w, *invalid("Invalid JSON payload received. %v", err))
		return
	}
	asked := &req.geminiRequest
	if req.Inner != nil {
		asked = req.Inner
	}
	model, _ := geminiMethod(r)
	t, no := asked.talk(model, s.config.Key)
	if no != nil {
		s.refuse(w, *no)
		return
	}
	n, _ := t.promptTokens()
	writeJSON(w, struct {
		Total int `json:"totalTokens"`
	}{n})
}
