package route

import (
	"fmt"
	"slices"
	"time"

	"gateway"
)

// call is an attempt as the world sees it, with the next thing that happens to it.
type call struct {
	attempt, cand int
	role          gateway.Role
	next          Event
	at            time.Time
	left          bool
	paid          price
}

// run is one request in a world.
type run struct {
	w      *world
	n      int
	walk   *Walk
	rules  Rules
	cands  []Candidate
	calls  []*call
	leaves time.Time // when the client does; zero: it stays
	ended  int       // Commit or GiveUp seen
	won    int
	sent   int
	pushed bool // a race was told to come back later
	late   int  // of its attempts, as counted so far
	books
}

// arrive begins one more request.
func (w *world) arrive() error {
	modes := []string{"auto", "auto", "auto", "off", "force"}
	r := &run{w: w, n: w.begun, rules: Rules{
		Hedge: modes[w.r.IntN(len(modes))], MaxHedges: 1 + w.r.IntN(2), Hedgeable: w.r.IntN(5) > 0, Demote: w.r.IntN(5) > 0,
		Whole: w.r.IntN(2) == 0, NoFallback: w.r.IntN(10) == 0, Patience: time.Duration(w.r.IntN(500)) * time.Millisecond,
		WrongAnswers: 1, PromptTokens: w.r.IntN(50_000), FilterPasses: w.r.IntN(2) == 0,
		Deadline: w.now.Add(time.Duration(1+w.r.IntN(200)) * time.Second),
	}}
	if r.rules.Hedge == "auto" && w.r.IntN(3) == 0 {
		r.rules.HedgeAfter = time.Second
	}
	r.rules.ContentBy = r.rules.Deadline.Add(-time.Duration(w.r.IntN(500)) * time.Millisecond)
	size, plain := gateway.Microcents(1+w.r.IntN(8)), w.r.IntN(12) // 1: all, 2: some are asked plainly
	long := time.Duration(w.r.IntN(2)) * time.Minute
	r.cands = slices.Clone(w.cands)
	for i := range r.cands {
		c := &r.cands[i]
		c.Prompt, c.Expected = c.Prompt*size, c.Expected*size
		if c.Plain = plain == 1 || plain == 2 && w.r.IntN(2) == 0; c.Plain {
			c.Long, c.Usual = long, long/4
		}
		if w.r.IntN(4) == 0 { // in order, so that the same seed gives the same world
			w.gates[c.Model] = []GateView{{Closed: true}, {Closed: true}, {Closed: true}, {Closed: true, Tight: true}, {}, {Shut: true}}[w.r.IntN(6)]
		}
	}
	if w.fuse = 0; w.r.IntN(20) == 0 {
		w.fuse = 1 + w.r.IntN(30)
	}
	if w.r.IntN(5) == 0 {
		r.leaves = w.now.Add(time.Duration(w.r.IntN(100_000)) * time.Millisecond)
	}
	r.walk = New(r.rules, r.cands, w.fleet)
	w.runs = append(w.runs, r)
	if w.r.IntN(100) == 0 {
		return r.give(Event{Kind: Drain})
	}
	w.begun++
	return r.give(Event{Kind: Begin})
}

// next is the earliest thing that happens to the request: a call's next event, a wake,
// the client leaving.
func (r *run) next() (time.Time, Event) {
	at, ev := r.walk.Wake(), Event{Kind: Tick}
	for _, c := range r.calls {
		if c.at.Before(at) {
			at, ev = c.at, c.next
		}
	}
	if !r.leaves.IsZero() && r.leaves.Before(at) {
		at, ev = r.leaves, Event{Kind: Gone}
	}
	return at, ev
}

func (r *run) happens(ev Event) error {
	if c := r.out(ev.Attempt); c != nil {
		r.plan(c, ev)
	}
	return r.give(ev)
}

func (r *run) out(attempt int) *call {
	for _, c := range r.calls {
		if c.attempt == attempt {
			return c
		}
	}
	return nil
}

// over takes a call out of the world: it has come to its one end.
func (r *run) over(c *call) {
	if !c.left {
		r.giveBack(c.paid)
	}
	r.calls = slices.DeleteFunc(r.calls, func(o *call) bool { return o == c })
}

