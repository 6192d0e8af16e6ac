package gateway

import (
	"context"
	"encoding/json"
	"sync"
	"time"
)

// Number is a JSON number as the client wrote it, so that no digit is lost. "" means absent.
type Number string

// Request is what a client asked. It is shared by every attempt and never changed
// after the edge made it.
type Request struct {
	ID    string // ours, in every log line, row and answer
	Key   string // id of the client's key; "" when no keys are configured
	Team  string // id of the team that the key belongs to; "" for none
	Run   string // id of the agent's run that this is a step of; "" for none
	Tags  map[string]string
	Begun time.Time

	Wire Wire   // format of Raw; "" if the gateway made the request itself
	Raw  []byte // the body as it came, strictly valid JSON; nil if the gateway made the request itself
	// Forward holds the few request headers that an upstream of the same Wire must see
	// unchanged (anthropic-version, anthropic-beta). Nil for most.
	Forward map[string]string

	Model        string // as asked: "", auto, default, provider/model or a bare name
	Stream       bool   // the client wants a stream
	IncludeUsage bool   // and a usage chunk at its end

	// Top is the fields of Raw in order, if the edge has kept them; nil says nothing.
	Top []Field
	// UsualHistory: every message of Raw has only what all servers of its format take
	// alike, as far as the edge has looked. False says nothing.
	UsualHistory bool

	Needs       Needs
	PromptBytes int // text bytes of the prompt, for estimates; without image data
	Images      int // images in the prompt
	MediaBytes  int // of Raw that are data of images and the like
	Messages    int
	Prefix      uint64 // hash of what the prompt begins with, the same in each turn of a conversation; 0: not known
	MaxTokens   int    // 0: the client did not say
	Loop        Loop   // of tool calls, that the request is a step of
	Stateful    bool   // has effects or state at a provider: never raced or moved
	Unstored    bool   // must not be kept at a provider that would by default
	Seeded      bool   // wants the same answer again, which another provider does not give: never raced or moved
	DeepEffort  bool   // reasoning effort high or more: long silence is no sickness
	Thinks      bool   // asks for reasoning in words that the normal form has no place for
	// Fees names the first field of Raw for which a provider of the same format charges more
	// than the tokens at its list price: "" for none. Kept names the first that adds to the
	// prompt what such a provider keeps, so that nobody knows its length.
	Fees, Kept string

	Options Options

	// Allowed are lists of models (see Key.Models), of the key and of its team; each of them must
	// let a model be used.
	Allowed [][]string
	// ModelMaps are the maps of names (see Key.ModelMap) of the key and of its team, which
	// have their say before the configuration's.
	ModelMaps []map[string]string
	// Accounts are the budgets that must all admit each attempt: the key's, its team's,
	// its run's. Nil: none. The last limit that any request brought for an account is
	// the one in force.
	Accounts []Account

	// Embed is set for embeddings, and Raw is then of that route.
	Embed *EmbedInput
	// Check, if set, judges a whole answer; its error makes the walk try one more
	// provider. It is used with Stream false only.
	Check func(*Completion) error
	// End, if set, ends the context that the request is routed with, and its cause is what the
	// client is told. Whoever made the context calls it at last.
	End context.CancelCauseFunc

	// Decode makes the normal form from Raw. Set by the edge; use Chat to call it.
	Decode func(raw []byte) (*Chat, error)
	once   sync.Once
	chat   *Chat
	err    error
}

// Field is a field of a JSON object: its name, and its value as it is written.
type Field struct{ Name, Raw string }

// Chat is the request in normal form, decoded from Raw at most once and only when a
// provider of another wire format is asked. The result must not be changed.
// Its error is of kind Invalid.
func (r *Request) Chat() (*Chat, error) {
	r.once.Do(func() {
		if r.Decode == nil {
			r.err = Errorf(Internal, "request has no normal form")
			return
		}
		r.chat, r.err = r.Decode(r.Raw)
	})
	return r.chat, r.err
}

// Loop is what a request tells of the tool loop that it goes on with. It stays with the
// provider that made its opaque state, as long as that can be had.
type Loop struct {
	Calls []string // ids of the calls that were answered since the user last spoke
	// Maker and Model are those of the state that the client hands back (see Thinking); ""
	// if it hands none back.
	Maker, Model string
}

// Options are what a client may choose per request by header.
type Options struct {
	Hedge       string        // "", off, auto, force
	HedgeAfter  time.Duration // 0: the router decides
	Deadline    time.Duration // for the whole request; 0: the configured one
	NoFallback  bool
	Fallback    bool       // though the configuration has it off
	MaxCost     Microcents // 0: no limit
	OnBreak     string     // stream_failure: "", error, continue, atomic
	Patience    time.Duration
	HasPatience bool
	Receipt     bool
	RunCaps     RunCaps
	Region      string // where the provider must process the data; "" anywhere
	Affinity    string // session id that keeps a conversation with its provider; "" derives one
}

// EmbedInput is a request for embeddings in normal form.
type EmbedInput struct {
	Texts      []string
	Tokens     [][]int // set instead of Texts when the client sent token arrays
	Dimensions int     // 0: the model's own
	User       string
}

