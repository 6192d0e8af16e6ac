// Package fakeupstream is a provider made of nothing: it speaks the wire formats of the
// real ones, says what it charges, and misbehaves on demand. The demo runs on it, and
// tests prove the gateway with it.
//
// It shares no code with the gateway's own adapters, so that a misreading of a format
// on one side is not repeated on the other, and it is as strict as the provider it
// stands for: what that one would refuse with a 400 is refused here. It never opens
// a connection itself and refuses to pretend any intelligence: an answer is a pure
// function of the question.
package fakeupstream

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Kind is the wire format a Server speaks.
type Kind uint8

// The formats.
const (
	OpenAI Kind = iota
	DeepSeek
	Ollama
	Anthropic
	Gemini
	OpenAIResponses
)

// String gives the name that providers.json uses for the kind.
func (k Kind) String() string {
	names := [...]string{"openai", "deepseek", "ollama", "anthropic", "gemini", "openai_responses"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("Kind(%d)", k)
}

// Config says how a Server behaves. The zero value is an OpenAI that answers every
// model at once, to everybody.
type Config struct {
	Kind Kind
	Addr string // where to listen; empty: a free port of 127.0.0.1

	Models []string // the models it has; empty: all, and it lists one
	Key    string   // the key it wants; empty: it does not look

	First  Delay         // until the first content, or until the answer when not streamed
	Gap    time.Duration // between one token and the next
	Tokens int           // length of each answer; 0: the question decides, 8 to 40
	Seed   uint64        // of First when it varies

	MaxInFlight int // requests at once; more get 429. 0: no limit
	RPM         int // requests a minute, announced in headers where the kind has them; 0: no limit

	// Canned gives everybody the same answer, made beforehand, and keeps no bill: for load.
	Canned bool

	// Weather, if set, decides every call by the chances and spells of a climate.
	Weather *Weather

	// BillsInFull charges a caller that leaves for the whole answer, as providers do that
	// do not stop when nobody listens. Otherwise it pays for what was made by then of a
	// stream; an answer in one body is charged whole by everybody.
	BillsInFull bool

	Plain       bool // answers in plain words: see PlainAnswer
	AlwaysTools bool // calls offered tools without being asked to

	AllowMarkers bool            // obey [[fault:NAME]] in the prompt
	Script       func(Seen) Step // what to do with each request; nil: answer it
}

// Delay is a time that may vary. The zero Delay is none.
type Delay struct {
	Median time.Duration
	Sigma  float64 // of the logarithm; 0: always the median
}

// draw gives the delay of one request. It depends on the seed and the request's number
// alone, so that the order in which handlers happen to run changes nothing.
func (d Delay) draw(seed uint64, number int) time.Duration {
	if d.Sigma == 0 || d.Median <= 0 {
		return d.Median
	}
	random := rand.New(rand.NewPCG(seed, uint64(number)))
	return time.Duration(float64(d.Median) * math.Exp(d.Sigma*random.NormFloat64()))
}

// Seen is what a Script is told about a request.
type Seen struct {
	Number int    // 1 for the first request of this server
	ID     string // from [[id:ID]] in the prompt
	Model  string
	Prompt string // the text of the user's last turn
	Stream bool
	Tools  []Tool // those offered
	Done   []Done // the calls of the conversation that have results
}

// Step is what a server does with one request. The zero Step answers it properly.
type Step struct {
	Fault Fault
	// Wait is how long SlowHeaders and the stalls last. 0: until the caller leaves.
	Wait time.Duration
	// After is how many tokens go out before a fault in the middle. 0: half of them.
	After int
	// RetryAfter is announced with RateLimited. 0: one second.
	RetryAfter time.Duration
	// Raw is the answer, when not nil.
	Raw *Raw
	// Say is the answer in no provider's format, when not nil.
	Say *Say
}
