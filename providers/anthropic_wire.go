package providers

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// messagesBody is the body of POST /v1/messages. The order of its fields is the order
// on the wire, which must not change from turn to turn: prompt caches depend on it.
type messagesBody struct {
	Model         string          `json:"model"`
	MaxTokens     int             `json:"max_tokens"`
	System        []messagesBlock `json:"system,omitempty"`
	Messages      []messagesTurn  `json:"messages"`
	Tools         []messagesTool  `json:"tools,omitempty"`
	ToolChoice    *messagesChoice `json:"tool_choice,omitempty"`
	Thinking      *messagesThink  `json:"thinking,omitempty"`
	OutputConfig  *messagesOutput `json:"output_config,omitempty"`
	Temperature   jsontext.Value  `json:"temperature,omitzero"`
	TopP          jsontext.Value  `json:"top_p,omitzero"`
	TopK          jsontext.Value  `json:"top_k,omitzero"`
	StopSequences []string        `json:"stop_sequences,omitempty"`
	Metadata      *messagesMeta   `json:"metadata,omitempty"`
	Stream        bool            `json:"stream,omitzero"`
}

type messagesTurn struct {
	Role    string          `json:"role"`
	Content messagesContent `json:"content"`
}

// messagesContent is a list of blocks. One plain text is written as a string.
type messagesContent []messagesBlock

// MarshalJSONTo writes the shorter of the two forms that mean the same.
func (c messagesContent) MarshalJSONTo(out *jsontext.Encoder) error {
	if len(c) == 1 && c[0].Type == "text" && c[0].Cache == nil {
		return out.WriteToken(jsontext.String(c[0].Text))
	}
	return json.MarshalEncode(out, []messagesBlock(c))
}

// messagesBlock is any content block; Type says which of the fields count.
type messagesBlock struct {
	Type      string          `json:"type"`
	Text      string          `json:"text,omitzero"`
	Source    *messagesSource `json:"source,omitempty"`     // image, document
	Title     string          `json:"title,omitzero"`       // document
	ID        string          `json:"id,omitzero"`          // tool_use
	Name      string          `json:"name,omitzero"`        // tool_use
	Input     jsontext.Value  `json:"input,omitzero"`       // tool_use
	ToolUseID string          `json:"tool_use_id,omitzero"` // tool_result
	Content   messagesContent `json:"content,omitzero"`     // tool_result
	IsError   bool            `json:"is_error,omitzero"`    // tool_result
	Thinking  *string         `json:"thinking,omitzero"`    // thinking; may be "" beside a signature
	Signature string          `json:"signature,omitzero"`
	Data      string          `json:"data,omitzero"` // redacted_thinking
	Cache     *messagesCache  `json:"cache_control,omitempty"`
}

type messagesSource struct {
	Type      string `json:"type"` // base64, url
	MediaType string `json:"media_type,omitzero"`
	Data      string `json:"data,omitzero"`
	URL       string `json:"url,omitzero"`
}

type messagesCache struct {
	Type string `json:"type"`
	TTL  string `json:"ttl,omitzero"`
}

type messagesTool struct {
	Name        string         `json:"name"`
	Description string         `json:"description,omitzero"`
	Schema      jsontext.Value `json:"input_schema"`
	Strict      bool           `json:"strict,omitzero"`
	Cache       *messagesCache `json:"cache_control,omitempty"`
}

type messagesChoice struct {
	Type    string `json:"type"` // auto, any, tool, none
	Name    string `json:"name,omitzero"`
	OnlyOne bool   `json:"disable_parallel_tool_use,omitzero"`
}

type messagesThink struct {
	Type   string `json:"type"`
	Budget int    `json:"budget_tokens,omitzero"`
}

type messagesOutput struct {
	Effort string          `json:"effort,omitzero"`
	Format *messagesFormat `json:"format,omitempty"`
}

type messagesFormat struct {
	Type   string         `json:"type"`
	Schema jsontext.Value `json:"schema"`
}

type messagesMeta struct {
	UserID string `json:"user_id"`
}

// encode writes the body. Texts of clients may hold what a strict encoder refuses.
func (b *messagesBody) encode() ([]byte, error) {
	return json.Marshal(b, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}
