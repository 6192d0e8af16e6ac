package fakeupstream

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// geminiRequest holds every field that is known; others are refused.
type geminiRequest struct {
	System   *geminiContent  `json:"systemInstruction"`
	Contents []geminiContent `json:"contents"`
	Tools    []struct {
		Functions []geminiFunction `json:"functionDeclarations"`
	} `json:"tools"`
	ToolConfig *struct {
		Calling struct {
			Mode    string   `json:"mode"`
			Allowed []string `json:"allowedFunctionNames"`
		} `json:"functionCallingConfig"`
	} `json:"toolConfig"`
	Generation   geminiGeneration `json:"generationConfig"`
	Safety       jsontext.Value   `json:"safetySettings"`
	Cached       string           `json:"cachedContent"`
	Tier         string           `json:"serviceTier"`
	Store        *bool            `json:"store"`
	Continuation string           `json:"continuationToken"`
	Model        string           `json:"model"`
}

type geminiFunction struct {
	Name        string         `json:"name"`
	Description string         `json:"description"`
	Parameters  jsontext.Value `json:"parameters"`
	JSONSchema  jsontext.Value `json:"parametersJsonSchema"`
}

type geminiGeneration struct {
	Temperature    *float64       `json:"temperature"`
	TopP           *float64       `json:"topP"`
	TopK           *float64       `json:"topK"`
	Count          int            `json:"candidateCount"`
	MaxTokens      int            `json:"maxOutputTokens"`
	Stops          []string       `json:"stopSequences"`
	ResponseLogs   bool           `json:"responseLogprobs"`
	Logs           int            `json:"logprobs"`
	Presence       *float64       `json:"presencePenalty"`
	Frequency      *float64       `json:"frequencyPenalty"`
	Seed           *int64         `json:"seed"`
	MIME           string         `json:"responseMimeType"`
	Schema         jsontext.Value `json:"responseSchema"`
	ResponseSchema jsontext.Value `json:"responseJsonSchema"`
	Modalities     []string       `json:"responseModalities"`
	Thinking       *struct {
		Level    string `json:"thinkingLevel"`
		Budget   *int   `json:"thinkingBudget"`
		Thoughts bool   `json:"includeThoughts"`
	} `json:"thinkingConfig"`
}

