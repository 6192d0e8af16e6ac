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
	refused error     // the provider refuses our key
	until   time.Time // look again then: a key may have been mended at the provider

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

// authPause is how long a provider that refuses our key is left alone before one
// request may look again. Traffic does not probe it in between.
const authPause = 10 * time.Minute

// NewSite makes the Site of one provider, with the same Rand and Pace as its gates.
func NewSite(cfg Config) *Site {
	return &Site{circuit: newCircuit(cfg.Rand, pace(cfg.Pace)), pace: pace(cfg.Pace)}
}

func (s *Site) admit(now time.Time) (func(time.Time, verdict), bool, *gateway.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused != nil && now.Before(s.until) {
		return nil, false, refuse(gateway.ProviderAuth, s.until.Sub(now), "it refuses the gateway's key")
	}
	done, probe, wait := s.circuit.admit(now)
	if done == nil {
		return nil, false, refuse(gateway.CircuitOpen, wait, "it cannot be reached")
	}
	return func(now time.Time, v verdict) {
		s.mu.Lock()
		defer s.mu.Unlock()
		done(now, v)
	}, probe, nil
}

// judge says what an outcome means for the whole provider: a failed connection is bad
// for all its models, an answer of any kind shows that it can be reached.
func (s *Site) judge(now time.Time, err error, v verdict) verdict {
	e := asError(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e != nil && e.Kind == gateway.ProviderAuth {
		s.refused, s.until = err, now.Add(s.pace.of(authPause))
		return neutral
	}
	if v == good {
		s.refused = nil
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

// State is Closed, Open, HalfOpen or Misconfigured.
func (s *Site) State(now time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused != nil && now.Before(s.until) {
		return Misconfigured
	}
	return s.circuit.state(now)
}

func asError(err error) *gateway.Error {
	var e *gateway.Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}
