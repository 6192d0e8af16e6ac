package fakeupstream

import (
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// messagesRequest holds every field that Messages knows; others are refused.
type messagesRequest struct {
	Model      string           `json:"model"`
	MaxTokens  *int             `json:"max_tokens"`
	System     jsontext.Value   `json:"system"`
	Messages   []messagesTurn   `json:"messages"`
	Stream     bool             `json:"stream"`
	Tools      []messagesTool   `json:"tools"`
	ToolChoice *messagesChoice  `json:"tool_choice"`
	Thinking   *messagesThink   `json:"thinking"`
	Output     *messagesOutput  `json:"output_config"`
	Temp       *float64         `json:"temperature"`
	TopP       *float64         `json:"top_p"`
	TopK       *int             `json:"top_k"`
	Stops      []string         `json:"stop_sequences"`
	Metadata   jsontext.Value   `json:"metadata"`
	Tier       string           `json:"service_tier"`
	Speed      string           `json:"speed"`
	Cache      jsontext.Value   `json:"cache_control"`
	Context    jsontext.Value   `json:"context_management"`
	Container  jsontext.Value   `json:"container"`
	Servers    []jsontext.Value `json:"mcp_servers"`
}

type messagesTurn struct {
	Role    string          `json:"role"`
	Content jsontext.Value  `json:"content"`
	Output  *messagesOutput `json:"output_config"` // from this turn on
}

type messagesTool struct {
	Type   string         `json:"type"`
	Name   string         `json:"name"`
	Schema jsontext.Value `json:"input_schema"`
	More   jsontext.Value `json:",embed"`
}

type messagesChoice struct {
	Type       string `json:"type"`
	Name       string `json:"name"`
	NoParallel bool   `json:"disable_parallel_tool_use"`
}

type messagesThink struct {
	Type   string `json:"type"`
	Budget int    `json:"budget_tokens"`
}

type messagesOutput struct {
	Effort string `json:"effort"`
	Format *struct {
		Type   string         `json:"type"`
		Schema jsontext.Value `json:"schema"`
	} `json:"format"`
}

// block is a part of a turn.
type block struct {
	Type      string         `json:"type"`
	Text      string         `json:"text"`
	Thinking  string         `json:"thinking"`
	Signature string         `json:"signature"`
	ID        string         `json:"id"`
	Name      string         `json:"name"`
	Input     jsontext.Value `json:"input"`
	ToolUseID string         `json:"tool_use_id"`
	Content   jsontext.Value `json:"content"`
}

var messagesID = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

func (anthropic) read(_ Config, r *http.Request, body []byte) (*talk, *refusal) {
	if r.Header.Get("Anthropic-Version") == "" {
		return nil, invalid("anthropic-version: header is required")
	}
	var req messagesRequest
	if err := json.Unmarshal(body, &req, json.RejectUnknownMembers(true)); err != nil {
		return nil, invalid("Extra inputs are not permitted, or not JSON: %v", err)
	}
	if req.MaxTokens == nil {
		return nil, invalid("max_tokens: Field required")
	}
	if *req.MaxTokens < 1 {
		return nil, invalid("max_tokens: must be greater than or equal to 1")
	}
	return req.talk()
}

func (req *messagesRequest) talk() (*talk, *refusal) {
	t := &talk{model: req.Model, stream: req.Stream, maxTokens: value(req.MaxTokens)}
	t.thinking = req.Thinking != nil && req.Thinking.Type != "disabled"
	if no := req.readSystem(t); no != nil {
		return nil, no
	}
	for i, m := range req.Messages {
		turns, no := m.turns(i, req.Model)
		if no != nil {
			return nil, no
		}
		t.turns = append(t.turns, turns...)
	}
	if len(req.Messages) == 0 || req.Messages[0].Role != "user" {
		return nil, invalid("messages: first message must use the \"user\" role")
	}
	if req.Messages[len(req.Messages)-1].Role == "assistant" {
		return nil, invalid("This model does not support assistant message prefill. The conversation must end with a user message.")
	}
	for _, offered := range req.Tools {
		if offered.Type != "" && offered.Type != "custom" {
			continue // runs at the provider
		}
		if !toolName.MatchString(offered.Name) || offered.Schema.Kind() != '{' {
			return nil, invalid("tools: %q needs a proper name and an input_schema", offered.Name)
		}
		t.tools = append(t.tools, Tool{offered.Name, offered.Schema})
	}
	if c := req.ToolChoice; c != nil {
		if len(req.Tools) == 0 {
			return nil, invalid("tool_choice: may only be specified while providing tools")
		}
		modes := map[string]string{"auto": "", "none": "none", "any": "required", "tool": "named"}
		mode, known := modes[c.Type]
		if !known {
			return nil, invalid("tool_choice.type: unknown value %q", c.Type)
		}
		t.toolChoice, t.oneCall = choice{mode, c.Name}, c.NoParallel
	}
	if req.Output != nil && req.Output.Format != nil {
		t.wantsJSON, t.schema = true, req.Output.Format.Schema
	}
	if no := req.checkThoughts(t.turns); no != nil {
		return nil, no
	}
	return t, req.checkModel()
}

// checkThoughts wants the thought before a call back while its results come in. Models
// that decide for themselves whether to think do not insist.
func (req *messagesRequest) checkThoughts(turns []turn) *refusal {
	if req.Thinking == nil || req.Thinking.Type != "enabled" {
		return nil
	}
	for i := len(turns) - 1; i >= 0 && turns[i].role != user; i-- {
		if turns[i].role == assistant && !turns[i].thought {
			return invalid("Expected `thinking` or `redacted_thinking`, but found `tool_use`. When `thinking` is enabled, " +
				"a final `assistant` message must start with a thinking block")
		}
	}
	return nil
}

func value(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}

func (req *messagesRequest) readSystem(t *talk) *refusal {
	if len(req.System) == 0 {
		return nil
	}
	blocks, no := blocksOf(req.System)
	if no != nil {
		return no
	}
	for _, b := range blocks {
		t.turns = append(t.turns, turn{role: system, text: b.Text})
		// Without a format of its own, JSON is asked for in words.
		t.wantsJSON = t.wantsJSON || strings.Contains(strings.ToLower(b.Text), "json object")
	}
	return nil
}

// blocksOf reads a content, which may be a string.
func blocksOf(content jsontext.Value) ([]block, *refusal) {
	var blocks []block
	switch content.Kind() {
	case '"':
		var text string
		_ = json.Unmarshal(content, &text) // it is a string
		blocks = []block{{Type: "text", Text: text}}
	default:
		if err := json.Unmarshal(content, &blocks); err != nil {
			return nil, invalid("content: %v", err)
		}
	}
	for _, b := range blocks {
		if b.Type == "text" && b.Text == "" {
			return nil, invalid("messages: text content blocks must be non-empty")
		}
		if b.Type == "text" && strings.TrimSpace(b.Text) == "" {
			return nil, invalid("messages: text content blocks must contain non-whitespace text")
		}
	}
	return blocks, nil
}

// turns takes a message apart: its results are turns of their own.
func (m *messagesTurn) turns(at int, model string) ([]turn, *refusal) {
	blocks, no := blocksOf(m.Content)
	if no != nil {
		return nil, no
	}
	if len(blocks) == 0 {
		return nil, invalid("messages.%d: all messages must have non-empty content", at)
	}
	if m.Role == "system" && claudeOf(model).hearsSystem() {
		var texts []string
		for _, b := range blocks {
			texts = append(texts, b.Text)
		}
		return []turn{{role: system, text: strings.Join(texts, "\n")}}, nil
	}
	if m.Role != "user" && m.Role != "assistant" {
		return nil, invalid("messages.%d.role: Input should be 'user' or 'assistant'", at)
	}
	var results []turn
	said := turn{role: user}
	if m.Role == "assistant" {
		said.role = assistant
	}
	var texts []string
	for _, b := range blocks {
		switch {
		case b.Type == "text":
			texts = append(texts, b.Text)
		case b.Type == "tool_result" && m.Role == "user":
			if len(texts) > 0 {
				return nil, invalid("messages.%d: `tool_result` blocks must come before other content", at)
			}
			result, no := b.result()
			if no != nil {
				return nil, no
			}
			results = append(results, result)
		case b.Type == "tool_use" && m.Role == "assistant":
			if !messagesID.MatchString(b.ID) || b.Input.Kind() != '{' {
				return nil, invalid("messages.%d: tool_use needs a proper id and a dictionary as input", at)
			}
			said.calls = append(said.calls, Call{b.ID, b.Name, string(b.Input)})
		case b.Type == "thinking" && m.Role == "assistant":
			if b.Signature != signature(model, b.Thinking) {
				return nil, invalid("messages.%d: Invalid `signature` in `thinking` block", at)
			}
		case b.Type == "image", b.Type == "document", b.Type == "redacted_thinking":
		default:
			return nil, invalid("messages.%d: a %s has no place in a turn of the %s", at, b.Type, m.Role)
		}
	}
	said.thought = blocks[0].Type == "thinking" || blocks[0].Type == "redacted_thinking"
	said.text = strings.Join(texts, "\n")
	if len(results) > 0 && said.text == "" {
		return results, nil
	}
	return append(results, said), nil
}

func (b *block) result() (turn, *refusal) {
	if !messagesID.MatchString(b.ToolUseID) {
		return turn{}, invalid("messages: tool_result needs a proper tool_use_id")
	}
	one := turn{role: toolResult, id: b.ToolUseID}
	if len(b.Content) == 0 || string(b.Content) == `""` {
		return one, nil
	}
	inner, no := blocksOf(b.Content)
	var texts []string
	for _, in := range inner {
		texts = append(texts, in.Text)
	}
	one.text = strings.Join(texts, "\n")
	return one, no
}

// count answers how long a prompt is.
func count(s *Server, w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyLimit))
	if err != nil {
		return
	}
	var req messagesRequest
	if err := json.Unmarshal(body, &req); err != nil {
		s.refuse(w, *invalid("%v", err))
		return
	}
	t, no := req.talk()
	if no != nil {
		s.refuse(w, *no)
		return
	}
	n, _ := t.promptTokens()
	writeJSON(w, struct {
		Input int `json:"input_tokens"`
	}{n})
}
