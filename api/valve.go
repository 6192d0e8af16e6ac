package api

import (
	"sync"
	"time"
)

// valve keeps the machine from taking in more than it can do. Its measure is how long
// ready work waits for a processor: when even the best moment of the last while was
// over target, each key gets a rate, the same for all, that falls until the wait is
// short and rises again after. A key that asks for less than its rate is never
// refused, so one that floods is refused alone (max-min fairness). It is a value of
// time and numbers: whoever uses it brings both, and the lock.
type valve struct {
	target time.Duration
	keys   map[string]*bucket
	rate   float64 // requests per second for each key; 0: as many as they like

	waits   [patience]time.Duration // of the last looks
	looks   int
	done    int     // requests ended since the last look
	pace    float64 // requests that end per second, smoothed
	refused int     // since the last look
	calm    int     // looks in a row without a refusal
}

// bucket is what one key may still send. Tokens are requests.
type bucket struct {
	tokens float64
	filled time.Time
	asked  time.Time // last
}

const (
	lookEvery = 100 * time.Millisecond
	// patience is how many looks in a row must be over target: one alone is a
	// collection of garbage or a neighbour, not a queue that stands.
	patience = 3
	calmFor  = 20                     // looks without a refusal after which no rate is kept
	forgetIn = 10 * time.Second       // a key that does not ask
	burst    = 250 * time.Millisecond // of its rate that a key may send at once
	slower   = 0.85                   // the rate after a look over target
	faster   = 1.05                   // the rate after a look under it

	leastShare = 0.7 // of its share of the pace: no rate is lower while there is one
)

func newValve(target time.Duration) *valve {
	return &valve{target: target, keys: map[string]*bucket{}}
}

// admit says whether a request of this key may come in now.
func (v *valve) admit(key string, now time.Time) bool {
	b := v.keys[key]
	if b == nil {
		b = &bucket{tokens: 1, filled: now}
		v.keys[key] = b
	}
	b.asked = now
	if v.rate == 0 {
		return true
	}
	b.tokens = min(b.tokens+now.Sub(b.filled).Seconds()*v.rate, max(1, v.rate*burst.Seconds()))
	b.filled = now
	if b.tokens < 1 {
		v.refused++
		return false
	}
	b.tokens--
	return true
}

// look takes the wait of the time since the last look, about lookEvery.
func (v *valve) look(now time.Time, since, wait time.Duration) {
	pace := float64(v.done) / max(since.Seconds(), 0.001)
	v.pace += (pace - v.pace) / 4
	v.done = 0
	v.waits[v.looks%patience] = wait
	v.looks++
	least := wait
	for _, w := range v.waits {
		least = min(least, w)
	}
	switch {
	case v.rate == 0 && least > v.target:
		v.close(now)
	case v.rate > 0:
		v.steer(now, wait)
	}
}

// close begins to keep a rate: what was done of late, shared by the keys that ask.
func (v *valve) close(now time.Time) {
	share := v.share(now)
	for _, b := range v.keys {
		b.tokens, b.filled = 1, now
	}
	v.rate, v.calm = max(share, 1), 0
}

// share is what each key could have of what is done per second, and forgets keys that
// no longer ask.
func (v *valve) share(now time.Time) float64 {
	for key, b := range v.keys {
		if now.Sub(b.asked) > forgetIn {
			delete(v.keys, key)
		}
	}
	return v.pace / float64(max(len(v.keys), 1))
}

// steer moves the rate: down with how far the wait is over target, slowly up under it.
// While a line stands, the pace is what the machine can do; a rate somewhat below that
// lets the line go, and one far below would only leave the machine idle after it.
func (v *valve) steer(now time.Time, wait time.Duration) {
	v.calm++
	if v.refused > 0 {
		v.calm = 0
	}
	v.refused = 0
	switch {
	case v.calm >= calmFor:
		v.rate = 0
	case wait > v.target:
		v.rate = max(min(v.rate, max(slower*v.rate, leastShare*v.share(now))), 1)
	default:
		v.rate *= faster
	}
}

// gate is a valve that looks by itself, whenever a request comes and the last look is
// long enough ago. A nil gate lets everything in.
type gate struct {
	mu     sync.Mutex
	valve  *valve
	wait   func() time.Duration // of ready work, since it was last asked
	looked time.Time
	total  int64 // refused
}

func newGate(target time.Duration, wait func() time.Duration) *gate {
	if target <= 0 {
		return nil
	}
	return &gate{valve: newValve(target), wait: wait, looked: time.Now()}
}

func (g *gate) admit(key string) bool {
	if g == nil {
		return true
	}
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if since := now.Sub(g.looked); since >= lookEvery {
		g.valve.look(now, since, g.wait())
		g.looked = now
	}
	ok := g.valve.admit(key, now)
	if !ok {
		g.total++
	}
	return ok
}

// ended says that an admitted request is over.
func (g *gate) ended() {
	if g == nil {
		return
	}
	g.mu.Lock()
	g.valve.done++
	g.mu.Unlock()
}
