package route

import (
	"time"

	"gateway"
)

// Walk is the path of one request. Make it with New, give it Begin, then every event
// that concerns the request until Done. It is used by one goroutine.
type Walk struct {
	rules Rules
	cands []Candidate
	fleet *Fleet
	begun time.Time

	state      []tried
	flying     []flight
	attempts   int // numbers handed out
	sent       int // attempts that left
	hedges     int
	pushed     bool // a race was answered with "come back later": no more of them
	wrong      int  // answers that failed the caller's check
	repeated   bool
	patient    time.Time // until when a 429 of a provider is waited out
	waited     bool      // for room that was about to come
	failures   []*gateway.Error
	again      restart
	needWindow int // a candidate must have a larger window than this

	out     []Action
	counted bool // among the fleet's requests in flight
	done    bool

	room struct { // what the slices begin with: enough for most walks
		state  [8]tried
		flying [2]flight
		out    [4]Action
	}
}

// tried is what became of a candidate.
type tried uint8

const (
	untried tried = iota
	inUse
	spent   // failed, refused, or not to be asked
	full    // refused for want of room, which may come
	shut    // refused by its breaker: may be asked once more when that has closed
	dropped // its attempt was only cancelled: it may be asked again
)

// flight is an attempt that has been started and has not ended.
type flight struct {
	attempt, cand                    int
	role                             gateway.Role
	start                            time.Time
	held                             time.Duration // of the time since then, in which the router could not look
	left                             bool          // admitted
	content                          bool
	late                             bool   // already counted as overdue
	probe                            bool   // tests a demoted or half-open model
	test                             uint64 // the number under which it tests a demoted one; 0: it does not
	again                            bool   // counted in the retry budget
	paid                             price  // what its race cost the buckets of the fleet
	queued                           bool
	reopened                         bool // its breaker had refused the request before
	hedgeAt, lateAt, limitAt, moveAt time.Time
	delay                            time.Duration
}

// waited is how long the attempt has been out, without the time in which its content may
// have been there and nobody looked.
func (f *flight) waited(now time.Time) time.Duration { return now.Sub(f.start) - f.held }

// restart is a wait on purpose: the same candidate once more at a time.
type restart struct {
	cand int
	at   time.Time
	role gateway.Role
}

// New makes the walk of a request over its candidates, cheapest first.
func New(rules Rules, cands []Candidate, fleet *Fleet) *Walk {
	if rules.FirstRole == "" {
		rules.FirstRole = gateway.Primary
	}
	w := &Walk{rules: rules, attempts: rules.Numbered, cands: cands, fleet: fleet}
	w.state = append(w.room.state[:0], make([]tried, len(cands))...)
	w.flying, w.out = w.room.flying[:0], w.room.out[:0]
	return w
}

// Done says that the client has its answer or error, and no attempt is out.
func (w *Walk) Done() bool { return w.done }

// Hedged says whether a hedge was sent.
func (w *Walk) Hedged() bool { return w.hedges > 0 }

// Failures are the refusals and failures so far, in order.
func (w *Walk) Failures() []*gateway.Error { return w.failures }

// Sent is the number of attempts that left for a provider.
func (w *Walk) Sent() int { return w.sent }

// Abort ends a walk that panicked: what it counted in the fleet is given back, and it
// takes no more events. Who runs it stops its attempts and tells the client.
func (w *Walk) Abort() {
	for len(w.flying) > 0 {
		w.land(len(w.flying) - 1)
	}
	if !w.done {
		w.finish()
	}
}

// Step takes one event and returns what to do now, in order. No action means wait,
// until Wake at the latest. The slice is valid until the next Step.
func (w *Walk) Step(ev Event, now time.Time) []Action {
	w.out = w.out[:0]
	if w.done {
		return nil
	}
	switch ev.Kind {
	case Begin:
		w.begin(now)
	case Tick:
		w.tick(now)
	case Left:
		w.onLeft(ev, now)
	case Refused:
		w.onRefused(ev, now)
	case Content:
		w.onContent(ev, now)
	case Whole:
		w.onWhole(ev, now)
	case Failed:
		w.onFailed(ev, now)
	case Gone:
		w.end(gateway.Errorf(gateway.Canceled, "the client left"), now)
	case Drain:
		w.end(&gateway.Error{Kind: gateway.Draining, Message: "the gateway is shutting down", RetryAfter: atOnce}, now) // another instance is there by then
	}
	return w.out
}