// Chat is a chat request in normal form: what every wire format can be made from.
// Fields that only OpenAI-compatible providers know stay in Request.Raw.
type Chat struct {
	Messages      []Message
	Tools         []Tool
	ToolChoice    ToolChoice
	ParallelTools *bool
	Format        Format

	MaxTokens int // 0: absent
	Temperature, TopP, TopK, MinP,
	FrequencyPenalty, PresencePenalty, Seed Number
	N           int // 0: absent
	Stop        []string
	Logprobs    bool
	TopLogprobs int
	Effort      string // reasoning_effort; "" absent
	Thoughts    bool   // the client asks to be shown the reasoning
	Verbosity   string // how much to say: low, medium, high; "" absent
	User        string

	// LeftOut is what the client offered and no other format has, in words for the receipt;
	// "" for nothing.
	LeftOut string
}

// Speaker names who speaks in a message.
type Speaker string

const (
	System    Speaker = "system" // developer too: which word is sent depends on the provider
	User      Speaker = "user"
	Assistant Speaker = "assistant"
	ToolSays  Speaker = "tool"
)

// Message is one turn of the history.
type Message struct {
	Speaker Speaker
	Name    string
	Parts   []Part // text only for system; may be empty for an assistant with ToolCalls

	// For Assistant.
	ToolCalls    []ToolCall
	Reasoning    string     // reasoning_content as the client sent it back
	HasReasoning bool       // false: the client sent none, which some providers must be told
	Thinking     []Thinking // signed reasoning of the provider that made this turn
	Refusal      string

	// For ToolSays.
	ToolCallID string
	IsError    bool // the tool failed (Anthropic's is_error); OpenAI has no word for it
}

// Part is a piece of a message.
type Part struct {
	Kind   PartKind
	Text   string
	URL    string // http(s) URL of an image
	MIME   string // of Data
	Data   string // base64, as the client sent it
	Detail string // image detail; "" absent
	Name   string // file name, or audio format
	FileID string
	Cache  string // cache breakpoint after this part: "", "5m", "1h"
}

// PartKind says what a Part holds.
type PartKind uint8

const (
	TextPart PartKind = iota
	ImagePart
	AudioPart
	FilePart
)

// Tool is a function the model may call.
type Tool struct {
	Name, Description string
	Parameters        json.RawMessage // JSON Schema as sent; nil: none given
	Strict            bool
	Cache             string
}

// ToolChoice says whether and which tool must be called.
type ToolChoice struct {
	Mode    string   // "" (absent), auto, none, required, named
	Name    string   // for named
	Allowed []string // only these, when not empty
}

// ToolCall is a call the model made, whole.
type ToolCall struct {
	ID, Name  string
	Arguments string // JSON text, exactly as the model wrote it
	Custom    bool   // Arguments is any text: of a tool of Chat Completions that takes no JSON
	Signature string // Gemini's thoughtSignature, of nobody else: other state is Thinking; "" if none
}

// Thinking is a piece of reasoning that its maker wants back unchanged.
type Thinking struct {
	Maker     string // who made it: Protocol.Maker of the provider
	Model     string // model that made it; "" if the client did not keep it
	Text      string
	Signature string
	Redacted  string // Anthropic's redacted_thinking data; Text and Signature are then empty
}

// Format is response_format.
type Format struct {
	Mode              string // "" or text, json_object, json_schema
	Name, Description string
	Schema            json.RawMessage
	Strict            bool
}

// Call is one attempt as an adapter sees it.
type Call struct {
	Request *Request
	Model   *Model
	Attempt int
	// Plain: the answer is asked for as one body. A stream is asked for otherwise.
	Plain bool
	// MaxTokens is always sent upstream when it is not 0: the bound that the hold was computed with.
	MaxTokens int
	// Prefill is what was already sent to the client of a broken stream and is to be continued; "" for none.
	Prefill string
	// OnReady, if set, is called once when there is a connection, before any of the request
	// is written to it. Its error, an *Error, ends the call: nothing is sent.
	OnReady func() error
	// OnSent, if set, is called once when the request's body has been written.
	OnSent func()
	// OnDowngrade, if set, is told what of the conversation could not be used: opaque state of
	// another's, or what the normal form left out.
	OnDowngrade func(what string)
	// OnRate, if set, is called with the limits that the answer's headers told.
	OnRate func(RateInfo)
	// OnNamed, if set, is called with the provider's own name for the call, if its answer's
	// headers have one.
	OnNamed func(id string)
}

// Chat is the request's normal form, for an adapter that makes its body of it. What that
// form left out is told to OnDowngrade.
func (c *Call) Chat() (*Chat, error) {
	chat, err := c.Request.Chat()
	if err == nil && chat.LeftOut != "" {
		c.Downgraded(chat.LeftOut)
	}
	return chat, err
}

// Downgraded tells OnDowngrade.
func (c *Call) Downgraded(what string) {
	if c.OnDowngrade != nil {
		c.OnDowngrade(what)
	}
}
