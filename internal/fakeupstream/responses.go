package fakeupstream

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// openAIResponses is OpenAI's Responses API. Nothing is stored here: what a caller wants
// remembered it has to send again, reasoning in its encrypted form.
type openAIResponses struct{ openAI }

func (openAIResponses) route(r *http.Request) func(*Server, http.ResponseWriter, *http.Request) {
	switch r.Method + " " + strings.TrimPrefix(r.URL.Path, "/v1") {
	case "POST /responses":
		return chat
	case "GET /models":
		return listModels
	}
	return nil
}

func (openAIResponses) broken(payload string) []byte {
	return fmt.Appendf(nil, "event: response.output_text.delta\ndata: %s\n\n", payload)
}

// failed is the event of a stream that ends in an error. Unlike a body's it is flat.
func (openAIResponses) failed(no refusal) []byte {
	return fmt.Appendf(nil, "event: error\ndata: {\"type\":\"error\",\"code\":%s,\"message\":%s,\"param\":null,\"sequence_number\":0}\n\n",
		mustJSON(no.code), mustJSON(no.message))
}

// encrypted is reasoning that only the model that reasoned can read, for the account that
// it reasoned for, and that is bound to the item it stood in.
func encrypted(account, model, id string) string { return encryptedFor(account, model) + opaque(id) }

func encryptedFor(account, model string) string {
	return opaque(account + "\x00" + model + "\x00encrypted")
}

type response struct {
	ID         string           `json:"id"`
	Object     string           `json:"object"`
	Created    int64            `json:"created_at"`
	Status     string           `json:"status"`
	Background bool             `json:"background"`
	Error      jsontext.Value   `json:"error"`
	Incomplete jsontext.Value   `json:"incomplete_details"`
	Model      string           `json:"model"`
	Output     []jsontext.Value `json:"output"`
	Parallel   bool             `json:"parallel_tool_calls"`
	Store      bool             `json:"store"`
	Usage      *responseUsage   `json:"usage"`
	Metadata   struct{}         `json:"metadata"`
}

type responseUsage struct {
	Input    int `json:"input_tokens"`
	InDetail struct {
		Cached int `json:"cached_tokens"`
		Write  int `json:"cache_write_tokens"`
	} `json:"input_tokens_details"`
	Output    int `json:"output_tokens"`
	OutDetail struct {
		Reasoning int `json:"reasoning_tokens"`
	} `json:"output_tokens_details"`
	Total int `json:"total_tokens"`
}

// responsePart is a part of a message or of a summary.
type responsePart struct {
	Type        string    `json:"type"`
	Text        *string   `json:"text,omitzero"`
	Refusal     *string   `json:"refusal,omitzero"`
	Annotations *[]string `json:"annotations,omitzero"`
	Logprobs    *[]string `json:"logprobs,omitzero"`
}

func outputText(text string) responsePart {
	return responsePart{Type: "output_text", Text: &text, Annotations: &[]string{}, Logprobs: &[]string{}}
}

type responseReasoning struct {
	ID        string         `json:"id"`
	Type      string         `json:"type"`
	Summary   []responsePart `json:"summary"`
	Encrypted string         `json:"encrypted_content,omitempty"`
}

type responseMessage struct {
	ID      string         `json:"id"`
	Type    string         `json:"type"`
	Status  string         `json:"status"`
	Role    string         `json:"role"`
	Content []responsePart `json:"content"`
}

type responseCall struct {
	ID        string `json:"id"`
	Type      string `json:"type"`
	Status    string `json:"status"`
	CallID    string `json:"call_id"`
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
	Arguments string `json:"arguments"`
}

// responseCustomCall is a call of a tool that takes any text.
type responseCustomCall struct {
	ID        string `json:"id"`
	Type      string `json:"type"`
	Status    string `json:"status"`
	CallID    string `json:"call_id"`
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
	Input     string `json:"input"`
}

func newResponse(t *talk) response {
	return response{ID: fmt.Sprintf("resp_%016x", sum(t.question)), Object: "response", Created: created, Status: "in_progress",
		Error: null, Incomplete: null, Model: t.model, Output: []jsontext.Value{}, Parallel: !t.oneCall}
}

var null = jsontext.Value("null")

// end gives a response its last state.
func (r *response) end(a answer) {
	r.Status = "completed"
	if a.cut {
		r.Status, r.Incomplete = "incomplete", jsontext.Value(`{"reason":"max_output_tokens"}`)
	}
	u := &responseUsage{Input: a.usage.Prompt, Output: a.usage.Output, Total: a.usage.Prompt + a.usage.Output}
	u.InDetail.Cached, u.OutDetail.Reasoning = a.usage.Cached, a.usage.Reasoning
	r.Usage = u
}

func (w openAIResponses) whole(t *talk, a answer) []byte {
	s := &responseStream{talk: t, out: newResponse(t)}
	s.all(a)
	s.out.end(a)
	return mustJSON(s.out)
}

func (openAIResponses) frames(t *talk, a answer) []frame {
	s := &responseStream{talk: t, out: newResponse(t)}
	s.event(early, "response.created", `,"response":%s`, mustJSON(s.out))
	s.event(head, "response.in_progress", `,"response":%s`, mustJSON(s.out))
	s.all(a)
	s.out.end(a)
	s.event(tail, "response."+s.out.Status, `,"response":%s`, mustJSON(s.out))
	return s.frames
}
