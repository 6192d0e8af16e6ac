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

	known  map[Way]*health
	hedges float64 // hedges that may be made now
	money  float64 // microcents that hedges may cost now
	seeded bool
	flying int    // requests in flight
	again  int    // of them, retries at the same provider
	tests  uint64 // calls that tested a demoted model, ever
	sick   []Way
}

// NewFleet makes a Fleet that knows nothing yet; hedges start with a full bucket.
func NewFleet(t Times, gate func(*gateway.Model) GateView) *Fleet {
	return &Fleet{Times: t, Gate: gate, known: map[Way]*health{}, hedges: t.HedgeBurst}
}

// Way is how a model is asked. A plain call has its first content when the answer is
// whole, so what is usual for it says nothing of a streamed one, nor the other way round;
// and what is usual for answers of a few seconds nothing of those that may be long.
type Way struct {
	model       *gateway.Model
	plain, long bool
}

// of is what is known of a model's streamed calls.
func (f *Fleet) of(m *gateway.Model) *health { return f.learned(Way{model: m}) }

func (c *Candidate) way() Way { return Way{c.Model, c.Plain, c.Long > 0} }

// at is what is known of calls like the candidate's.
func (f *Fleet) at(c *Candidate) *health {
	if c.known == nil {
		c.known = f.learned(c.way())
	}
	return c.known
}

func (f *Fleet) learned(w Way) *health {
	h := f.known[w]
	if h == nil {
		h = newHealth(&f.Times)
		f.known[w] = h
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

// TakeSick returns what was demoted since the last call, each a model asked in one way,
// whose late calls should be moved.
func (f *Fleet) TakeSick() []Way {
	s := f.sick
	f.sick = nil
	return s
}

// record notes how a call went, and whether that demotes its model. test is the number
// under which the call tests a demoted one; 0: it does not.
func (f *Fleet) record(now time.Time, c *Candidate, v verdict, test uint64) {
	h := f.at(c)
	if test != 0 && h.demotion.free(test) {
		h.probed(now, v, &f.Times)
		return
	}
	if h.record(now, v, &f.Times) {
		f.sick = append(f.sick, c.way())
	}
}

// observe notes a time to first content, or how long a cut call had waited.
func (f *Fleet) observe(now time.Time, c *Candidate, promptTokens int, ttft time.Duration) {
	h := f.at(c)
	h.observe(now, classOf(promptTokens), ttft, !h.demotion.on && f.Gate(c.Model).Closed)
}

// hedgeDelay is when a call to c counts as late: the live quantile, but never above
// 1.5 times the baseline, because the live one follows an incident up. The quantile
// rises as the bucket empties, so that the last tokens go to those that wait longest.
func (f *Fleet) hedgeDelay(now time.Time, c *Candidate, promptTokens int) time.Duration {
	t, h := &f.Times, f.at(c)
	q := 0.95 + 0.035*max(0, 1-f.hedges/(0.6*t.HedgeBurst))
	d, ok := h.quantile(now, classOf(promptTokens), q)
	switch {
	case !ok && c.Long > 0:
		d = max(t.HedgeMost, 2*c.Usual)
	case !ok && c.Plain:
		d = t.HedgeMost // nothing says how long its answers are
	case !ok:
		d = t.HedgeCold
	}
	if b := h.base.m95; b > 0 {
		d = min(d, b*3/2)
	}
	if d = max(d, t.HedgeLeast); c.Long > 0 {
		return d // of a whole answer, which takes what it takes
	}
	return min(d, t.HedgeMost)
}

// giveUp is the age of a request after which no race of a call to c is tried any more that
// was not possible when it was due.
func (f *Fleet) giveUp(c *Candidate, delay time.Duration) time.Duration {
	if c.Long > 0 {
		return max(f.Times.HedgeGiveUp, 2*delay)
	}
	return f.Times.HedgeGiveUp
}

// overdueAfter is when a call counts against c although it is still waiting; 0 while
// nothing is known of it.
func (f *Fleet) overdueAfter(c *Candidate) time.Duration {
	return f.at(c).base.m95 * 105 / 100
}

// limit is how long a call to c may take to its first content.
func (f *Fleet) limit(now time.Time, c *Candidate) time.Duration {
	t, h := &f.Times, f.at(c)
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
func (d *demotion) rested(now time.Time) bool { return d.on && d.probing == 0 && !now.Before(d.until) }

// free ends a test. One of an earlier demotion has no say in this one.
func (d *demotion) free(test uint64) bool {
	if d.probing != test {
		return false
	}
	d.probing = 0
	return true
}

// mayRetry says whether the retry budget allows one more repeat at the same provider.
func (f *Fleet) mayRetry() bool {
	return f.again < max(f.Times.RetryLeast, int(f.Times.RetryShare*float64(f.flying)))
}
