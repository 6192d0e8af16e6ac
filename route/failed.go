package route

import (
	"time"

	"gateway"
)

// onRefused handles a gate that did not admit the attempt: nothing was sent.
func (w *Walk) onRefused(ev Event, now time.Time) {
	i := w.index(ev.Attempt)
	if i < 0 {
		return
	}
	f := w.land(i)
	if racing := f.role == gateway.Hedge || f.role == gateway.Moved; racing && gateway.KindOf(ev.Err) == gateway.BudgetExceeded {
		// There was no room for two at once; for this one alone there may be.
		w.state[f.cand] = dropped
	} else {
		w.state[f.cand] = spent
		switch {
		case comesFree(ev.Err):
			w.state[f.cand] = full
		case gateway.KindOf(ev.Err) == gateway.CircuitOpen && !f.reopened:
			w.state[f.cand] = shut
		}
		w.note(ev.Err, f)
	}
	if f.role == gateway.Hedge && len(w.flying) > 0 {
		return // the late attempt is still out; its next look comes with its own time
	}
	if w.worthWaiting(&f, ev.Err, now) {
		return
	}
	w.startNext(w.nextRole(), now)
}

// worthWaiting: room here that comes sooner than another candidate's first content
// would is waited for, once; it is cheaper and usually quicker.
func (w *Walk) worthWaiting(f *flight, err *gateway.Error, now time.Time) bool {
	if w.stillCools(f, err, now) {
		return true
	}
	if err.Kind != gateway.NoCapacity || err.RetryAfter <= 0 || w.waited || f.role == gateway.Hedge || len(w.flying) > 0 {
		return false
	}
	most := w.fleet.Times.PreferWait
	if i, ok := w.next(now); ok {
		if p50 := w.fleet.at(&w.cands[i]).base.m50; p50 > 0 {
			most = min(most, p50/4)
		}
	}
	if err.RetryAfter > most {
		return false
	}
	w.waited = true
	w.failures = w.failures[:len(w.failures)-1] // it was no refusal after all
	w.again = restart{f.cand, now.Add(err.RetryAfter), f.role}
	return true
}

// stillCools: the repeat after a wait on purpose came before the gate was done waiting.
// The gate counts from when its provider's actor heard of the refusal, which may be
// after the router did; another caller's refusal may have come meanwhile. What patience is
// left goes into waiting on.
func (w *Walk) stillCools(f *flight, err *gateway.Error, now time.Time) bool {
	if err.Kind != gateway.RateLimited && err.Kind != gateway.Overloaded {
		return false
	}
	at := now.Add(max(err.RetryAfter, coolsOn))
	if f.role != gateway.Retry || err.RetryAfter <= 0 || len(w.flying) > 0 || at.After(w.patient) {
		return false
	}
	w.failures = w.failures[:len(w.failures)-1] // the provider was not asked
	w.again = restart{f.cand, at, f.role}
	return true
}

// coolsOn is the least wait for a gate that still cools, so that what is left of a
// caller's patience is not spent on asking it all the time.
const coolsOn = time.Millisecond

func (w *Walk) nextRole() gateway.Role {
	if w.sent == 0 {
		return w.rules.FirstRole
	}
	return gateway.Fallback
}

func (w *Walk) note(err *gateway.Error, f flight) {
	if err == nil {
		err = gateway.Errorf(gateway.Internal, "failed without a reason")
	}
	if err.Provider == "" {
		e := *err
		e.Provider, e.Model = w.cands[f.cand].Model.Provider, w.cands[f.cand].Model.Name
		err = &e
	}
	w.failures = append(w.failures, err)
}

// onFailed decides what a failure means for the request: final, once more here, wait
// here, or on to the next.
func (w *Walk) onFailed(ev Event, now time.Time) {
	i := w.index(ev.Attempt)
	if i < 0 {
		return
	}
	took := w.flying[i].waited(now)
	f := w.flying[i]
	w.blame(&w.flying[i], ev.Err, now)
	if k := gateway.KindOf(ev.Err); f.role == gateway.Hedge && (k == gateway.RateLimited || ev.Err != nil && ev.Err.RetryAfter > 0) {
		w.pushed = true
	}
	w.land(i)
	w.state[f.cand] = spent
	w.note(ev.Err, f)
	err := w.failures[len(w.failures)-1]
	if comesFree(err) {
		w.state[f.cand] = full
	}

	if err.Kind == gateway.ContextLength {
		w.needWindow = max(w.needWindow, w.cands[f.cand].Model.Context)
	}
	if w.anyContent() { // another is in the midst of its answer
		return
	}
	if w.final(err) {
		w.end(err, now)
		return
	}
	if w.onceMore(&f, err, took, now) {
		return
	}
	if len(w.flying) > 0 && f.role == gateway.Hedge {
		return // the attempt it raced is still out
	}
	w.startNext(gateway.Fallback, now)
}

