package breaker

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"gateway"
)

// States of a Gate or Site.
const (
	Closed        = "closed"
	Open          = "open"
	HalfOpen      = "half_open"
	Cooling       = "cooling"       // a Retry-After has not passed
	Misconfigured = "misconfigured" // the provider refuses our key; traffic does not probe it
)

// Config holds the limits of one model. Zero means no limit.
type Config struct {
	RPM, TPM    int
	MaxInFlight int
	// Adaptive finds the concurrency by itself from the time to first content (local servers).
	Adaptive bool
	// TrustHeaders lets a provider's headers raise RPM and TPM too, not only lower them.
	TrustHeaders bool
	// Off leaves the circuit breaker out (limits and cooling stay).
	Off bool
	// Pace multiplies every built-in duration, for runs on a compressed clock; 0 is 1.
	Pace float64
	// Rand is for jitter, in [0,1). Required.
	Rand func() float64
}

// Gate admits attempts for one model of one provider. It is safe for concurrent use;
// it outlives the actor that asks it, so that a restart forgets no limit.
type Gate struct {
	site *Site
	cfg  Config

	mu       sync.Mutex
	circuit  *circuit
	auth     lockout       // the provider refuses our key for this model alone
	requests *rate.Limiter // nil: no limit
	tokens   bucket
	learned  places
	adaptive *gradient // nil: fixed limit
	inFlight int
	reserved int // tokens of those in flight that no header has counted yet
	left     left
	cooling  time.Time
	mutes    int           // refusals without a word while nothing else was in flight, in a row
	service  time.Duration // moving average of how long an answer takes

	waiting atomic.Int64 // in the queue before this gate, for people to see
}

// Waits notes that so many more, or with a negative n fewer, wait for this gate.
func (g *Gate) Waits(n int) { g.waiting.Add(int64(n)) }

// pace is how fast the clock of a simulation runs.
type pace float64

func (p pace) of(d time.Duration) time.Duration {
	if p <= 0 {
		return d
	}
	return time.Duration(float64(d) * float64(p))
}

func (g *Gate) pace() pace { return pace(g.cfg.Pace) }

// New makes a Gate of a Site.
func New(site *Site, cfg Config) *Gate {
	g := &Gate{site: site, cfg: cfg, circuit: newCircuit(cfg.Rand, pace(cfg.Pace))}
	if cfg.RPM > 0 {
		g.requests = rate.NewLimiter(rate.Limit(float64(cfg.RPM)/60), max(1, cfg.RPM/60))
	}
	if cfg.TPM > 0 {
		g.tokens.set(time.Time{}, cfg.TPM)
	}
	if cfg.Adaptive {
		g.adaptive = newGradient(cfg.MaxInFlight)
	}
	return g
}

// Permit is the right to make one attempt. Done must be called exactly once; a
// second call does nothing.
type Permit struct {
	gate  *Gate
	site  *Site
	in    entry // of the gate
	atAll entry // of the site
	// Probe is true for the one attempt that tests a half-open circuit.
	Probe    bool
	reserved int
	heard    bool // the head of its answer has come; the gate's lock covers it
	begun    time.Time
	once     sync.Once
}

// Outcome is how an attempt ended.
type Outcome struct {
	Err    error // nil: a whole answer
	Tokens int   // prompt and output really used; 0 when nothing was sent or it is not known
	TTFT   time.Duration
}

// Admit asks for one attempt that will use about so many tokens. A refusal is of kind
// CircuitOpen, RateLimited (cooling), NoCapacity (our own limits) or ProviderAuth,
// with RetryAfter set to when it is worth asking again.
func (g *Gate) Admit(now time.Time, tokens int) (*Permit, *gateway.Error) {
	at, refusal := g.site.admit(now)
	if refusal != nil {
		return nil, refusal
	}
	p, refusal := g.admit(now, tokens)
	if refusal != nil {
		g.site.leave(now, at, neutral)
		return nil, refusal
	}
	p.atAll, p.Probe = at, p.Probe || at.probes()
	return p, nil
}

func (g *Gate) admit(now time.Time, tokens int) (*Permit, *gateway.Error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now.Before(g.cooling) {
		return nil, refuse(gateway.RateLimited, g.cooling.Sub(now), "asked to come back later")
	}
	if limit := g.limit(); limit > 0 && g.inFlight >= limit {
		return nil, refuse(gateway.NoCapacity, 0, "all of its places are taken")
	}
	in, refusal := g.test(now)
	if refusal != nil {
		return nil, refusal
	}
	if wait, ok := g.spend(now, tokens); !ok {
		in.leave(now, &g.auth, g.circuit, neutral, false)
		return nil, refuse(gateway.NoCapacity, wait, "its rate limit is used up")
	}
	g.inFlight++
	g.reserved += tokens
	if g.adaptive != nil {
		g.adaptive.took(g.inFlight)
	}
	return &Permit{gate: g, site: g.site, in: in, Probe: in.probes(), reserved: tokens, begun: now}, nil
}

// test asks the lockout and the circuit.
func (g *Gate) test(now time.Time) (entry, *gateway.Error) {
	look, wait := g.auth.admit(now)
	if wait > 0 {
		return entry{}, refuse(gateway.ProviderAuth, wait, "it refuses the gateway's key for this model")
	}
	if g.cfg.Off {
		return entry{look: look}, nil
	}
	pass, wait := g.circuit.admit(now)
	if wait > 0 {
		g.auth.looking = g.auth.looking && !look
		return entry{}, refuse(gateway.CircuitOpen, wait, "its circuit breaker is open")
	}
	return entry{pass, look}, nil
}

