// Package providers speaks to LLM providers: it reads providers.json, translates a
// request into each wire format, makes the call, decodes the stream and classifies
// errors. It never retries on its own judgement, never chooses a provider and never
// reads the environment itself.
package providers

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"gateway"
)

// Adapter speaks one wire format to one provider. Its methods are safe for
// concurrent use and end when ctx does.
type Adapter interface {
	// Open sends a chat request and returns when the answer's headers are there.
	// A failure is an *gateway.Error.
	Open(ctx context.Context, call *gateway.Call) (gateway.Stream, error)
	// Embed asks for vectors. An adapter without embeddings answers kind Unsupported.
	Embed(ctx context.Context, call *gateway.Call) (*gateway.Embeddings, error)
}

// Settings is what an adapter is made from: one entry of providers.json with the
// environment applied.
type Settings struct {
	Name    string
	Kind    string
	BaseURL string // without a trailing slash
	Key     string
	Client  *http.Client
	// Params are added to every upstream body unless the client set the field itself.
	Params map[string]json.RawMessage
	// ModelParams are Params for one model, by its name on the wire.
	ModelParams map[string]map[string]json.RawMessage
	Quirks      Quirks
	// State keeps opaque provider state (signatures, thinking blocks) for clients that drop it.
	State *State
	// Timeout bounds a whole attempt; 0: only the request's own deadline does.
	Timeout time.Duration
}

// Quirks are how one OpenAI-compatible provider differs from the format. They are
// configuration, never code branches by name. The zero value is a plain server.
type Quirks struct {
	MaxTokensField string            `json:"max_tokens_field,omitempty"` // max_tokens (default) or max_completion_tokens
	DeveloperRole  bool              `json:"developer_role,omitempty"`   // keeps developer; otherwise it becomes system
	Effort         map[string]string `json:"effort,omitempty"`           // reasoning_effort words to send for OpenAI's; "" drops
	Thinking       bool              `json:"thinking,omitempty"`         // also send thinking:{type} (DeepSeek, Z.ai)
	ThinkingOff    bool              `json:"thinking_off,omitempty"`     // thinking disabled unless an effort was asked
	ToolIDs        string            `json:"tool_ids,omitempty"`         // "" as they are; alnum9 (Mistral); max40 (OpenAI)
	ToolName       bool              `json:"tool_name,omitempty"`        // tool messages need the function's name
	Drop           []string          `json:"drop,omitempty"`             // fields it refuses
	Rename         map[string]string `json:"rename,omitempty"`           // seed → random_seed, user → user_id
	ToolChoice     map[string]string `json:"tool_choice,omitempty"`      // required → any; required → auto
	OnlyKnown      bool              `json:"only_known,omitempty"`       // unknown fields are an error there (Mistral)
	ReasoningBack  bool              `json:"reasoning_back,omitempty"`   // every assistant turn must carry reasoning_content
	SchemaInSystem bool              `json:"schema_in_system,omitempty"` // json_schema → json_object + the schema in a system message
	StopArray      bool              `json:"stop_array,omitempty"`
	TextAsString   bool              `json:"text_as_string,omitempty"`   // text-only part lists become one string
	NoUsageOption  bool              `json:"no_usage_option,omitempty"`  // does not take stream_options
	BilledCost     bool              `json:"billed_cost,omitempty"`      // usage.cost in USD is what was charged (OpenRouter)
	Reasoning      bool              `json:"openai_reasoning,omitempty"` // the rules for OpenAI's own reasoning models, by model name
}
