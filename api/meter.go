package api

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"gateway"
)

// meter counts what one key, or one team, does now.
type meter struct {
	requests, tokens rate

	mu  sync.Mutex
	now map[*running]struct{}
}

// running is one request of a key.
type running struct {
	begun  time.Time
	cancel context.CancelCauseFunc
	asked  atomic.Pointer[string]         // the model's name, once it is read
	by     atomic.Pointer[gateway.Answer] // whose model is known
}

// enter counts a request, unless so many run already; 0 is no limit.
func (m *meter) enter(r *running, most int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if most > 0 && len(m.now) >= most {
		return false
	}
	if m.now == nil {
		m.now = map[*running]struct{}{}
	}
	m.now[r] = struct{}{}
	return true
}

func (m *meter) leave(r *running) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.now, r)
}

func (m *meter) running() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.now)
}

// newest are the running requests, the newest first.
func (m *meter) newest() []*running {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]*running, 0, len(m.now))
	for r := range m.now {
		out = append(out, r)
	}
	return out
}

// rate lets so much through per minute, evenly, with a full minute's worth at once after
// a pause. It is the generic cell rate algorithm: one number, the time at which all that
// was let through is paid for, so that taking needs no lock. What turns out differently
// can be given back or taken in addition, which x/time/rate cannot.
type rate struct {
	paid atomic.Int64 // unix nanoseconds
}

// took is what came of taking.
type took struct {
	ok    bool
	wait  time.Duration // until it would be let through, if it was not
	left  int           // how much would be let through now
	reset time.Duration // until the whole minute's worth is there again
}

const minute = int64(time.Minute)

// price is how long n of so many per minute take. A client may claim more than 10⁸; that
// is as far as the nanoseconds of an int64 reach.
func price(n, perMinute int) int64 {
	return int64(max(-1e8, min(n, 1e8))) * minute / int64(perMinute)
}

// take lets n through or not. More than a whole minute's worth is let through when all
// of it is there; refusing it would be for ever. perMinute must be above 0.
func (r *rate) take(now time.Time, n, perMinute int) took {
	at := now.UnixNano()
	cost := price(n, perMinute)
	for {
		paid := r.paid.Load()
		from := max(paid, at)
		if wait := from + min(cost, minute) - at - minute; wait > 0 {
			return took{wait: time.Duration(wait), left: left(from-at, perMinute), reset: time.Duration(from - at)}
		}
		if r.paid.CompareAndSwap(paid, from+cost) {
			return took{ok: true, left: left(from+cost-at, perMinute), reset: time.Duration(from + cost - at)}
		}
	}
}

func left(debt int64, perMinute int) int {
	if debt >= minute {
		return 0
	}
	// Whole and rest apart: the product alone may pass 2^63.
	free := minute - debt
	return int(free/minute*int64(perMinute)) + int(free%minute/int64(time.Microsecond)*int64(perMinute)/(minute/int64(time.Microsecond)))
}

// give takes n back, or a further -n.
func (r *rate) give(n, perMinute int) { r.paid.Add(-price(n, perMinute)) }
