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
	done    int // requests ended since the last look
	ended   [memory]int
	spans   [memory]time.Duration // of the looks that ended belong to
	refused int                   // since the last look
	calm    int                   // looks in a row without a refusal
	best    float64               // pace while there was a line, fading
}

// bucket is what one key may still send. Tokens are requests.
type bucket struct {
	tokens float64
	filled time.Time
	asked  time.Time // last
}

const (
	lookEvery = 100 * time.Millisecond
	// patience is how many looks in a row must be over target: a few alone are a
	// collection of garbage or the machine's other programs, not a line that stands.
	patience = 5
	// memory is how many looks the pace is taken over: requests end in bursts, as the
	// ledger's commits do.
	memory     = 30
	calmFor    = 20                     // looks without a refusal after which no rate is kept
	forgetIn   = 10 * time.Second       // a key that does not ask
	burst      = 250 * time.Millisecond // of its rate that a key may send at once
	slower     = 0.2                    // of the pace, for each target that the wait is over target
	faster     = 0.5                    // what the rate gains after a look without any wait
	leastShare = 0.6                    // of the best pace: refusing costs something too, so that a lower rate may not shorten the line
	fading     = 0.995                  // of the best pace from look to look: half of it in 14 s
	leastRate  = 10.0                   // per second, so that the way back is short
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
	v.ended[v.looks%memory], v.spans[v.looks%memory] = v.done, since
	v.done = 0
	v.waits[v.looks%patience] = wait
	v.looks++
	least := wait
	for _, w := range v.waits {
		least = min(least, w)
	}
	v.best *= fading
	if least > v.target/4 {
		v.best = max(v.best, v.pace())
	}
	switch {
	case v.rate == 0 && least > v.target:
		v.close(now)
	case v.rate > 0 && since >= time.Second: // nobody asked for so long: it is over, and the wait is of before
		v.rate = 0
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
	v.rate, v.calm = max(share, leastRate), 0
}

// share is what each key could have of what the machine can do, and forgets keys that
// no longer ask.
func (v *valve) share(now time.Time) float64 {
	for key, b := range v.keys {
		if now.Sub(b.asked) > forgetIn {
			delete(v.keys, key)
		}
	}
	return max(v.best, v.pace()) / float64(max(len(v.keys), 1))
}

// pace is how many requests ended per second of late.
func (v *valve) pace() float64 {
	ended, span := 0, time.Duration(0)
	for i := range v.ended {
		ended += v.ended[i]
		span += v.spans[i]
	}
	return float64(ended) / max(span.Seconds(), 0.1)
}

// steer moves the rate. While a line stands, the best pace is what the machine can do,
// and the longer the line, the further below it is the rate: nothing is lost by that,
// since the machine has the line to work off. Without one the rate rises, the faster the
// further the wait is from the target, until it finds the edge again.
func (v *valve) steer(now time.Time, wait time.Duration) {
	v.calm++
	if v.refused > 0 {
		v.calm = 0
	}
	v.refused = 0
	over := float64(wait)/float64(v.target) - 1
	switch {
	case v.calm >= calmFor:
		v.rate = 0
	case over > 0:
		v.rate = max(min(v.rate, v.share(now)*max(leastShare, 1-slower*over)), leastRate)
	case v.calm == 0: // the rate is what holds requests back
		v.rate *= 1 + faster*over*over
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