var geminiName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.:-]{0,127}$`)

// geminiVersion is 3.8 for gemini-3.8-flash, 0 for a name that does not say.
func geminiVersion(model string) float64 {
	number, _, _ := strings.Cut(strings.TrimPrefix(model, "gemini-"), "-")
	version, _ := strconv.ParseFloat(number, 64)
	return version
}

func (gemini) read(c Config, r *http.Request, body []byte) (*talk, *refusal) {
	if r.URL.Query().Has("key") {
		return nil, invalid("a key in the address ends in logs; send it in the header")
	}
	var req geminiRequest
	if err := json.Unmarshal(body, &req, json.RejectUnknownMembers(true)); err != nil {
		return nil, invalid("Invalid JSON payload received. Unknown name or wrong type: %v", err)
	}
	model, method := geminiMethod(r)
	t, no := req.talk(model, c.Key)
	if no != nil {
		return nil, no
	}
	t.stream = method == "streamGenerateContent"
	if t.stream && r.URL.Query().Get("alt") != "sse" {
		return nil, invalid("without alt=sse the stream is one JSON array, which nobody here wants")
	}
	return t, req.checkModel(model)
}

func (req *geminiRequest) talk(model, account string) (*talk, *refusal) {
	t := &talk{model: model, account: account, maxTokens: req.Generation.MaxTokens, thinking: geminiVersion(model) >= 2.5}
	if thinking := req.Generation.Thinking; thinking != nil {
		t.showThoughts = thinking.Thoughts
		t.thinking = t.thinking && (thinking.Budget == nil || *thinking.Budget != 0)
	}
	if req.System != nil {
		t.turns = append(t.turns, turn{role: system, text: req.System.text()})
	}
	if len(req.Contents) == 0 {
		return nil, invalid("* GenerateContentRequest.contents: contents is not specified")
	}
	for _, c := range req.Contents {
		turns, no := c.turns()
		if no != nil {
			return nil, no
		}
		t.turns = append(t.turns, turns...)
	}
	if last := req.Contents[len(req.Contents)-1]; last.Role == "model" {
		return nil, invalid("Please ensure that the last turn is of the user.")
	}
	nameByOrder(t.turns)
	if no := req.readTools(t); no != nil {
		return nil, no
	}
	if req.Generation.MIME == "application/json" {
		t.wantsJSON, t.schema = true, req.Generation.ResponseSchema
		if len(t.schema) == 0 {
			t.schema = req.Generation.Schema
		}
	}
	if geminiVersion(model) >= 3 {
		return t, checkSignatures(account, req.Contents)
	}
	return t, nil
}

func (req *geminiRequest) readTools(t *talk) *refusal {
	for _, group := range req.Tools {
		for _, f := range group.Functions {
			if !geminiName.MatchString(f.Name) {
				return invalid("Invalid function name %q.", f.Name)
			}
			if len(f.Parameters) > 0 && len(f.JSONSchema) > 0 {
				return invalid("parameters and parametersJsonSchema exclude each other in %s", f.Name)
			}
			if word := unknownKeyword(f.JSONSchema); word != "" {
				return invalid("Invalid JSON payload received. Unknown name %q at 'tools[0].function_declarations': Cannot find field.", word)
			}
			t.tools = append(t.tools, Tool{f.Name, append(f.Parameters, f.JSONSchema...)})
		}
	}
	if req.ToolConfig == nil {
		return nil
	}
	calling := req.ToolConfig.Calling
	switch calling.Mode {
	case "", "AUTO", "VALIDATED":
	case "NONE":
		t.toolChoice.mode = "none"
	case "ANY":
		t.toolChoice.mode = "required"
		if len(calling.Allowed) == 1 {
			t.toolChoice = choice{"named", calling.Allowed[0]}
		}
	default:
		return invalid("Invalid value at 'tool_config.function_calling_config.mode': %q", calling.Mode)
	}
	if len(calling.Allowed) > 0 && calling.Mode != "ANY" && calling.Mode != "VALIDATED" {
		return invalid("allowed_function_names needs the mode ANY")
	}
	return nil
}

// geminiKeywords are the words of JSON Schema that Gemini knows.
var geminiKeywords = strings.Fields(`$id $defs $ref $anchor type format title description enum items prefixItems minItems maxItems
	minimum maximum anyOf oneOf properties additionalProperties required propertyOrdering`)

// unknownKeyword gives a keyword of a schema that Gemini does not know, if there is one.
func unknownKeyword(schema jsontext.Value) string {
	var fields map[string]jsontext.Value
	if json.Unmarshal(schema, &fields) != nil {
		var list []jsontext.Value
		_ = json.Unmarshal(schema, &list) // neither object nor list: nothing to find
		for _, one := range list {
			if word := unknownKeyword(one); word != "" {
				return word
			}
		}
		return ""
	}
	for name, inner := range fields {
		if !slices.Contains(geminiKeywords, name) {
			return name
		}
		switch name {
		case "properties", "$defs":
			var named map[string]jsontext.Value
			_ = json.Unmarshal(inner, &named)
			for _, one := range named {
				if word := unknownKeyword(one); word != "" {
					return word
				}
			}
		case "items", "prefixItems", "anyOf", "oneOf", "additionalProperties":
			if word := unknownKeyword(inner); word != "" {
				return word
			}
		}
	}
	return ""
}

func (c *geminiContent) text() string {
	var texts []string
	for _, p := range c.Parts {
		if p.Text != nil && !p.Thought {
			texts = append(texts, *p.Text)
		}
	}
	return strings.Join(texts, "\n")
}

// turns takes a content apart: its results are turns of their own.
func (c *geminiContent) turns() ([]turn, *refusal) {
	if len(c.Parts) == 0 {
		return nil, invalid("* GenerateContentRequest.contents.parts: must not be empty")
	}
	said := turn{role: user, text: c.text()}
	if c.Role == "model" {
		said.role = assistant
	} else if c.Role != "user" && c.Role != "" {
		return nil, invalid("Please use a valid role: user, model.")
	}
	var results []turn
	for _, p := range c.Parts {
		switch {
		case p.Call != nil:
			if said.role != assistant || len(p.Call.Args) > 0 && p.Call.Args.Kind() != '{' {
				return nil, invalid("function call %s is out of place or its args are no object", p.Call.Name)
			}
			said.calls = append(said.calls, Call{p.Call.ID, p.Call.Name, string(p.Call.Args)})
		case p.Response != nil:
			if said.role != user || p.Response.Name == "" || p.Response.Response.Kind() != '{' {
				return nil, invalid("a function response needs the user's turn, a name and an object")
			}
			results = append(results, turn{role: toolResult, text: string(p.Response.Response), id: p.Response.ID, name: p.Response.Name})
		case p.Text == nil && len(p.Inline) == 0 && len(p.File) == 0,
			p.Text != nil && *p.Text == "" && p.Signature == "":
			return nil, invalid("* GenerateContentRequest.contents.parts: a part must have data")
		}
	}
	if len(results) > 0 && said.text == "" {
		return results, nil
	}
	return append(results, said), nil
}

// checkSignatures wants the signature of each step of the current turn back: on the
// first call of each model turn since the user last spoke.
func checkSignatures(account string, contents []geminiContent) *refusal {
	for i := len(contents) - 1; i >= 0; i-- {
		c := contents[i]
		if c.Role != "model" {
			if slices.ContainsFunc(c.Parts, func(p geminiPart) bool { return p.Text != nil }) {
				return nil // here the user spoke
			}
			continue
		}
		at := slices.IndexFunc(c.Parts, func(p geminiPart) bool { return p.Call != nil })
		if at < 0 {
			continue
		}
		switch first := c.Parts[at]; first.Signature {
		case "":
			return invalid("Function call is missing a thought_signature in functionCall parts.")
		case skipSignature, callSignature(account, first.Call.Name, first.Call.Args):
		default:
			return invalid("Invalid thought signature in functionCall part.")
		}
	}
	return nil
}

func (req *geminiRequest) checkModel(model string) *refusal {
	version := geminiVersion(model)
	if thinking := req.Generation.Thinking; thinking != nil {
		if thinking.Level != "" && (thinking.Budget != nil || version < 3) {
			return invalid("thinking_level is not supported by this model, or not with thinking_budget")
		}
		if thinking.Budget != nil && version >= 3 {
			return invalid("thinking_budget is not supported by this model; use thinking_level")
		}
	}
	if len(req.Generation.Stops) > 5 {
		return invalid("stop_sequences: at most 5")
	}
	if version == 2.5 && (req.Generation.Presence != nil || req.Generation.Frequency != nil) {
		return invalid("Penalty is not enabled for this model")
	}
	if req.Generation.MIME == "application/json" && len(req.Tools) > 0 && version < 3 {
		return &refusal{status: http.StatusBadRequest, code: "invalid_request_error",
			message: "Function calling with a response mime type: 'application/json' is unsupported"}
	}
	return nil
}
