package breaker

import (
	"math"
	"time"
)

// aimd finds a request rate for a provider that answers 429 and tells nothing: halve
// on a refusal, add 5 % a minute. It starts without a limit and forgets it again when
// the rate has grown past what is used. Source: routing reference section 5.
type aimd struct {
	rate    float64 // requests per second allowed; 0: no limit known
	level   float64
	at      time.Time
	counted float64 // requests in the second before now, decaying
	seen    time.Time
	halved  time.Time
}

const (
	aimdGrow    = 0.05 // per minute
	aimdHold    = time.Second
	aimdForget  = 4 // times the rate in use, at which the limit is dropped
	aimdLeast   = 0.1
	aimdMeasure = 2 * time.Second
)

// measure keeps a decaying count of requests per second.
func (a *aimd) measure(now time.Time) {
	if d := now.Sub(a.seen); d > 0 && !a.seen.IsZero() {
		a.counted *= math.Exp(-d.Seconds() / aimdMeasure.Seconds())
	}
	a.seen = now
}

func (a *aimd) used() float64 { return a.counted / aimdMeasure.Seconds() }

func (a *aimd) take(now time.Time) (time.Duration, bool) {
	a.measure(now)
	if a.rate > 0 {
		if d := now.Sub(a.at); d > 0 {
			a.rate *= 1 + aimdGrow*d.Minutes()
			a.level = min(max(1, a.rate), a.level+a.rate*d.Seconds())
			a.at = now
		}
		if a.rate > aimdForget*max(a.used(), 1) {
			a.rate = 0
		} else if a.level < 1 {
			return time.Duration((1 - a.level) / a.rate * float64(time.Second)), false
		} else {
			a.level--
		}
	}
	a.counted++
	return 0, true
}

func (a *aimd) give(time.Time) {
	a.counted = max(0, a.counted-1)
	if a.rate > 0 {
		a.level++
	}
}

// refused halves the rate, at most once a second: one burst is one piece of news.
func (a *aimd) refused(now time.Time) {
	if now.Sub(a.halved) < aimdHold {
		return
	}
	a.halved = now
	a.measure(now)
	from := a.rate
	if from == 0 {
		from = max(a.used(), 2*aimdLeast)
	}
	a.rate = max(from/2, aimdLeast)
	a.level, a.at = min(a.level, 1), now
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