// blame records what a failure says about the model's speed.
func (w *Walk) blame(f *flight, err *gateway.Error, now time.Time) {
	c := &w.cands[f.cand]
	if err != nil && gateway.Blames(err) {
		if f.role == gateway.Hedge {
			w.fleet.at(c).struck()
		}
		if !f.late {
			w.judged(f, failed, now)
		}
	}
	if err != nil && err.Kind == gateway.Timeout && !f.content {
		w.fleet.observe(now, c, w.rules.PromptTokens, f.waited(now))
	}
}

// final says that no other provider should be asked.
func (w *Walk) final(err *gateway.Error) bool {
	switch err.Kind {
	case gateway.Invalid, gateway.TooLarge, gateway.Internal, gateway.Draining, gateway.Deadline:
		// Internal is not final when it was one attempt that panicked: that falls back.
		return err.Kind != gateway.Internal
	case gateway.ContentFiltered:
		return !w.rules.FilterPasses
	case gateway.BadAnswer:
		if err.Text != "" { // failed the caller's check
			w.wrong++
			return w.wrong > w.rules.WrongAnswers
		}
	}
	return false
}

// onceMore repeats at the same provider where that is better than moving on: a fast
// reset or 5xx (it is the cheapest and may hold the cache), or a 429 whose time is
// within the caller's patience.
func (w *Walk) onceMore(f *flight, err *gateway.Error, took time.Duration, now time.Time) bool {
	t := &w.fleet.Times
	if w.repeated || len(w.flying) > 0 || f.content || w.sent > len(w.cands) {
		return false
	}
	switch err.Kind {
	case gateway.RateLimited, gateway.Overloaded:
		if err.RetryAfter > 0 {
			if err.RetryAfter > w.rules.Patience {
				return false
			}
			w.repeated = true
			w.patient = now.Add(w.rules.Patience + t.RetryPause) // the pause is for what the news of it take
			w.again = restart{f.cand, now.Add(err.RetryAfter), gateway.Retry}
			return true
		}
		if err.Kind == gateway.RateLimited {
			return false // its gate has learned a limit from it
		}
		fallthrough // a quick 503 or 529 that names no time is a quick 5xx
	case gateway.RetryNow, gateway.Unavailable:
		if took > t.Quick || !w.fleet.Gate(w.cands[f.cand].Model).Closed || !w.fleet.mayRetry() {
			return false
		}
		if !err.Sent && err.Status == 0 && err.Kind == gateway.Unavailable {
			return false // could not connect: nobody is there
		}
		w.repeated = true
		w.again = restart{f.cand, now.Add(t.RetryPause), gateway.Retry}
		return true
	}
	return false
}

// repeat carries out a restart whose time has come.
func (w *Walk) repeat(now time.Time) {
	r := w.again
	w.again = restart{}
	f := w.start(r.cand, r.role, now)
	if r.role == gateway.Retry {
		f.again = true
		w.fleet.again++
	}
}

// roomLater is the refused candidate that will have room soonest, when every refusal
// is only a matter of time and one of them is short enough to wait for.
func (w *Walk) roomLater(now time.Time) (int, bool) {
	best, soonest := -1, time.Duration(0)
	for _, err := range w.failures {
		if !comesFree(err) {
			continue
		}
		for i := range w.cands {
			m := w.cands[i].Model
			if m.Provider != err.Provider || m.Name != err.Model || w.state[i] != full {
				continue
			}
			wait := err.RetryAfter
			if err.Kind != gateway.NoCapacity { // a place may come free for this key long before it does for all
				wait = w.wait(err)
			}
			if best < 0 || wait < soonest {
				best, soonest = i, wait
			}
		}
	}
	if best < 0 || w.queuedOnce() || w.sent > len(w.cands) || now.Add(soonest).After(w.rules.Deadline) || soonest > w.fleet.Times.QueueAtMost {
		return 0, false
	}
	return best, true
}

// comesFree: only time stands between the request and the provider. A 429 that does not
// say how long is one too: its gate has learned a limit from it, and knows when to let
// the next one through.
func comesFree(err *gateway.Error) bool {
	return err.Kind == gateway.NoCapacity || err.Kind == gateway.RateLimited ||
		err.Kind == gateway.Overloaded && err.RetryAfter > 0
}

// asked says whether the candidate itself has turned this request down, and not only
// its gate.
func (w *Walk) asked(cand int) bool {
	m := w.cands[cand].Model
	for _, err := range w.failures {
		if err.Sent && err.Provider == m.Provider && err.Model == m.Name {
			return true
		}
	}
	return false
}

// queuedOnce: a request waits in a queue at most once.
func (w *Walk) queuedOnce() bool {
	for _, err := range w.failures {
		if err.Code == QueueExpired {
			return true
		}
	}
	return false
}

// QueueExpired is the Code of a refusal after waiting in a provider's queue.
const QueueExpired = "queue_expired"
