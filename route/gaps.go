package route

import "time"

// Gaps learns how long a model is silent in the middle of its answers, to tell a pause
// from a stall. It has one owner at a time and is not safe for concurrent use.
type Gaps struct {
	times *Times
	seen  *sketch
}

// gapsNeeded is the number of gaps from which their p99.9 says something.
const gapsNeeded = 2000

// NewGaps makes Gaps that know nothing yet.
func NewGaps(t *Times) *Gaps { return &Gaps{times: t, seen: newSketch(t.LongWindow)} }

// LongGap is the length from which a gap matters: the limit never falls under IdleLeast,
// three times the longest of shorter ones.
func (t *Times) LongGap() time.Duration { return t.IdleLeast / 4 }

// Add notes the gaps of one answer: how many were short, and each long one. One that was
// cut is as long as it was waited for.
func (g *Gaps) Add(now time.Time, short int, long []time.Duration) {
	g.seen.many(now, smallest, short)
	for _, d := range long {
		g.seen.add(now, d)
	}
}

// Limit is how long a silence may last: three times the p99.9 of the last minutes, within
// bounds. Source: routing reference section 3.
func (g *Gaps) Limit(now time.Time) time.Duration {
	d, n := g.seen.quantile(now, 0.999)
	if n < gapsNeeded {
		return g.times.IdleMost
	}
	return min(max(3*d, g.times.IdleLeast), g.times.IdleMost)
}
