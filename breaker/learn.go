package breaker

import (
	"math"
	"time"
)

// places finds how many calls a provider takes at once when it answers 429 and tells
// nothing. The refusals of the first burst ratchet the limit down to what was in
// flight when they came back, which may be too low, since good answers come back in
// between. So it then grows by a quarter a round until the next refusal, and from
// there by one after every growAfter × limit answers: a probe above a hidden limit of
// 32 costs one 429 in some hundreds of calls.
//
// The routing reference (section 5) proposes to halve a rate and add 5 % a minute. For
// a limit on calls at once that leaves half of the provider unused for minutes; for a
// limit on a rate, fewer at once slow the rate as well.
type places struct {
	limit  int  // 0: none known
	served int  // answers since it last changed
	grown  bool // since the first burst
	near   bool // a refusal came after growth: the true limit is close
	before int  // the limit before the growth that is being tried; 0: none is
}

const growAfter = 8

// refused notes a bare 429 that came back while so many, itself included, were in flight.
func (p *places) refused(inFlight int) {
	n := max(1, inFlight-1)
	switch {
	case p.limit == 0 || !p.grown:
		if p.limit == 0 || n < p.limit {
			p.limit, p.served = n, 0
		}
	case p.before > 0: // the growth was too much: undo it
		p.limit, p.before, p.served, p.near = p.before, 0, 0, true
	case p.served >= 2: // an earlier one is of the same overshoot
		p.limit, p.served, p.near = max(1, p.limit-1), 0, true
	}
}

// answered notes a good answer; full says that the limit was in use.
func (p *places) answered(full bool) {
	if p.limit == 0 || !full {
		return
	}
	p.served++
	switch {
	case !p.near && p.served >= p.limit:
		p.before, p.limit, p.served, p.grown = p.limit, p.limit+max(1, p.limit/4), 0, true
	case p.near && p.served >= growAfter*p.limit:
		p.before, p.limit, p.served = p.limit, p.limit+1, 0
	}
}

// gradient is the adaptive concurrency limit of a local server: it grows while the
// time to first content stays near its best, and shrinks when that grows, because
// then requests only queue inside the server. It never looks at the total time, which
// is the length of the answer. Source: routing reference section 5.
type gradient struct {
	most  int
	lim   float64
	best  time.Duration // slowly forgotten minimum of the time to first content
	short time.Duration // moving average
	n     int           // answers since the last step
	peak  int           // most in flight since then
	old   int           // answers still to come that left under an earlier, higher limit
}

const (
	gradientStart  = 4
	gradientMost   = 256
	gradientWindow = 8
	gradientSlack  = 2.0 // times the best that is still no queue
)

func newGradient(most int) *gradient {
	if most <= 0 {
		most = gradientMost
	}
	return &gradient{most: most, lim: float64(min(gradientStart, most))}
}

func (g *gradient) limit() int { return max(1, int(g.lim)) }

// took notes how many are in flight now.
func (g *gradient) took(inFlight int) { g.peak = max(g.peak, inFlight) }

func (g *gradient) observe(o Outcome) {
	if judge(o.Err) == bad {
		g.lim = max(1, g.lim*0.9)
		return
	}
	if g.old > 0 {
		g.old--
		return
	}
	if o.TTFT <= 0 {
		return
	}
	if g.best == 0 || o.TTFT < g.best {
		g.best = o.TTFT
	}
	if g.short == 0 {
		g.short = o.TTFT
	}
	g.short += (o.TTFT - g.short) / 4
	if g.n++; g.n < gradientWindow {
		return
	}
	peak := g.peak
	g.n, g.peak = 0, 0
	g.best += g.best / 100
	ratio := float64(g.best) * gradientSlack / float64(g.short)
	g.short = 0 // each window speaks for itself: a queue is answered by one step down
	switch {
	case ratio < 1:
		g.lim = max(1, g.lim*max(0.5, ratio))
		g.old = peak
	case peak >= g.limit(): // grow only when the limit is in use
		g.lim = min(float64(g.most), g.lim+max(1, math.Sqrt(g.lim)/2))
	}
}
