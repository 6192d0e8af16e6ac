package fakeupstream

import (
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// responsesRequest holds every field that the Responses API knows; others are refused.
type responsesRequest struct {
	Model        string          `json:"model"`
	Input        jsontext.Value  `json:"input"`
	Instructions string          `json:"instructions"`
	MaxTokens    *int            `json:"max_output_tokens"`
	Stream       bool            `json:"stream"`
	Store        *bool           `json:"store"`
	Include      []string        `json:"include"`
	Previous     string          `json:"previous_response_id"`
	Tools        []responsesTool `json:"tools"`
	ToolChoice   jsontext.Value  `json:"tool_choice"`
	Parallel     *bool           `json:"parallel_tool_calls"`
	Reasoning    *struct {
		Effort  string         `json:"effort"`
		Summary string         `json:"summary"`
		Context jsontext.Value `json:"context"`
	} `json:"reasoning"`
	Text *struct {
		Format    *responsesFormat `json:"format"`
		Verbosity string           `json:"verbosity"`
	} `json:"text"`
	Temperature *float64 `json:"temperature"`
	TopP        *float64 `json:"top_p"`

	Background     *bool          `json:"background"`
	ClientMetadata jsontext.Value `json:"client_metadata"`
	Context        jsontext.Value `json:"context_management"`
	Conversation   jsontext.Value `json:"conversation"`
	MaxToolCalls   jsontext.Value `json:"max_tool_calls"`
	Metadata       jsontext.Value `json:"metadata"`
	Prompt         jsontext.Value `json:"prompt"`
	CacheKey       jsontext.Value `json:"prompt_cache_key"`
	CacheRetention jsontext.Value `json:"prompt_cache_retention"`
	Safety         jsontext.Value `json:"safety_identifier"`
	Tier           jsontext.Value `json:"service_tier"`
	StreamOptions  jsontext.Value `json:"stream_options"`
	TopLogprobs    jsontext.Value `json:"top_logprobs"`
	Truncation     jsontext.Value `json:"truncation"`
	User           jsontext.Value `json:"user"`
}

type responsesFormat struct {
	Type   string         `json:"type"`
	Name   string         `json:"name"`
	Schema jsontext.Value `json:"schema"`
	More   jsontext.Value `json:",embed"`
}

func (openAIResponses) read(c Config, _ *http.Request, body []byte) (*talk, *refusal) {
	var req responsesRequest
	if err := json.Unmarshal(body, &req, json.RejectUnknownMembers(true)); err != nil {
		return nil, &refusal{status: http.StatusBadRequest, code: "unknown_parameter", message: "Unknown parameter, or not JSON: " + err.Error()}
	}
	t := &talk{model: req.Model, account: c.Key, stream: req.Stream, oneCall: req.Parallel != nil && !*req.Parallel}
	if req.Previous != "" {
		return nil, &refusal{status: http.StatusBadRequest, code: "previous_response_not_found", param: "previous_response_id",
			message: "Previous response with id '" + req.Previous + "' not found."}
	}
	if req.MaxTokens != nil {
		if *req.MaxTokens < 1 {
			return nil, invalid("Invalid 'max_output_tokens': integer below minimum value.")
		}
		t.maxTokens = *req.MaxTokens
	}
	for _, step := range []func(*talk) *refusal{req.readInput, req.readTools, req.readChoice, req.readFormat, req.checkModel} {
		if no := step(t); no != nil {
			return nil, no
		}
	}
	return t, nil
}

func (req *responsesRequest) readChoice(t *talk) *refusal {
	if len(req.ToolChoice) == 0 || req.ToolChoice.Kind() == 'n' {
		return nil
	}
	var word string
	if json.Unmarshal(req.ToolChoice, &word) == nil {
		if !slices.Contains([]string{"none", "auto", "required"}, word) {
			return invalid("Invalid value for 'tool_choice': %q", word)
		}
		if word != "auto" {
			t.toolChoice.mode = word
		}
		return nil
	}
	var named struct{ Type, Name string }
	if json.Unmarshal(req.ToolChoice, &named, json.MatchCaseInsensitiveNames(true)) != nil || named.Type == "function" && named.Name == "" {
		return invalid("Invalid value for 'tool_choice'.")
	}
	if named.Type == "function" {
		t.toolChoice = choice{"named", named.Name}
	}
	return nil
}

func (req *responsesRequest) readFormat(t *talk) *refusal {
	if req.Text == nil || req.Text.Format == nil || req.Text.Format.Type == "text" {
		return nil
	}
	t.wantsJSON = true
	switch format := req.Text.Format; format.Type {
	case "json_object":
		for _, one := range t.turns {
			if strings.Contains(strings.ToLower(one.text), "json") {
				return nil
			}
		}
		return invalid("Response input messages must contain the word 'json' in some form to use 'text.format' of type 'json_object'.")
	case "json_schema":
		if format.Name == "" || format.Schema.Kind() != '{' {
			return invalid("Missing required parameter: 'text.format.name'.")
		}
		t.schema = format.Schema
		return nil
	default:
		return invalid("Invalid value for 'text.format.type': %q", format.Type)
	}
}

// checkModel refuses what the model does not take: efforts of models that do not
// reason, sampling of those that do.
func (req *responsesRequest) checkModel(t *talk) *refusal {
	unsupported := func(param string) *refusal {
		return &refusal{status: http.StatusBadRequest, code: "unsupported_parameter", param: param,
			message: "Unsupported parameter: '" + param + "' is not supported with this model."}
	}
	encrypts := slices.Contains(req.Include, "reasoning.encrypted_content")
	effort := ""
	if req.Reasoning != nil {
		effort = req.Reasoning.Effort
		t.showThoughts = req.Reasoning.Summary != ""
	}
	if !reasons(req.Model) {
		if effort != "" {
			return unsupported("reasoning.effort")
		}
		if encrypts && strings.HasPrefix(req.Model, "gpt-") { // of names unlike OpenAI's nothing is known
			return invalid("Encrypted content is not supported with this model.")
		}
		return nil
	}
	if effort == "none" && !mayNotReason(req.Model) {
		return &refusal{status: http.StatusBadRequest, code: "unsupported_value", param: "reasoning.effort",
			message: "Unsupported value: 'none' is not supported with this model."}
	}
	t.thinking, t.encrypts = effort != "none", encrypts
	if t.thinking && req.Temperature != nil && *req.Temperature != 1 {
		return unsupported("temperature")
	}
	if t.thinking && req.TopP != nil && *req.TopP != 1 {
		return unsupported("top_p")
	}
	return nil
}
