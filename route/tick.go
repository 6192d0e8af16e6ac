package route

import (
	"time"

	"gateway"
)

// Wake is when the walk wants its next Tick; the zero time while it needs none.
func (w *Walk) Wake() time.Time {
	if w.done {
		return time.Time{}
	}
	at := w.rules.Deadline
	if !w.anyContent() {
		at = earlier(at, w.rules.ContentBy)
	}
	at = earlier(at, w.again.at)
	for i := range w.flying {
		f := &w.flying[i]
		at = earlier(at, f.hedgeAt)
		at = earlier(at, f.lateAt)
		at = earlier(at, f.limitAt)
		at = earlier(at, f.moveAt)
	}
	return at
}

// Delay puts off what the walk waits for, except the request's own deadline: the router
// could not look for so long before now. A call that left meanwhile was not looked after
// only since then. When each left is not changed: a provider works on while nobody looks.
func (w *Walk) Delay(d time.Duration, now time.Time) {
	for i := range w.flying {
		f := &w.flying[i]
		d := min(d, f.waited(now))
		if d <= 0 {
			continue
		}
		f.held += d
		for _, at := range []*time.Time{&f.hedgeAt, &f.lateAt, &f.limitAt, &f.moveAt} {
			if !at.IsZero() {
				*at = at.Add(d)
			}
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func due(at, now time.Time) bool { return !at.IsZero() && !now.Before(at) }

func (w *Walk) anyContent() bool {
	for i := range w.flying {
		if w.flying[i].content {
			return true
		}
	}
	return false
}

func (w *Walk) tick(now time.Time) {
	if due(w.rules.Deadline, now) || due(w.rules.ContentBy, now) && !w.anyContent() {
		w.expire(now)
		return
	}
	if due(w.again.at, now) {
		w.repeat(now)
	}
	for i := len(w.flying) - 1; i >= 0 && !w.done; i-- {
		w.tickFlight(i, now)
	}
}

// tickFlight does at most one thing for an attempt: each may change what is flying.
func (w *Walk) tickFlight(i int, now time.Time) {
	f := &w.flying[i]
	switch {
	case due(f.limitAt, now):
		w.atLimit(i, now)
	case due(f.lateAt, now):
		f.lateAt = time.Time{}
		f.late = true
		c := &w.cands[f.cand]
		w.judged(f, slow, now)
		if w.fleet.at(c).demotion.on {
			w.move(i, now)
		} else if due(f.hedgeAt, now) {
			w.hedge(i, now)
		}
	case due(f.moveAt, now):
		f.moveAt = time.Time{}
		w.move(i, now)
	case due(f.hedgeAt, now):
		w.hedge(i, now)
	}
}

// atLimit gives up on an attempt without content, unless everything affordable is
// slow: then more patience costs less than a dear model.
func (w *Walk) atLimit(i int, now time.Time) {
	f := &w.flying[i]
	m := w.cands[f.cand].Model
	t := &w.fleet.Times
	waited := f.waited(now)
	if w.rules.Demote && w.rules.Limit == 0 && w.fleet.at(&w.cands[f.cand]).demotion.on && 2*waited <= t.LimitExtended && !w.fasterExists(f.cand, now) {
		f.limitAt = now.Add(waited)
		return
	}
	if w.staysOut(f, now) {
		return
	}
	err := &gateway.Error{Kind: gateway.Timeout, Provider: m.Provider, Model: m.Name, Sent: true,
		Message: "no content after " + waited.Round(time.Millisecond).String()}
	role := f.role
	w.blame(f, err, now)
	g := w.land(i)
	w.state[g.cand] = spent
	w.failures = append(w.failures, err)
	w.out = append(w.out, Action{Kind: Cancel, Attempt: g.attempt, Err: err})
	if len(w.flying) > 0 && role == gateway.Hedge || w.anyContent() {
		return
	}
	w.startNext(gateway.Fallback, now)
}

// lookAgain is how often a call that is over its limit, and stays out because nobody else
// would take the request, is looked at again. A breaker opens for seconds.
const lookAgain = time.Second

// staysOut: cutting a call when nobody else is left, or every other gate is shut, would only
// turn a late answer into none. It is cut when a gate has opened, or when it has had all the
// time of a last one.
func (w *Walk) staysOut(f *flight, now time.Time) bool {
	until := w.lastLimit(f)
	if len(w.flying) > 1 || w.rules.NoFallback || !now.Before(until) {
		return false
	}
	if w.sent > len(w.cands) { // nobody is asked after it
		f.limitAt = until
		return true
	}
	barred, room := false, false
	for i := range w.cands {
		if w.state[i] == full {
			room = true
			continue
		}
		if i == f.cand || w.state[i] != shut && !w.open(i) {
			continue
		}
		if w.fleet.Gate(w.cands[i].Model).Closed {
			return false
		}
		barred = true
	}
	switch {
	case barred:
		f.limitAt = earlier(now.Add(lookAgain), until)
	case room: // which may be waited for
		return false
	default:
		f.limitAt = until
	}
	return true
}

// lastLimit is until when a call may have no content if nobody else is left.
func (w *Walk) lastLimit(f *flight) time.Time {
	c, until := &w.cands[f.cand], w.rules.ContentBy
	since := f.start.Add(f.held)
	if w.rules.ContentIn > 0 && !c.Plain {
		until = earlier(until, since.Add(w.rules.ContentIn))
	}
	fixed := w.rules.Limit
	if fixed == 0 {
		fixed = c.Limit
	}
	switch {
	case fixed > 0:
		until = earlier(until, since.Add(fixed))
	case c.Long > 0:
		until = earlier(until, since.Add(max(2*c.Long, w.rules.ContentIn)))
	}
	return until
}

func (w *Walk) fasterExists(than int, now time.Time) bool {
	d := w.fleet.at(&w.cands[than]).typical(now)
	for i := range w.cands {
		c := &w.cands[i]
		h := w.fleet.at(c)
		if i != than && w.open(i) && !h.demotion.on && w.fleet.Gate(c.Model).Closed &&
			affordable(&w.cands[0], c, w.fleet.Times.PriceRatio) && h.typical(now) < d {
			return true
		}
	}
	return false
}

// MoveAt asks the walk to take late calls off a model that was just demoted, at a time
// that the router spreads over the walks. It says whether there is anything to move. A
// call that asks the model in the other way is not late for what is usual there.
func (w *Walk) MoveAt(sick Way, at time.Time) bool {
	for i := range w.flying {
		f := &w.flying[i]
		if w.cands[f.cand].way() == sick && f.late && !f.content && f.left {
			f.moveAt = at
			return true
		}
	}
	return false
}

// move replaces a call that is stuck on a demoted model by one to a candidate that is
// well, not too dear, and usually answers in less than the call has already waited.
func (w *Walk) move(i int, now time.Time) {
	f := &w.flying[i]
	if f.content || len(w.flying) > 1 || w.sent > len(w.cands) || w.rules.NoFallback || !w.rules.Hedgeable {
		return
	}
	waited := f.waited(now)
	for c := range w.cands {
		cand := &w.cands[c]
		h := w.fleet.at(cand)
		if !w.open(c) || h.demotion.on || !w.fleet.Gate(cand.Model).Closed ||
			!affordable(&w.cands[f.cand], cand, w.fleet.Times.PriceRatio) || h.typical(now) > waited {
			continue
		}
		w.cancel(i, gateway.Errorf(gateway.Canceled, "moved off a slow provider"), now)
		w.start(c, gateway.Moved, now)
		return
	}
}

// expire ends a request whose time is up. A provider that gave no content until then
// is to blame for that; one that was in the middle of an answer is not.
func (w *Walk) expire(now time.Time) {
	for i := len(w.flying) - 1; i >= 0; i-- {
		f := &w.flying[i]
		if !f.left || f.content {
			continue
		}
		m := w.cands[f.cand].Model
		late := &gateway.Error{Kind: gateway.Timeout, Provider: m.Provider, Model: m.Name, Sent: true,
			Message: "no content within the request's time"}
		w.blame(f, late, now)
		w.failures = append(w.failures, late)
		w.out = append(w.out, Action{Kind: Cancel, Attempt: w.land(i).attempt, Err: late})
	}
	w.end(gateway.Errorf(gateway.Deadline, "no answer within the time allowed"), now)
}
