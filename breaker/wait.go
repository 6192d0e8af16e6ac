package breaker

import "time"

// A provider that answers 429 to the only call in flight, without a word of when to come
// back, counts calls in time and not at once. It is left alone for a second, doubling to
// half a minute while it says nothing else. Source: Google's and OpenAI's advice for a
// 429 without Retry-After is exponential backoff from about a second.
const (
	mutePause  = time.Second
	muteAtMost = 30 * time.Second
)

// mute notes a refusal that names no time.
func (g *Gate) mute(now time.Time) {
	if g.inFlight > 1 {
		return // the number at once may be what it refuses: that is learned
	}
	pause := min(mutePause<<min(g.mutes, 10), muteAtMost)
	g.mutes++
	g.cool(now, g.pace().of(time.Duration(float64(pause)*(0.8+0.4*g.cfg.Rand()))))
}

func (g *Gate) took(d time.Duration) {
	if g.service == 0 {
		g.service = d
	}
	g.service += (d - g.service) / 8
}

// wait is the time until a call would be let through: exactly where a time was named, and
// from how fast places come free otherwise. Zero: now, or nobody knows.
func (g *Gate) wait(now time.Time) time.Duration {
	if d := g.cooling.Sub(now); d > 0 {
		return d
	}
	if g.auth.shut(now) {
		return max(g.auth.until.Sub(now), time.Second)
	}
	if !g.cfg.Off && g.circuit.state(now) == Open {
		return max(g.circuit.shut.Sub(now), time.Millisecond)
	}
	if limit, waiting := g.limit(), int(g.waiting.Load()); limit > 0 && g.inFlight+waiting >= limit {
		return g.service * time.Duration(waiting+1) / time.Duration(limit)
	}
	wait := g.tokens.until(now)
	if g.requests != nil {
		if missing := 1 - g.requests.TokensAt(now); missing > 0 {
			wait = max(wait, time.Duration(missing/float64(g.requests.Limit())*float64(time.Second)))
		}
	}
	return wait
}
