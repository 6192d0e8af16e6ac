package route

import (
	"time"

	"gateway"
)

// Rules are what one request may do: the configuration with the request's own headers applied.
type Rules struct {
	Hedge      string        // off, auto or force
	HedgeAfter time.Duration // fixed delay; 0: learned
	MaxHedges  int
	Hedgeable  bool // false: racing it could have effects twice (see Hedgeable)
	Demote     bool // slow models are passed over, and late calls moved
	NoFallback bool
	Limit      time.Duration // fixed limit on time to first content; 0: learned
	Patience   time.Duration // a Retry-After within this is waited out
	Deadline   time.Time     // of the whole request
	ContentBy  time.Time     // for the first content
	// ContentIn, where ContentBy was put off to the Deadline for plain calls: what a streamed
	// one may take to its first content all the same. 0: ContentBy says it.
	ContentIn     time.Duration
	MaxCost       gateway.Microcents
	Whole         bool // nothing goes to the client before the answer is whole
	Resume        bool // a stream that breaks may be continued by another attempt
	FilterPasses  bool // content_filter_fallback: on
	WrongAnswers  int  // answers that fail the caller's check and still move on
	PromptTokens  int
	Numbered      int          // attempts already made for this request by an earlier walk
	FirstRole     gateway.Role // of the first attempt; "" is Primary
	PatientEffort bool         // deep reasoning was asked: the learned limit is no guide
}

// patientLimit is the limit on time to first content where a model may think unseen.
// Source: routing reference section 3.
const patientLimit = 60 * time.Second

// EventKind says what happened.
type EventKind uint8

const (
	Begin   EventKind = iota
	Tick              // the time that Wake named has come
	Left              // the attempt was admitted and its call has left
	Refused           // the gate did not admit it; Err says why
	Content           // its first content is here
	Whole             // its whole answer is here
	Failed            // it failed; Err says how
	Gone              // the client left
	Drain             // the gateway ends
)

// Event is something that happened to a request.
type Event struct {
	Kind    EventKind
	Attempt int
	Probe   bool // with Left: the attempt tests a half-open breaker
	// After, with Content and Whole: how long after it left, by the clock of who made the
	// call; the walk may hear of it late. 0: as the walk sees it.
	After time.Duration
	Err   *gateway.Error
}

// ActionKind says what to do.
type ActionKind uint8

const (
	Start  ActionKind = iota // send an attempt to a candidate
	Cancel                   // stop an attempt; Err says why
	Commit                   // this attempt's answer goes to the client
	GiveUp                   // tell the client Err
)

// Action is something to do.
type Action struct {
	Kind      ActionKind
	Attempt   int
	Candidate int
	Role      gateway.Role
	// Queue, with Start: the provider may keep the attempt until then for a free place.
	Queue time.Time
	Err   *gateway.Error
}
