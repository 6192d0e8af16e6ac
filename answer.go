package gateway

import (
	"encoding/json"
	"time"
)

// Finish is why a model stopped, in OpenAI's words.
type Finish string

const (
	FinishStop      Finish = "stop"
	FinishLength    Finish = "length"
	FinishToolCalls Finish = "tool_calls"
	FinishFilter    Finish = "content_filter"
)

// Chunk is one step of a streamed answer in normal form. Its slices and Raw are
// valid until the next call of Next.
type Chunk struct {
	Choice    int // index of the choice; 0 unless n > 1 was asked
	Text      string
	Reasoning string
	Refusal   string
	Tools     []ToolDelta
	// Media is speech and images as Chat Completions has them beside the text: the members of
	// a message that hold them, as one object. Clients of that format alone can ask for them.
	Media json.RawMessage
	// Other: Raw holds something that the normal form has no word for (an image, a call of the
	// provider's own tools), which a client of the provider's own format sees.
	Other    bool
	Thinking []Thinking // opaque state to hand back; whole items, after their text went out as Reasoning

	Finish Finish // "" until the choice ends
	Native string // the provider's own word for Finish

	Usage *Usage // the latest totals, when the event carried any

	Logprobs json.RawMessage
	// Annotations is a list of sources as Chat Completions has it, in addition to those
	// before. Offsets are characters of the choice's text.
	Annotations json.RawMessage

	Meta *Meta // on the first chunk that has any

	// Raw is the event as it came from the provider, for relays that must not re-encode. May be nil.
	Raw []byte
	// Event is the SSE event name of Raw; "" if it had none.
	Event string
	// Whole says that Raw is no event but the provider's whole answer as one body.
	Whole bool
}

// Meta is what a provider says about itself.
type Meta struct {
	ID, Model, Fingerprint, Tier string
	Created                      int64
}

// ToolDelta is a piece of a tool call. ID and Name come with the first piece of an Index.
type ToolDelta struct {
	Index     int
	ID, Name  string
	Arguments string // a piece of JSON text
	Custom    bool   // Arguments is a piece of any text: of a tool that takes no JSON
	Signature string
}

// HasContent says whether the chunk holds something a client can see: text,
// reasoning, a refusal, a part of a tool call, or what only its format has. Role chunks, pings and empty deltas
// do not; only content commits an answer.
func (c *Chunk) HasContent() bool {
	return c.Text != "" || c.Reasoning != "" || c.Refusal != "" || len(c.Tools) > 0 || c.Media != nil || c.Other
}

// Stream is a provider's answer as it arrives. One goroutine uses it.
type Stream interface {
	// Next waits for the next chunk. It returns io.EOF only when the provider's
	// terminal mark was seen; a cut or failed stream ends with an *Error. After an
	// error it returns the same error again.
	Next() (Chunk, error)
	// Close ends the call at once and frees its connection. It may be called at any
	// time, more than once, and from another goroutine than Next.
	Close() error
}

// Buffered is implemented by streams that know whether Next would have to wait. True is
// a hint, not a promise: what is at hand may turn out to hold nothing for the client.
type Buffered interface{ Buffered() bool }

// Waiter is implemented by streams that can wait for their provider before Next is called.
// Wait returns when there is something to read, or at once when it cannot know; Next says
// what it was. Who waits there and not in Next holds less of the stack, and nothing of the
// stream's buffers: most of the life of an open stream is such a wait.
type Waiter interface{ Wait() }

// Answer is what the router hands to the edge: the one answer to a request.
type Answer struct {
	Provider, Model string
	Protocol        *Protocol // of the provider
	Attempts        int
	Hedged          bool
	CallID          string // the provider's own name for the call; "" if it said none

	// Stream is set for a streaming client. Its Next returns io.EOF only after the
	// winner's ledger row is durable.
	Stream Stream
	// Completion is set for a client that does not stream.
	Completion *Completion
	// Embeddings is set for a request with Embed.
	Embeddings *Embeddings

	// Cost is that of all attempts so far; HasCost is false while a stream runs.
	Cost      Microcents
	Estimated bool
	HasCost   bool
	Took      time.Duration
	Prompt    int // tokens of the prompt as estimated before the call
	// Receipt lists the attempts; for a stream, call it after io.EOF.
	Receipt func() []AttemptNote
}

// Embeddings is an embedding answer in normal form.
type Embeddings struct {
	Model   string
	Vectors [][]float32
	Usage   Usage
}

// Completion is a whole answer: a stream folded.
type Completion struct {
	Meta    Meta
	Choices []Choice
	Usage   Usage
	// Relayed is the stream as it came, for a client of the provider's own format; nil
	// if it was none.
	Relayed []Chunk
	// Body is the answer as it came, if it came as one body; nil otherwise.
	Body []byte
	// Other: some of Relayed or Body is content that the choices do not have.
	Other bool
}

// Choice is one of the alternatives of a Completion.
type Choice struct {
	Index       int
	Text        string
	Reasoning   string
	Refusal     string
	ToolCalls   []ToolCall
	Thinking    []Thinking
	Finish      Finish
	Native      string
	Logprobs    json.RawMessage // merged over the chunks
	Annotations json.RawMessage // the lists of all chunks as one; nil if they are empty
	Media       json.RawMessage // those of all chunks as one
}