// plan decides what happens to a call after ev.
func (r *run) plan(c *call, ev Event) {
	w := r.w
	switch ev.Kind {
	case Refused, Failed:
		r.pushed = r.pushed || c.role == gateway.Hedge && ev.Kind == Failed && (ev.Err.Kind == gateway.RateLimited || ev.Err.RetryAfter > 0)
		r.over(c)
	case Left:
		c.left = true
		r.sent++
		c.at, c.next = w.now.Add(w.takes(c.cand)), Event{Kind: Content, Attempt: c.attempt}
		if r.rules.Whole && r.cands[c.cand].Plain { // shows nothing before
			c.at, c.next.Kind = c.at.Add(time.Duration(w.r.ExpFloat64()*float64(2*time.Second))), Whole
		}
		switch n := w.r.IntN(10); {
		case n == 9:
			c.at = w.now.Add(time.Hour) // a black hole
		case n < w.breaks:
			c.next = r.failure(c.attempt)
		}
	case Content:
		c.at, c.next = w.now.Add(time.Duration(w.r.ExpFloat64()*float64(2*time.Second))), Event{Kind: Whole, Attempt: c.attempt}
		if w.r.IntN(4) == 0 {
			c.next = r.failure(c.attempt)
		}
	}
}

var failures = []gateway.Kind{gateway.Unavailable, gateway.RetryNow, gateway.RateLimited, gateway.Overloaded, gateway.Timeout,
	gateway.BadAnswer, gateway.Unsupported, gateway.ContextLength, gateway.ProviderAuth, gateway.ProviderBilling,
	gateway.Invalid, gateway.ContentFiltered, gateway.Internal}

func (r *run) failure(attempt int) Event {
	e := &gateway.Error{Kind: failures[r.w.r.IntN(len(failures))], Status: 500, Sent: true}
	if r.w.r.IntN(2) == 0 {
		e.RetryAfter = time.Duration(r.w.r.IntN(1000)) * time.Millisecond
	}
	if e.Kind == gateway.BadAnswer && r.w.r.IntN(2) == 0 {
		e.Text = "not what was asked"
	}
	return Event{Kind: Failed, Attempt: attempt, Err: e}
}

var (
	eventWords  = [...]string{"begin", "tick", "left", "refused", "content", "whole", "failed", "gone", "drain"}
	actionWords = [...]string{"start", "cancel", "commit", "give-up"}
)

func kindWord(err *gateway.Error) string {
	if err == nil {
		return ""
	}
	return " " + err.Kind.String()
}

// give hands one event to the walk and checks everything that must hold afterwards.
func (r *run) give(ev Event) error {
	fmt.Fprintf(&r.w.trace, "%s #%d %s %d%s\n", r.w.now.Format("04:05.000"), r.n, eventWords[ev.Kind], ev.Attempt, kindWord(ev.Err))
	before, counted := r.w.fleet.judged(), r.counted(ev)
	r.open(r.w.fleet)
	acts := r.step(ev)
	for _, a := range acts {
		fmt.Fprintf(&r.w.trace, "  %s %d %s %s\n", actionWords[a.Kind], a.Attempt, r.cands[a.Candidate].Model.Provider, a.Role)
		if err := r.check(a); err != nil {
			return err
		}
	}
	if err := r.close(ev); err != nil {
		return err
	}
	after := r.w.fleet.judged()
	if counted && after.verdicts != before.verdicts {
		return fmt.Errorf("a late call counts twice")
	}
	if blameless(ev) && after != before {
		return fmt.Errorf("%s%s counts for or against a model", eventWords[ev.Kind], kindWord(ev.Err))
	}
	if ev.Kind == Tick && !r.walk.Done() && !r.w.now.Before(r.rules.Deadline) {
		return fmt.Errorf("it outlives its deadline")
	}
	r.count(ev)
	r.w.moveSick()
	if r.w.r.IntN(50) == 0 {
		r.w.hold()
	}
	return nil
}

// step is a step of the walk, with what the router does when it panics: the walk gives
// its counts back, the rest is the router's.
func (r *run) step(ev Event) (acts []Action) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case onPurpose:
			r.w.trace.WriteString("  panic\n")
			r.w.fuse = 0
			r.walk.Abort()
			for len(r.calls) > 0 {
				r.over(r.calls[0])
			}
			r.ended, r.won, acts = 1, 0, nil
		default:
			panic(p)
		}
	}()
	return r.walk.Step(ev, r.w.now)
}

// count notes which parts of the router were reached.
func (r *run) count(ev Event) {
	late := 0
	for i := range r.walk.flying {
		if r.walk.flying[i].late {
			late++
		}
	}
	if ev.Kind == Content && len(r.walk.flying) > 1 {
		r.w.seen[sawBoth]++
	}
	r.w.seen[sawLate] += max(0, late-r.late)
	r.late = late
	if ev.Kind == Refused && ev.Err.Kind == gateway.RateLimited && r.walk.again.role == gateway.Retry {
		r.w.seen[sawPatience]++
	}
}
