package route

import (
	"time"

	"gateway"
)

// Fleet is what all requests share: what is known of every model, and the budgets of
// hedges and retries. It has one owner, the router; it is not safe for concurrent use.
type Fleet struct {
	Times Times
	// Gate tells what the gate of a model would say now. Required.
	Gate func(*gateway.Model) GateView

	known  map[*gateway.Model]*health
	hedges float64 // hedges that may be made now
	money  float64 // microcents that hedges may cost now
	seeded bool
	flying int // requests in flight
	again  int // of them, retries at the same provider
	sick   []*gateway.Model
}

// NewFleet makes a Fleet that knows nothing yet; hedges start with a full bucket.
func NewFleet(t Times, gate func(*gateway.Model) GateView) *Fleet {
	return &Fleet{Times: t, Gate: gate, known: map[*gateway.Model]*health{}, hedges: t.HedgeBurst}
}

func (f *Fleet) of(m *gateway.Model) *health {
	h := f.known[m]
	if h == nil {
		h = newHealth(&f.Times)
		f.known[m] = h
	}
	return h
}

// moneyDepth is how many requests' worth of hedge money is kept at most.
const moneyDepth = 400

// earn adds what one request brings: a share of a hedge, and of its own price.
func (f *Fleet) earn(expected gateway.Microcents) {
	t := &f.Times
	f.hedges = min(t.HedgeBurst, f.hedges+t.HedgeShare)
	share := t.HedgeShare * float64(expected)
	if !f.seeded { // the same burst in money as in number
		f.seeded, f.money = true, t.HedgeBurst*float64(expected)
	}
	f.money = min(f.money+share, max(f.money*0.999, moneyDepth*share))
}

// TakeSick returns the models demoted since the last call, whose late calls should be moved.
func (f *Fleet) TakeSick() []*gateway.Model {
	s := f.sick
	f.sick = nil
	return s
}

// record notes how a call went, and whether that demotes its model.
func (f *Fleet) record(now time.Time, m *gateway.Model, v verdict, probe bool) {
	h := f.of(m)
	if probe {
		h.probed(now, v, &f.Times)
		return
	}
	if h.record(now, v, &f.Times) {
		f.sick = append(f.sick, m)
	}
}

// observe notes a time to first content, or how long a cut call had waited.
func (f *Fleet) observe(now time.Time, m *gateway.Model, promptTokens int, ttft time.Duration) {
	h := f.of(m)
	h.observe(now, classOf(promptTokens), ttft, !h.demotion.on && f.Gate(m).Closed)
}

// hedgeDelay is when a call to m counts as late: the live quantile, but never above
// 1.5 times the baseline, because the live one follows an incident up. The quantile
// rises as the bucket empties, so that the last tokens go to those that wait longest.
func (f *Fleet) hedgeDelay(now time.Time, m *gateway.Model, promptTokens int) time.Duration {
	t, h := &f.Times, f.of(m)
	q := 0.95 + 0.035*max(0, 1-f.hedges/(0.6*t.HedgeBurst))
	d, ok := h.quantile(now, classOf(promptTokens), q)
	if !ok {
		d = t.HedgeCold
	}
	if b := h.base.m95; b > 0 {
		d = min(d, b*3/2)
	}
	return min(max(d, t.HedgeLeast), t.HedgeMost)
}

// overdueAfter is when a call counts against m although it is still waiting; 0 while
// nothing is known of m.
func (f *Fleet) overdueAfter(m *gateway.Model) time.Duration {
	return f.of(m).base.m95 * 105 / 100
}

// limit is how long a call to m may take to its first content.
func (f *Fleet) limit(now time.Time, m *gateway.Model) time.Duration {
	t, h := &f.Times, f.of(m)
	b := h.base.m95
	if b == 0 {
		return t.LimitCold
	}
	if h.demotion.on {
		if live, n := h.live.quantile(now, 0.95); n >= 20 {
			b = max(b, live)
		}
	}
	return min(max(3*b, t.LimitLeast), t.LimitMost)
}

// rested says whether a demoted model may be tested by one live call now.
func (d *demotion) rested(now time.Time) bool { return d.on && !d.probing && !now.Before(d.until) }

// mayRetry says whether the retry budget allows one more repeat at the same provider.
func (f *Fleet) mayRetry() bool {
	return f.again < max(f.Times.RetryLeast, int(f.Times.RetryShare*float64(f.flying)))
}
