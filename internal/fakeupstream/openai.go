package fakeupstream

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// openAI is Chat Completions.
type openAI struct{}

func (openAI) route(r *http.Request) func(*Server, http.ResponseWriter, *http.Request) {
	switch r.Method + " " + strings.TrimPrefix(r.URL.Path, "/v1") {
	case "POST /chat/completions":
		return chat
	case "POST /embeddings":
		return embedding(readOpenAIEmbed, writeOpenAIEmbed)
	case "GET /models":
		return listModels
	}
	return nil
}

func (openAI) key(r *http.Request) string {
	key, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return key
}

func (openAI) ids(i int, seed uint64) string { return fmt.Sprintf("call_%d%016x", i, seed) }

func (openAI) contentType() string { return "text/event-stream" }

func (openAI) keepAlive() []byte { return nil }

func (openAI) broken(payload string) []byte { return []byte("data: " + payload + "\n\n") }

func (w openAI) failed(no refusal) []byte { return w.broken(string(w.refusal(no))) }

func (openAI) adjust(no refusal) refusal { return no }

// chatError is the error body of OpenAI and of all who copied it.
type chatError struct {
	Error chatErrorBody `json:"error"`
}

type chatErrorBody struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`
}

func (openAI) refusal(no refusal) []byte {
	body := chatErrorBody{Message: no.message, Type: "invalid_request_error", Code: &no.code}
	switch {
	case no.status >= 500:
		body.Type = "server_error"
	case no.status == http.StatusTooManyRequests:
		body.Type = "requests"
	}
	if no.param != "" {
		body.Param = &no.param
	}
	return mustJSON(chatError{body})
}

// modelList is what GET /models answers.
type modelList struct {
	Object string      `json:"object"`
	Data   []modelItem `json:"data"`
}

type modelItem struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

func (openAI) models(names []string) any {
	list := modelList{Object: "list"}
	for _, name := range names {
		list.Data = append(list.Data, modelItem{name, "model", created, "fake"})
	}
	return list
}

// created is the time of every answer, fixed so that answers can be compared.
const created = 1795420800

// chatRequest is what is read of a request in OpenAI's form.
type chatRequest struct {
	Model    string        `json:"model"`
	Messages []chatMessage `json:"messages"`
	Stream   bool          `json:"stream"`
	Options  *struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
	MaxTokens           *int           `json:"max_tokens"`
	MaxCompletionTokens *int           `json:"max_completion_tokens"`
	Temperature         *float64       `json:"temperature"`
	TopP                *float64       `json:"top_p"`
	FrequencyPenalty    *float64       `json:"frequency_penalty"`
	PresencePenalty     *float64       `json:"presence_penalty"`
	LogitBias           jsontext.Value `json:"logit_bias"`
	Stop                jsontext.Value `json:"stop"`
	N                   *int           `json:"n"`
	Effort              string         `json:"reasoning_effort"`
	Thinking            *struct {
		Type string `json:"type"`
	} `json:"thinking"`
	Tools         []chatTool     `json:"tools"`
	ToolChoice    jsontext.Value `json:"tool_choice"`
	ParallelCalls *bool          `json:"parallel_tool_calls"`
	Format        *struct {
		Type   string `json:"type"`
		Schema *struct {
			Name   string         `json:"name"`
			Schema jsontext.Value `json:"schema"`
		} `json:"json_schema"`
	} `json:"response_format"`
}

type chatMessage struct {
	Role             string         `json:"role"`
	Content          jsontext.Value `json:"content"`
	ReasoningContent *string        `json:"reasoning_content"`
	ToolCallID       string         `json:"tool_call_id"`
	ToolCalls        []chatCall     `json:"tool_calls"`
}

type chatCall struct {
	Index    *int   `json:"index,omitzero"`
	ID       string `json:"id,omitempty"`
	Type     string `json:"type,omitempty"`
	Function struct {
		Name      string `json:"name,omitempty"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

type chatTool struct {
	Type     string `json:"type"`
	Function struct {
		Name       string         `json:"name"`
		Parameters jsontext.Value `json:"parameters"`
	} `json:"function"`
}

func (openAI) read(_ Config, _ *http.Request, body []byte) (*talk, *refusal) {
	var req chatRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, invalid("We could not parse the JSON body of your request: %v", err)
	}
	t, no := req.talk()
	if no == nil {
		no = req.checkModel()
	}
	if no == nil {
		no = req.checkIDs()
	}
	if t != nil && req.N != nil {
		if *req.N < 1 || *req.N > 128 {
			return nil, invalid("Invalid 'n': expected a value between 1 and 128.")
		}
		t.choices = *req.N
	}
	if t != nil && reasons(req.Model) && req.Effort != "none" {
		t.thinking = true
	}
	return t, no
}

