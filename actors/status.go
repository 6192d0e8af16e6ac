package actors

import (
	"slices"
	"strings"
	"time"

	"gateway"
	"gateway/breaker"
)

// status gathers what is known of every provider, for people.
func (r *router) status() []gateway.ProviderStatus {
	now := time.Now()
	out := make([]gateway.ProviderStatus, 0, len(r.sys.sites))
	for _, s := range r.sys.sites {
		p := gateway.ProviderStatus{Name: s.cfg.Name, Kind: s.cfg.Kind, State: s.gates.site.State(now)}
		if s.cfg.Default != nil {
			p.Model = s.cfg.Default.Name
			p.State = s.gates.of(s.cfg.Default).Status(now).State
		}
		for _, m := range s.gates.models() {
			ms := r.modelStatus(m, s.gates.of(m).Status(now), now)
			p.InFlight += ms.InFlight
			p.Models = append(p.Models, ms)
		}
		slices.SortFunc(p.Models, func(a, b gateway.ModelStatus) int { return strings.Compare(a.Model, b.Model) })
		out = append(out, p)
	}
	return out
}

func (r *router) modelStatus(m *gateway.Model, g breaker.Status, now time.Time) gateway.ModelStatus {
	ms := r.fleet.Model(now, m)
	ms.State, ms.InFlight, ms.CoolingUntil, ms.Queued, ms.Places = g.State, g.InFlight, g.CoolingUntil, g.Queued, g.Limit
	switch {
	case g.State != breaker.Closed:
		ms.Skip = g.State
	case ms.Demoted:
		ms.Skip = "slow: passed over for a faster one that is not too dear"
	case g.Limit > 0 && g.InFlight >= g.Limit:
		ms.Skip = "all of its places are taken"
	}
	return ms
}
