package route

import (
	"time"

	"gateway"
)

// weight orders the failures of a request by what tells the client most: what it can
// do something about first.
var weight = map[gateway.Kind]int{
	gateway.BudgetExceeded: 100, gateway.LedgerDown: 95, gateway.ContextLength: 90, gateway.ContentFiltered: 80,
	gateway.BadAnswer: 70, gateway.RateLimited: 60, gateway.NoCapacity: 55, gateway.Overloaded: 50,
	gateway.Timeout: 45, gateway.Unavailable: 40, gateway.RetryNow: 40, gateway.CircuitOpen: 35,
	gateway.Internal: 30, gateway.ProviderBilling: 20, gateway.ProviderAuth: 20, gateway.Unsupported: 10,
}

// verdict is the final error when nobody is left: the most telling failure, with the
// earliest moment at which it is worth coming back.
func (w *Walk) verdict() *gateway.Error {
	var worst *gateway.Error
	soonest := time.Duration(0)
	for _, err := range w.failures {
		if worst == nil || weight[err.Kind] > weight[worst.Kind] {
			worst = err
		}
		if passes(err.Kind) {
			if wait := w.wait(err); soonest == 0 || wait < soonest {
				soonest = wait
			}
		}
	}
	if worst == nil {
		return w.nothingFits()
	}
	final := *worst
	final.RetryAfter = 0
	if passes(final.Kind) { // what time does not mend has no time to come back
		final.RetryAfter = soonest
	}
	return &final
}

// passes: the same request may be answered later.
func passes(k gateway.Kind) bool {
	switch k {
	case gateway.RateLimited, gateway.NoCapacity, gateway.Overloaded, gateway.CircuitOpen, gateway.RetryNow,
		gateway.Unavailable, gateway.ProviderAuth, gateway.ProviderBilling, gateway.LedgerDown:
		return true
	}
	return false
}

// atOnce is when to come back to a provider whose gate would let a call through now: it
// has just failed this one.
const atOnce = time.Second

// wait is how long it takes until the provider of a failure is worth asking again. Its
// gate knows best: it has heard of all calls since.
func (w *Walk) wait(err *gateway.Error) time.Duration {
	for i := range w.cands {
		if m := w.cands[i].Model; m.Provider == err.Provider && m.Name == err.Model {
			if g := w.fleet.Gate(m); g.Wait > 0 {
				return g.Wait
			}
			break
		}
	}
	if err.RetryAfter > 0 {
		return err.RetryAfter
	}
	return atOnce
}

// nothingFits: no candidate was asked at all.
func (w *Walk) nothingFits() *gateway.Error {
	if w.rules.MaxCost > 0 {
		return gateway.Errorf(gateway.BudgetExceeded, "no provider is expected to answer within the maximum cost of %d microcents", w.rules.MaxCost)
	}
	return gateway.Errorf(gateway.NoProvider, "no provider can serve this request")
}
