package breaker

import (
	"errors"
	"sync"
	"time"

	"gateway"
)

// Site is what all models of one provider share: whether it can be reached at all and
// whether it accepts our key. It is safe for concurrent use.
type Site struct {
	mu      sync.Mutex
	circuit *circuit
	pace    pace
	auth    lockout // the provider refuses our key
	cooling time.Time

	lastOpen *Gate // the model whose circuit opened last
	openedAt time.Time
}

// twoWithin: when the circuits of two models of a provider open so close together, it
// is the provider. Source: routing reference section 4.
const twoWithin = 30 * time.Second

// modelOpened notes that a model's circuit opened, and shuts the provider with the second.
func (s *Site) modelOpened(now time.Time, g *Gate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lastOpen != nil && s.lastOpen != g && now.Sub(s.openedAt) <= s.pace.of(twoWithin) && s.circuit.state(now) == Closed {
		s.circuit.trip(now)
	}
	s.lastOpen, s.openedAt = g, now
}

// NewSite makes the Site of one provider, with the same Rand and Pace as its gates.
func NewSite(cfg Config) *Site {
	return &Site{circuit: newCircuit(cfg.Rand, pace(cfg.Pace)), pace: pace(cfg.Pace)}
}

// admit lets a call through, which leave must then hear of exactly once, or refuses it.
func (s *Site) admit(now time.Time) (entry, *gateway.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Before(s.cooling) {
		return entry{}, refuse(gateway.RateLimited, s.cooling.Sub(now), "asked to come back later")
	}
	look, wait := s.auth.admit(now)
	if wait > 0 {
		return entry{}, refuse(gateway.ProviderAuth, wait, "it refuses the gateway's key")
	}
	pass, wait := s.circuit.admit(now)
	if wait > 0 {
		s.auth.looking = s.auth.looking && !look
		return entry{}, refuse(gateway.CircuitOpen, wait, "it cannot be reached")
	}
	return entry{pass, look}, nil
}

func (s *Site) leave(now time.Time, e entry, v verdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.leave(now, &s.auth, s.circuit, v, false) // that it breaks off does not say that it cannot be reached
}

func (s *Site) content(now time.Time, p pass) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.circuit.content(now, p)
}

// heed keeps every caller from a provider that asked for that, whichever model it said so
// of, unless it said that the limit is the model's own: then the gate alone heeds it.
func (s *Site) heed(now time.Time, err error) {
	e := asError(err)
	if e == nil || e.OneModel || e.Kind == gateway.Overloaded {
		return // one that is overloaded may be so for one model
	}
	d := s.pace.cooling(e)
	s.mu.Lock()
	defer s.mu.Unlock()
	if until := now.Add(d); d > 0 && until.After(s.cooling) {
		s.cooling = until
	}
}

// judge says what an outcome means for the whole provider: a failed connection is bad
// for all its models, an answer of any kind shows that it can be reached.
func (s *Site) judge(now time.Time, err error, v verdict) verdict {
	e := asError(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e != nil && e.Kind == gateway.ProviderAuth {
		if !oneModel(e) {
			s.auth.refused(now, s.pace.of(authPause))
		}
		return neutral
	}
	if v == good {
		s.auth.lift()
		return good
	}
	if e == nil || e.Kind == gateway.Canceled || e.Kind == gateway.Timeout {
		return neutral
	}
	if e.Status == 0 && !e.Sent && v == bad {
		return bad
	}
	if e.Status != 0 {
		return good
	}
	return neutral
}

// oneModel: the key is good, but not for this model.
func oneModel(e *gateway.Error) bool { return e.Kind == gateway.ProviderAuth && e.Status == 403 }

// outlook is what can be said of calls to any model now.
type outlook struct {
	state   string        // Closed, Open, HalfOpen, Cooling or Misconfigured
	cooling time.Time     // when every model may be asked again; in the past when that is now
	wait    time.Duration // until a call would be let through
}

func (s *Site) outlook(now time.Time) outlook {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := outlook{state: s.circuit.state(now), cooling: s.cooling}
	shut := s.auth.shut(now)
	switch {
	case now.Before(s.cooling):
		o.wait = s.cooling.Sub(now)
	case shut:
		o.wait = max(s.auth.until.Sub(now), time.Second)
	case o.state == Open:
		o.wait = max(s.circuit.shut.Sub(now), time.Millisecond)
	}
	if shut {
		o.state = Misconfigured
	} else if now.Before(s.cooling) {
		o.state = Cooling
	}
	return o
}

// State is Closed, Open, HalfOpen, Cooling or Misconfigured.
func (s *Site) State(now time.Time) string { return s.outlook(now).state }

func asError(err error) *gateway.Error {
	if e, ok := err.(*gateway.Error); ok || err == nil { // as a rule, and without errors.As's garbage
		return e
	}
	var e *gateway.Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}