func refuse(kind gateway.Kind, wait time.Duration, text string) *gateway.Error {
	return &gateway.Error{Kind: kind, RetryAfter: wait, Message: text}
}

// limit is the number of attempts that may be in flight; 0: no limit.
func (g *Gate) limit() int {
	limit := g.cfg.MaxInFlight
	if g.adaptive != nil {
		limit = g.adaptive.limit()
	}
	if n := g.learned.limit; n > 0 && (limit == 0 || n < limit) {
		limit = n
	}
	return limit
}

// spend takes from the limiters, all or nothing.
func (g *Gate) spend(now time.Time, tokens int) (time.Duration, bool) {
	if wait, ok := g.tokens.take(now, tokens); !ok {
		return wait, false
	}
	if g.requests == nil {
		return 0, true
	}
	if r := g.requests.ReserveN(now, 1); r.DelayFrom(now) > 0 {
		wait := r.DelayFrom(now)
		r.CancelAt(now)
		g.tokens.give(now, tokens)
		return wait, false
	}
	return 0, true
}

// Content reports that the attempt has given its first content, before Done. It lets the
// next probe leave if this is one: an answer may take minutes, and what waits for three of
// them in a row would be kept from a provider that is well for as long.
func (p *Permit) Content(now time.Time) {
	if !p.Probe {
		return
	}
	p.gate.mu.Lock()
	p.gate.circuit.content(now, p.in.pass)
	p.gate.mu.Unlock()
	p.site.content(now, p.atAll.pass)
}

// Done reports how the attempt ended and gives its place back.
func (p *Permit) Done(now time.Time, o Outcome) {
	p.once.Do(func() {
		v := judge(o.Err)
		p.site.heed(now, o.Err) // before the place is free for the next
		if opened := p.gate.settle(now, p, o, v); opened {
			p.site.modelOpened(now, p.gate)
		}
		p.site.leave(now, p.atAll, p.site.judge(now, o.Err, v))
	})
}

// settle says whether this outcome opened the circuit.
func (g *Gate) settle(now time.Time, p *Permit, o Outcome, v verdict) (opened bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	full := g.inFlight >= g.learned.limit
	if e := asError(o.Err); e != nil && e.Kind == gateway.RateLimited && e.RetryAfter <= 0 && !e.Quota {
		g.learned.refused(g.inFlight)
		g.mute(now)
	} else if v == good {
		g.learned.answered(full)
		g.auth.lift()
		g.mutes = 0
		g.took(now.Sub(p.begun))
	}
	g.inFlight--
	before := g.circuit.shut
	p.in.leave(now, &g.auth, g.circuit, v, o.TTFT > 0)
	opened = g.circuit.shut.After(before)
	g.tokens.give(now, p.reserved-o.Tokens)
	if g.adaptive != nil {
		g.adaptive.observe(o)
	}
	g.learn(now, p, o)
	g.arrived(p)
	return opened
}

// learn follows what a refusal says of the provider's limits. One in the middle of an
// answer only repeats what its head said, which was heard then.
func (g *Gate) learn(now time.Time, p *Permit, o Outcome) {
	e := asError(o.Err)
	if e == nil {
		return
	}
	if e.Rate != nil && !p.heard {
		g.arrived(p)
		g.follow(now, e.Rate)
	}
	if e.Kind == gateway.ProviderAuth && oneModel(e) {
		g.auth.denied(now, g.pace().of(authPause))
	}
	g.cool(now, g.pace().cooling(e))
}

func (g *Gate) cool(now time.Time, d time.Duration) {
	if until := now.Add(d); until.After(g.cooling) {
		g.cooling = until
	}
}

// Status is a snapshot for people and for the router's choice of hedges.
type Status struct {
	State        string
	InFlight     int
	Limit        int
	CoolingUntil time.Time
	Queued       int
	Tight        bool // a limiter has under 10 % left: no hedge should go here
	// Wait is the time until a call would be let through, as far as that is known.
	Wait time.Duration
}

// Status reads the gate without changing it.
func (g *Gate) Status(now time.Time) Status {
	site := g.site.outlook(now)
	g.mu.Lock()
	defer g.mu.Unlock()
	s := Status{State: g.circuit.state(now), InFlight: g.inFlight, Limit: g.limit(), Queued: int(g.waiting.Load())}
	if until := later(g.cooling, site.cooling); now.Before(until) {
		s.State, s.CoolingUntil = Cooling, until
	}
	if g.auth.shut(now) {
		s.State = Misconfigured
	}
	s.Wait = max(site.wait, g.wait(now))
	if site.state != Closed && s.State != Cooling {
		s.State = site.state
	}
	s.Tight = s.Limit > 0 && 10*g.inFlight >= 9*s.Limit || g.left.tight(now)
	if g.tokens.perMinute > 0 {
		g.tokens.fill(now)
		s.Tight = s.Tight || g.tokens.level < g.tokens.perMinute/10
	}
	if g.requests != nil {
		s.Tight = s.Tight || g.requests.TokensAt(now) < max(1, float64(g.requests.Burst())/10)
	}
	return s
}