func (w *Walk) begin(now time.Time) {
	w.begun, w.counted = now, true
	w.fleet.flying++
	if len(w.cands) == 0 {
		w.end(gateway.Errorf(gateway.NoProvider, "no provider can serve this request"), now)
		return
	}
	w.fleet.earn(w.cands[0].Expected)
	w.startNext(w.rules.FirstRole, now)
	if w.rules.Hedge == "force" && w.rules.Hedgeable && !w.rules.NoFallback && !w.done && len(w.flying) > 0 {
		w.flying[0].hedgeAt = now.Add(w.rules.HedgeAfter)
		w.hedge(0, now)
	}
}

// startNext starts the next candidate, or waits for what is out or may come free, or
// gives up.
func (w *Walk) startNext(role gateway.Role, now time.Time) {
	if i, ok := w.next(now); ok {
		w.start(i, role, now)
		return
	}
	if len(w.flying) > 0 || !w.again.at.IsZero() {
		return
	}
	if i, ok := w.roomLater(now); ok {
		if w.asked(i) {
			role = gateway.Retry
		}
		w.startQueued(i, role, now)
		return
	}
	w.end(w.verdict(), now)
}

func (w *Walk) start(cand int, role gateway.Role, now time.Time) *flight {
	w.attempts++
	f := flight{attempt: w.attempts, cand: cand, role: role, start: now, reopened: w.state[cand] == shut}
	w.state[cand] = inUse
	if d := &w.fleet.at(&w.cands[cand]).demotion; w.rules.Demote && d.rested(now) {
		w.fleet.tests++
		d.probing, f.test, f.probe = w.fleet.tests, w.fleet.tests, true
	}
	w.flying = append(w.flying, f)
	w.out = append(w.out, Action{Kind: Start, Attempt: f.attempt, Candidate: cand, Role: role})
	return &w.flying[len(w.flying)-1]
}

func (w *Walk) startQueued(cand int, role gateway.Role, now time.Time) {
	f := w.start(cand, role, now)
	f.queued = true
	until := now.Add(w.fleet.Times.QueueAtMost)
	if w.rules.Deadline.Before(until) {
		until = w.rules.Deadline
	}
	w.out[len(w.out)-1].Queue = until
}

func (w *Walk) index(attempt int) int {
	for i := range w.flying {
		if w.flying[i].attempt == attempt {
			return i
		}
	}
	return -1
}

// onLeft arms the timers of a call that has really left.
func (w *Walk) onLeft(ev Event, now time.Time) {
	i := w.index(ev.Attempt)
	if i < 0 {
		return
	}
	f := &w.flying[i]
	w.sent++
	f.left, f.queued, f.start, f.held = true, false, now, 0
	f.probe = f.probe || ev.Probe
	c := &w.cands[f.cand]
	f.limitAt = now.Add(w.limit(f.cand, now))
	if d := w.fleet.overdueAfter(c); d > 0 && w.rules.Demote {
		f.lateAt = now.Add(d)
	}
	if w.rules.Hedge == "off" || !w.rules.Hedgeable || w.hedges >= w.rules.MaxHedges || w.rules.NoFallback {
		return
	}
	f.delay = w.rules.HedgeAfter
	if f.delay == 0 {
		f.delay = w.fleet.hedgeDelay(now, c, w.rules.PromptTokens)
	}
	if f.probe {
		if d := 2 * w.fleet.at(c).base.m50; d > 0 {
			f.delay = max(w.fleet.Times.HedgeLeast, min(f.delay, d))
		}
	}
	f.hedgeAt = now.Add(f.delay)
}

// limit is how long the call may take to its first content. The last candidate has
// all the time there is: cutting it could only turn a late answer into none. But where
// that is more than any answer of its length takes, nobody is there to answer.
func (w *Walk) limit(cand int, now time.Time) time.Duration {
	left := max(0, w.rules.ContentBy.Sub(now))
	c, others := &w.cands[cand], 0
	if w.rules.ContentIn > 0 && !c.Plain {
		left = min(left, w.rules.ContentIn)
	}
	for i := range w.state {
		if i != cand && (w.state[i] == untried || w.state[i] == dropped || w.state[i] == shut) {
			others++
		}
	}
	d := w.rules.Limit
	if d == 0 {
		d = c.Limit
	}
	fixed := d > 0
	switch {
	case fixed:
	case c.Long > 0:
		d = c.Long
	default:
		if d = w.fleet.limit(now, c); w.rules.PatientEffort || c.Plain {
			d = max(d, patientLimit)
		}
	}
	if others == 0 || w.rules.NoFallback {
		switch {
		case fixed:
			return min(d, left)
		case c.Long > 0:
			return min(max(2*d, w.rules.ContentIn), left)
		}
		return left
	}
	return min(d, max(left/time.Duration(others+1), w.fleet.at(c).base.m50, 2*c.Usual))
}