// talk takes apart what all servers of this form share.
func (req *chatRequest) talk() (*talk, *refusal) {
	t := &talk{model: req.Model, stream: req.Stream}
	if req.Options != nil {
		if !req.Stream {
			return nil, invalid("The 'stream_options' parameter is only allowed when 'stream' is enabled.")
		}
		t.includeUsage = req.Options.IncludeUsage
	}
	for _, limit := range []*int{req.MaxTokens, req.MaxCompletionTokens} {
		if limit == nil {
			continue
		}
		if *limit < 1 {
			return nil, invalid("max_tokens must be at least 1")
		}
		t.maxTokens = *limit
	}
	for _, m := range req.Messages {
		one, no := m.turn()
		if no != nil {
			return nil, no
		}
		t.turns = append(t.turns, one)
	}
	for _, offered := range req.Tools {
		if !toolName.MatchString(offered.Function.Name) {
			return nil, invalid("Invalid 'tools[].function.name': %q does not match the pattern", offered.Function.Name)
		}
		t.tools = append(t.tools, Tool{offered.Function.Name, offered.Function.Parameters})
	}
	t.oneCall = req.ParallelCalls != nil && !*req.ParallelCalls
	if no := req.readChoice(t); no != nil {
		return nil, no
	}
	return t, req.readFormat(t)
}

func (req *chatRequest) readChoice(t *talk) *refusal {
	if len(req.ToolChoice) == 0 || req.ToolChoice.Kind() == 'n' {
		return nil
	}
	if len(t.tools) == 0 {
		return invalid("'tool_choice' is only allowed when 'tools' are specified.")
	}
	var word string
	if json.Unmarshal(req.ToolChoice, &word) == nil {
		if word == "none" || word == "required" {
			t.toolChoice.mode = word
		}
		return nil
	}
	var named chatTool
	if json.Unmarshal(req.ToolChoice, &named) != nil || named.Type != "function" || named.Function.Name == "" {
		return invalid("Invalid value for 'tool_choice'.")
	}
	t.toolChoice = choice{"named", named.Function.Name}
	return nil
}

func (req *chatRequest) readFormat(t *talk) *refusal {
	if req.Format == nil || req.Format.Type == "text" {
		return nil
	}
	t.wantsJSON = true
	switch req.Format.Type {
	case "json_object":
		for _, one := range t.turns {
			if strings.Contains(strings.ToLower(one.text), "json") {
				return nil
			}
		}
		return invalid("'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.")
	case "json_schema":
		if req.Format.Schema == nil || req.Format.Schema.Name == "" {
			return invalid("Missing required parameter: 'response_format.json_schema'.")
		}
		t.schema = req.Format.Schema.Schema
		return nil
	}
	return invalid("Invalid value for 'response_format.type': %q", req.Format.Type)
}

func (m *chatMessage) turn() (turn, *refusal) {
	text, no := m.text()
	one := turn{text: text, id: m.ToolCallID}
	switch m.Role {
	case "system", "developer":
		one.role = system
	case "user":
		one.role = user
	case "assistant":
		one.role = assistant
		for _, c := range m.ToolCalls {
			var object map[string]jsontext.Value
			if json.Unmarshal([]byte(c.Function.Arguments), &object) != nil && no == nil {
				no = invalid("the arguments of %s are not a JSON object: %s", c.Function.Name, c.Function.Arguments)
			}
			one.calls = append(one.calls, Call{c.ID, c.Function.Name, c.Function.Arguments})
		}
	case "tool":
		one.role = toolResult
	default:
		no = invalid("Invalid value for 'messages[].role': %q", m.Role)
	}
	return one, no
}

// text joins the text parts of a content.
func (m *chatMessage) text() (string, *refusal) {
	switch m.Content.Kind() {
	case 'n', jsontext.KindInvalid:
		if m.Role == "assistant" && len(m.ToolCalls) > 0 {
			return "", nil
		}
		return "", invalid("Invalid value for 'content': expected a string, got null.")
	case '"':
		var text string
		_ = json.Unmarshal(m.Content, &text) // it is a string
		return text, nil
	}
	var parts []struct{ Type, Text string }
	if json.Unmarshal(m.Content, &parts, json.MatchCaseInsensitiveNames(true)) != nil {
		return "", invalid("Invalid type for 'content'.")
	}
	var texts []string
	for _, part := range parts {
		if part.Type == "text" {
			texts = append(texts, part.Text)
		}
	}
	return strings.Join(texts, "\n"), nil
}
