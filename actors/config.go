package actors

import (
	"context"
	"log/slog"
	"time"

	"gateway"
	"gateway/breaker"
	"gateway/route"
)

// Upstream makes calls to one provider. It is satisfied by the adapters of package providers.
type Upstream interface {
	Open(ctx context.Context, call *gateway.Call) (gateway.Stream, error)
	Embed(ctx context.Context, call *gateway.Call) (*gateway.Embeddings, error)
}

// Catalog tells which models a request may use.
type Catalog interface {
	// Resolve gives the models for a name that a client asked; pinned says that the
	// client chose the provider itself. Its error is of kind UnknownModel.
	Resolve(asked string) (models []*gateway.Model, pinned bool, err error)
	// ResolveEmbedding is Resolve for embeddings: only one and the same model.
	ResolveEmbedding(asked string) (models []*gateway.Model, pinned bool, err error)
}

// Books writes ledger rows. It is satisfied by ledger.Committer.
type Books interface {
	// Begin makes it known that an attempt is about to be sent, and waits until that is
	// durable. Its error is of kind LedgerDown, or why ctx ended.
	Begin(ctx context.Context, o *gateway.Outset) error
	// Failing is why the books cannot be written now; nil while all is well.
	Failing() error
	// Full is why no attempt may leave, not even one that need not be booked at once: too
	// many rows wait in memory. Nil as a rule.
	Full() error
	// Submit never blocks. hold ends when the row is durable; unsure is how much more than
	// its cost the attempt may have been billed. done is called once, when the row is
	// durable or could not be written yet.
	Submit(entry gateway.Entry, hold gateway.Hold, unsure gateway.Microcents, done func(error))
}

// Estimate guesses the size of a prompt before it is sent, from what is known without
// reading it. What an attempt used, where nothing was reported, is counted from its text.
type Estimate struct {
	Prompt func(bytes, messages, images int) int
}

// Provider is one provider as the system runs it.
type Provider struct {
	Name         string
	Kind         string
	Default      *gateway.Model
	Upstream     Upstream
	Models       []*gateway.Model
	Limits       breaker.Config            // of each model; Rand and Pace are filled in
	ByModel      map[string]breaker.Config // replaces Limits for a model by its wire name
	TTFT         time.Duration             // limit on time to first content; 0: learned
	Idle         time.Duration             // silence in the middle of an answer; 0: learned
	Timeout      time.Duration             // of a whole attempt; 0: the request's deadline
	Hedge        string                    // off, auto; "" is auto
	After        time.Duration             // fixed hedge delay; 0: learned
	OnBreak      string                    // stream_failure
	Patience     time.Duration
	FilterPasses bool
}

// Config is what a System is made of. Everything but Log and Times is required.
type Config struct {
	Providers []Provider
	Catalog   Catalog
	Books     Books
	Estimate  Estimate
	Times     route.Times // zero: route.Default()
	Log       *slog.Logger
	Rand      func() float64 // in [0,1); nil: math/rand/v2

	Pace        float64       // multiplies the breakers' durations, as Times are scaled; 0 is 1
	Deadline    time.Duration // of a request that names none; 0: 10 minutes
	ContentBy   time.Duration // for the first content; 0: 2 minutes
	Patience    time.Duration // 0: 200 ms
	Hedge       string        // off, auto; "" is auto
	HedgeAfter  time.Duration
	MaxHedges   int // 0: 1
	NoDemote    bool
	NoFallback  bool          // a request asks one candidate only, unless it says otherwise
	Limit       time.Duration // fixed limit on time to first content; 0: learned
	OnBreak     string        // stream_failure; "" is error
	MaxInFlight int           // requests; 0: 20,000
	// Holds are the budgets; nil: nobody has any.
	Holds Holds
	// RefuseOnLedgerError: while the books cannot be written, nobody is served. Otherwise
	// only those who have a budget are refused, and the others go on with an alarm.
	RefuseOnLedgerError bool
	// OnLedgerError, if set, is told of rows that could not be written yet.
	OnLedgerError func(error)
}

func (c *Config) defaults() {
	if c.Times == (route.Times{}) {
		c.Times = route.Default()
	}
	orDuration(&c.Deadline, 10*time.Minute)
	orDuration(&c.ContentBy, 2*time.Minute)
	orDuration(&c.Patience, 200*time.Millisecond)
	if c.MaxHedges == 0 {
		c.MaxHedges = 1
	}
	if c.MaxInFlight == 0 {
		c.MaxInFlight = 20_000
	}
	if c.Hedge == "" {
		c.Hedge = "auto"
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

func orDuration(d *time.Duration, otherwise time.Duration) {
	if *d == 0 {
		*d = otherwise
	}
}