// onContent commits a streaming client to the first attempt with content, and stops
// the others. A client that waits for the whole answer is not committed: if this
// attempt breaks, the next candidate can still serve it. A plain call shows nothing until
// it is whole, and may be nearer to that: between it and a streamed one the whole decides.
func (w *Walk) onContent(ev Event, now time.Time) {
	i := w.index(ev.Attempt)
	if i < 0 || w.flying[i].content {
		return
	}
	f := &w.flying[i]
	f.content = true
	ttft := now.Sub(f.start)
	if ev.After > 0 {
		ttft = ev.After
	}
	c := &w.cands[f.cand]
	w.fleet.observe(now, c, w.rules.PromptTokens, ttft)
	w.fleet.at(c).healed()
	if !f.late {
		w.judged(f, fine, now)
	}
	f.hedgeAt, f.lateAt, f.limitAt, f.moveAt = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	for j := len(w.flying) - 1; j >= 0; j-- {
		g := &w.flying[j]
		if g.attempt != ev.Attempt && !(w.rules.Whole && g.left && w.cands[g.cand].Plain) {
			w.cancel(j, answeredFirst(), now)
		}
	}
	if !w.rules.Whole {
		w.commit(ev.Attempt, now)
	}
}

func answeredFirst() *gateway.Error {
	return gateway.Errorf(gateway.Canceled, "another attempt answered first")
}

func (w *Walk) onWhole(ev Event, now time.Time) {
	i := w.index(ev.Attempt)
	if i < 0 {
		return
	}
	if !w.flying[i].content {
		w.onContent(ev, now)
	}
	w.cancelAllBut(ev.Attempt, answeredFirst(), now)
	w.commit(ev.Attempt, now)
}

func (w *Walk) commit(attempt int, now time.Time) {
	if w.done {
		return
	}
	if i := w.index(attempt); i >= 0 {
		w.land(i)
	}
	w.out = append(w.out, Action{Kind: Commit, Attempt: attempt})
	w.finish()
}

func (w *Walk) finish() {
	w.done = true
	if w.counted { // one that ends before it began is not
		w.counted = false
		w.fleet.flying--
	}
}

// judged records how a call went. It counts once: as overdue when it passes its time, or
// else as what it came to.
func (w *Walk) judged(f *flight, v verdict, now time.Time) {
	w.fleet.record(now, &w.cands[f.cand], v, f.test)
	f.test, f.probe = 0, false
}

// land takes an attempt out of the air.
func (w *Walk) land(i int) flight {
	f := w.flying[i]
	w.flying = append(w.flying[:i], w.flying[i+1:]...)
	if f.again {
		w.fleet.again--
	}
	if f.role == gateway.Hedge && !f.left { // nothing was sent that could cost anything
		w.hedges--
		w.fleet.refund(f.paid)
	}
	if f.test != 0 { // neither well nor ill: only gives the place back
		w.fleet.at(&w.cands[f.cand]).demotion.free(f.test)
	}
	return f
}

// cancelAllBut stops the other attempts. How long they have waited is part of what
// is known of their models.
func (w *Walk) cancelAllBut(attempt int, why *gateway.Error, now time.Time) {
	for i := len(w.flying) - 1; i >= 0; i-- {
		if w.flying[i].attempt != attempt {
			w.cancel(i, why, now)
		}
	}
}

func (w *Walk) cancel(i int, why *gateway.Error, now time.Time) {
	f := w.land(i)
	if f.left && !f.content {
		w.fleet.observe(now, &w.cands[f.cand], w.rules.PromptTokens, f.waited(now))
	}
	w.state[f.cand] = dropped
	w.out = append(w.out, Action{Kind: Cancel, Attempt: f.attempt, Err: why})
}

// end stops everything and tells the client.
func (w *Walk) end(err *gateway.Error, now time.Time) {
	if w.done {
		return
	}
	w.cancelAllBut(0, gateway.Errorf(gateway.Canceled, "the request ended"), now)
	w.out = append(w.out, Action{Kind: GiveUp, Err: err})
	w.finish()
}
