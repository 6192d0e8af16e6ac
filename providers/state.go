package providers

import (
	"crypto/sha256"
	"time"

	"github.com/hashicorp/golang-lru/v2/expirable"

	"gateway"
)

// State remembers, by tool call or by the text of an answer without any, the opaque things a provider wants back in the next
// round (signatures, thinking blocks, reasoning_content). Clients that echo them do
// not need it; most SDKs drop unknown fields, and for those the tool loop would
// break. It is bounded in number and age, and lost on a restart: every format has a
// defined downgrade for that. A nil State remembers nothing.
type State struct {
	kept *expirable.LRU[stateKey, Kept]
}

// stateKey carries the client's key so that no client reads another's state, and what the
// conversation begins with: some providers count calls from 0 in each conversation.
type stateKey struct {
	client   string
	prefix   uint64
	toolCall string
}

func stateKeyOf(req *gateway.Request, toolCall string) stateKey {
	return stateKey{req.Key, req.Prefix, toolCall}
}

// Kept is the state of the assistant turn that made a tool call.
type Kept struct {
	Maker        string // adapter kind that made it
	Model        string
	Signature    string // Gemini's, of this call
	Thinking     []gateway.Thinking
	Reasoning    string
	HasReasoning bool
}

// textKey names an answer without tool calls: what comes back of it is its text.
func textKey(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "text:" + string(sum[:])
}

// NewState makes a State for at most size tool calls, each kept for ttl.
func NewState(size int, ttl time.Duration) *State {
	return &State{kept: expirable.NewLRU[stateKey, Kept](size, nil, ttl)}
}

// Put remembers k for a tool call in the conversation of req.
func (s *State) Put(req *gateway.Request, toolCall string, k Kept) {
	if s != nil && toolCall != "" {
		s.kept.Add(stateKeyOf(req, toolCall), k)
	}
}

// Get returns what was remembered for a tool call in the conversation of req.
func (s *State) Get(req *gateway.Request, toolCall string) (Kept, bool) {
	if s == nil || toolCall == "" {
		return Kept{}, false
	}
	return s.kept.Get(stateKeyOf(req, toolCall))
}
