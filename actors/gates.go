package actors

import (
	"sync"

	"gateway"
	"gateway/breaker"
)

// gates are those of one provider, made when a model is first asked. They are outside
// the actor, so that a restart forgets no limit, and are read by the router.
type gates struct {
	site *breaker.Site
	cfg  *Provider
	rand func() float64
	pace float64

	mu      sync.RWMutex
	byModel map[*gateway.Model]*breaker.Gate
}

func newGates(cfg *Provider, rand func() float64, pace float64) *gates {
	return &gates{site: breaker.NewSite(breaker.Config{Rand: rand, Pace: pace}), cfg: cfg, rand: rand, pace: pace, byModel: map[*gateway.Model]*breaker.Gate{}}
}

func (g *gates) of(m *gateway.Model) *breaker.Gate {
	g.mu.RLock()
	gate := g.byModel[m]
	g.mu.RUnlock()
	if gate != nil {
		return gate
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if gate = g.byModel[m]; gate != nil {
		return gate
	}
	limits, ok := g.cfg.ByModel[m.Name]
	if !ok {
		limits = g.cfg.Limits
	}
	limits.Rand, limits.Pace = g.rand, g.pace
	gate = breaker.New(g.site, limits)
	g.byModel[m] = gate
	return gate
}

// models lists those that have a gate.
func (g *gates) models() []*gateway.Model {
	g.mu.RLock()
	defer g.mu.RUnlock()
	out := make([]*gateway.Model, 0, len(g.byModel))
	for m := range g.byModel {
		out = append(out, m)
	}
	return out
}
