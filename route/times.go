package route

import "time"

// Times are the durations and shares the router works with. Every one can be set;
// Default has the values of the routing reference (sections 1, 3 and 4).
type Times struct {
	LiveWindow     time.Duration // of the live quantiles
	LongWindow     time.Duration // used instead while the live window has too few samples
	BaselinePeriod time.Duration
	HedgeLeast     time.Duration // bounds of the adaptive hedge delay
	HedgeMost      time.Duration
	HedgeCold      time.Duration // while nothing is known
	HedgeGiveUp    time.Duration // age of a request after which no hedge is tried
	LimitLeast     time.Duration // bounds of the adaptive limit on time to first content
	LimitMost      time.Duration
	LimitCold      time.Duration
	LimitExtended  time.Duration // while everything affordable is slow
	IdleLeast      time.Duration // bounds of the learned limit on silence in the middle of an answer
	IdleMost       time.Duration // also while nothing is known
	OutcomeAge     time.Duration // of the outcomes that demote
	DemoteFor      time.Duration // first rest of a demoted model, doubling
	DemoteAtMost   time.Duration
	Rebaseline     time.Duration // slowness that lasts so long is the new normal
	MoveSpread     time.Duration // moved calls leave over this span
	Quick          time.Duration // a failure this fast may be retried at the same provider
	RetryPause     time.Duration
	QueueAtMost    time.Duration // longest wait in a provider's queue
	PreferWait     time.Duration // a wait this short is better than the next candidate

	HedgeShare   float64 // hedges per request, in number and in money
	HedgeBurst   float64
	RetryShare   float64 // of requests in flight that may be retries at the same provider
	RetryLeast   int
	PriceRatio   float64 // a candidate dearer than this times the other is not an alternative to slowness; 0: no limit
	DemoteShare  float64 // of the last outcomes that are slow or failed
	RestoreShare float64
}

// Default is what a gateway without configuration uses.
func Default() Times {
	return Times{
		LiveWindow: time.Minute, LongWindow: 5 * time.Minute, BaselinePeriod: 30 * time.Second,
		HedgeLeast: 200 * time.Millisecond, HedgeMost: 8 * time.Second, HedgeCold: 3 * time.Second, HedgeGiveUp: 20 * time.Second,
		LimitLeast: 4 * time.Second, LimitMost: 20 * time.Second, LimitCold: 20 * time.Second, LimitExtended: 30 * time.Second,
		IdleLeast: 10 * time.Second, IdleMost: 30 * time.Second, OutcomeAge: time.Minute, DemoteFor: 5 * time.Second, DemoteAtMost: 40 * time.Second, Rebaseline: 10 * time.Minute, MoveSpread: 500 * time.Millisecond,
		Quick: time.Second, RetryPause: 50 * time.Millisecond, QueueAtMost: 10 * time.Second, PreferWait: 200 * time.Millisecond,
		HedgeShare: 0.05, HedgeBurst: 20, RetryShare: 0.2, RetryLeast: 3, PriceRatio: 5, DemoteShare: 0.4, RestoreShare: 0.15,
	}
}

// Scaled is t with every duration multiplied by f, for runs on a compressed time scale.
func (t Times) Scaled(f float64) Times {
	for _, d := range []*time.Duration{
		&t.LiveWindow, &t.LongWindow, &t.BaselinePeriod, &t.HedgeLeast, &t.HedgeMost, &t.HedgeCold, &t.HedgeGiveUp,
		&t.LimitLeast, &t.LimitMost, &t.LimitCold, &t.LimitExtended, &t.IdleLeast, &t.IdleMost, &t.OutcomeAge, &t.DemoteFor, &t.DemoteAtMost, &t.Rebaseline,
		&t.MoveSpread, &t.Quick, &t.RetryPause, &t.QueueAtMost, &t.PreferWait,
	} {
		*d = time.Duration(float64(*d) * f)
	}
	return t
}
