package route

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"gateway"
)

var (
	schedules = flag.Int("schedules", 10_000, "random schedules to run; 1000000 takes minutes")
	oneSeed   = flag.Int("seed", -1, "the only schedule to run, with its script printed")
)

// TestSchedules runs seeded random schedules of walks over a shared fleet: random
// candidates, outcomes, timings, refusals, departures and panics. After every step the
// invariants are checked; a failing seed prints its trace.
func TestSchedules(t *testing.T) {
	if *oneSeed >= 0 {
		script, err := schedule(uint64(*oneSeed))
		if t.Logf("seed %d:\n%s", *oneSeed, script); err != nil {
			t.Fatal(err)
		}
		return
	}
	for seed := range *schedules {
		trace, err := schedule(uint64(seed))
		if err == nil && seed%100 == 0 {
			again, _ := schedule(uint64(seed))
			if again != trace {
				err = fmt.Errorf("the same seed gave another trace:\n%s", again)
			}
		}
		if err != nil {
			t.Fatalf("seed %d: %v\nreplay it with: go test ./route -run TestSchedules -v -seed %d\n%s", seed, err, seed, trace)
		}
	}
}

// world plays providers, gate and clock against one fleet.
type world struct {
	r     *rand.Rand
	now   time.Time
	fleet *Fleet
	gates map[*gateway.Model]GateView
	cands []Candidate
	fuse  int // questions to a gate until one panics; 0: none does
	trace strings.Builder
}

// gate answers for the gate of a model, or panics when its time has come.
func (w *world) gate(m *gateway.Model) GateView {
	if w.fuse > 0 {
		if w.fuse--; w.fuse == 0 {
			panic(onPurpose)
		}
	}
	return w.gates[m]
}

const onPurpose = "on purpose"

func schedule(seed uint64) (string, error) {
	w := &world{r: rand.New(rand.NewPCG(seed, 1)), now: time.Unix(1_800_000_000, 0), gates: map[*gateway.Model]GateView{}}
	w.fleet = NewFleet(Default(), w.gate)
	for i := range 1 + w.r.IntN(5) {
		price := gateway.Microcents(100 * (1 + w.r.IntN(8)) * (1 + i))
		m := &gateway.Model{Provider: string(rune('a' + i)), Name: "m", Context: 1000 * (1 + w.r.IntN(100)), Bills: gateway.BillingHabit(w.r.IntN(3))}
		w.cands = append(w.cands, Candidate{Model: m, Prompt: price / 2, Expected: price, Priced: w.r.IntN(10) > 0})
		w.gates[m] = GateView{Closed: true}
	}
	Order(w.cands)
	hedged, requests := 0, 1+w.r.IntN(40)
	for range requests {
		n, err := w.request()
		if err != nil {
			return w.trace.String(), err
		}
		hedged += n
		if flying, again, tests := w.fleet.bookkeeping(); flying != 0 || again != 0 || tests != 0 {
			return w.trace.String(), fmt.Errorf("%d flying, %d retries and %d tests are left over", flying, again, tests)
		}
		w.now = w.now.Add(time.Duration(w.r.IntN(3000)) * time.Millisecond)
	}
	t := &w.fleet.Times
	if limit := t.HedgeBurst + t.HedgeShare*float64(requests); float64(hedged) > limit {
		return w.trace.String(), fmt.Errorf("%d hedges from the bucket in %d requests, at most %v", hedged, requests, limit)
	}
	return w.trace.String(), nil
}

// call is an attempt as the world sees it, with the next thing that happens to it.
type call struct {
	attempt, cand int
	role          gateway.Role
	next          Event
	at            time.Time
	left, content bool
}

type run struct {
	w     *world
	walk  *Walk
	rules Rules
	calls map[int]*call
	order []int
	ended int // Commit or GiveUp seen
	won   int
	sent  int
	hedge int // from the bucket
}

func (w *world) request() (int, error) {
	modes := []string{"auto", "auto", "auto", "off", "force"}
	r := &run{w: w, calls: map[int]*call{}, rules: Rules{
		Hedge: modes[w.r.IntN(len(modes))], MaxHedges: 1 + w.r.IntN(2), Hedgeable: w.r.IntN(5) > 0, Demote: w.r.IntN(5) > 0,
		Whole: w.r.IntN(2) == 0, NoFallback: w.r.IntN(10) == 0, Patience: time.Duration(w.r.IntN(500)) * time.Millisecond,
		WrongAnswers: 1, PromptTokens: w.r.IntN(50_000), FilterPasses: w.r.IntN(2) == 0,
		Deadline: w.now.Add(time.Duration(1+w.r.IntN(200)) * time.Second),
	}}
	if r.rules.Hedge == "auto" && w.r.IntN(3) == 0 {
		r.rules.HedgeAfter = time.Second
	}
	r.rules.ContentBy = r.rules.Deadline.Add(-time.Duration(w.r.IntN(500)) * time.Millisecond)
	for _, c := range w.cands { // in order, so that the same seed gives the same world
		w.gates[c.Model] = []GateView{{Closed: true}, {Closed: true}, {Closed: true}, {Closed: true, Tight: true}, {}, {Shut: true}}[w.r.IntN(6)]
	}
	w.fuse = 0
	if w.r.IntN(20) == 0 {
		w.fuse = 1 + w.r.IntN(30)
	}
	r.walk = New(r.rules, w.cands, w.fleet)
	if w.r.IntN(100) == 0 {
		return 0, r.give(Event{Kind: Drain})
	}
	if err := r.give(Event{Kind: Begin}); err != nil {
		return 0, err
	}
	leaves := w.now.Add(time.Duration(w.r.IntN(100_000)) * time.Millisecond)
	if w.r.IntN(5) > 0 {
		leaves = time.Time{}
	}
	for steps := 0; !r.walk.Done(); steps++ {
		if steps > 10_000 {
			return 0, fmt.Errorf("no end")
		}
		if err := r.advance(leaves); err != nil {
			return 0, err
		}
	}
	return r.hedge, r.afterEnd()
}

// advance lets the earliest thing happen: a call's next event, a wake, the client leaving.
func (r *run) advance(leaves time.Time) error {
	at, ev := r.walk.Wake(), Event{Kind: Tick}
	if at.IsZero() {
		return fmt.Errorf("a walk that is not done has no wake")
	}
	for _, n := range r.order {
		if c := r.calls[n]; c != nil && c.at.Before(at) {
			at, ev = c.at, c.next
		}
	}
	if !leaves.IsZero() && leaves.Before(at) {
		at, ev = leaves, Event{Kind: Gone}
	}
	if at.After(r.w.now) {
		r.w.now = at
	}
	if c := r.calls[ev.Attempt]; c != nil && ev.Kind != Tick && ev.Kind != Gone {
		r.plan(c, ev)
	}
	return r.give(ev)
}

// plan decides what happens to a call after ev.
func (r *run) plan(c *call, ev Event) {
	rnd := r.w.r
	wait := func() time.Time { return r.w.now.Add(time.Duration(rnd.ExpFloat64() * float64(2*time.Second))) }
	switch ev.Kind {
	case Refused, Failed, Whole:
		delete(r.calls, c.attempt)
	case Left:
		c.left = true
		r.sent++
		switch rnd.IntN(10) {
		case 0:
			c.at = r.w.now.Add(time.Hour) // a black hole
			c.next = Event{Kind: Content, Attempt: c.attempt}
		case 1, 2, 3:
			c.at, c.next = wait(), r.failure(c.attempt)
		default:
			c.at, c.next = wait(), Event{Kind: Content, Attempt: c.attempt}
		}
	case Content:
		c.content = true
		c.at, c.next = wait(), Event{Kind: Whole, Attempt: c.attempt}
		if rnd.IntN(4) == 0 {
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

func (r *run) give(ev Event) (err error) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case onPurpose: // what the router does then: the walk gives its counts back, the rest is the router's
			fmt.Fprintf(&r.w.trace, "  panic\n")
			r.w.fuse = 0
			r.walk.Abort()
			r.ended, r.won, r.calls, err = 1, 0, map[int]*call{}, nil
		default:
			panic(p)
		}
	}()
	fmt.Fprintf(&r.w.trace, "%s %s %d%s\n", r.w.now.Format("05.000"), eventWords[ev.Kind], ev.Attempt, kindWord(ev.Err))
	for _, a := range r.walk.Step(ev, r.w.now) {
		fmt.Fprintf(&r.w.trace, "  %s %d %s %s\n", actionWords[a.Kind], a.Attempt, r.w.cands[a.Candidate].Model.Provider, a.Role)
		if err := r.check(a); err != nil {
			return err
		}
	}
	if r.w.r.IntN(50) == 0 { // the router did not get to run
		held := time.Duration(r.w.r.IntN(2000)) * time.Millisecond
		r.w.now = r.w.now.Add(held)
		r.walk.Delay(held, r.w.now)
	}
	if err := r.consistent(); err != nil {
		return err
	}
	for _, m := range r.w.fleet.TakeSick() {
		r.walk.MoveAt(m, r.w.now.Add(100*time.Millisecond))
	}
	return nil
}

// consistent holds the walk against its calls, and the fleet against the walk, which is
// the only one that is out.
func (r *run) consistent() error {
	again, tests := 0, 0
	for i := range r.walk.flying {
		f := &r.walk.flying[i]
		if r.calls[f.attempt] == nil {
			return fmt.Errorf("attempt %d is in the walk and not out", f.attempt)
		}
		if f.again {
			again++
		}
		if f.test != 0 {
			tests++
		}
	}
	out := len(r.calls)
	if r.calls[r.won] != nil { // the client's, and no more the walk's
		out--
	}
	if out != len(r.walk.flying) {
		return fmt.Errorf("%d calls are out, the walk knows %d", out, len(r.walk.flying))
	}
	flying := 1
	if r.walk.Done() {
		flying = 0
	}
	if f, a, p := r.w.fleet.bookkeeping(); f != flying || a != again || p > tests {
		return fmt.Errorf("the fleet counts %d, %d, %d for %d in flight with %d retries and %d tests", f, a, p, flying, again, tests)
	}
	if h := r.w.fleet.hedges; h < 0 || h > r.w.fleet.Times.HedgeBurst {
		return fmt.Errorf("%v hedges in the bucket", h)
	}
	return nil
}

func (r *run) check(a Action) error {
	if r.ended > 0 && a.Kind != Cancel {
		return fmt.Errorf("action %d after the end", a.Kind)
	}
	switch a.Kind {
	case Start:
		return r.started(a)
	case Cancel:
		if r.calls[a.Attempt] == nil {
			return fmt.Errorf("attempt %d is cancelled but not out", a.Attempt)
		}
		delete(r.calls, a.Attempt)
	case Commit:
		r.ended++
		r.won = a.Attempt
	case GiveUp:
		r.ended++
		if a.Err == nil || a.Err.Kind == gateway.Canceled && a.Err.Message != "the client left" {
			return fmt.Errorf("gives up with %v", a.Err)
		}
		if passes(a.Err.Kind) && a.Err.RetryAfter <= 0 {
			return fmt.Errorf("gives up with %v and does not say when to come back", a.Err)
		}
	}
	return nil
}

func (r *run) started(a Action) error {
	for _, c := range r.calls {
		if c.cand == a.Candidate {
			return fmt.Errorf("candidate %d is asked twice at once", a.Candidate)
		}
	}
	if r.sent > len(r.w.cands)+1 {
		return fmt.Errorf("%d attempts left for %d candidates", r.sent, len(r.w.cands))
	}
	if len(r.calls) > r.rules.MaxHedges {
		return fmt.Errorf("%d calls out at once", len(r.calls)+1)
	}
	c := &call{attempt: a.Attempt, cand: a.Candidate, role: a.Role, at: r.w.now}
	c.next = Event{Kind: Left, Attempt: a.Attempt}
	g := r.w.gates[r.w.cands[a.Candidate].Model]
	if a.Role == gateway.Hedge && (!r.rules.Hedgeable || r.rules.NoFallback || r.rules.Hedge == "off") {
		return fmt.Errorf("a race that is forbidden by %+v", r.rules)
	}
	if a.Role == gateway.Hedge && (!g.Closed || g.Tight) {
		return fmt.Errorf("a hedge goes to a gate that is %+v", g)
	}
	if g.Shut || r.w.r.IntN(12) == 0 {
		kinds := []gateway.Kind{gateway.CircuitOpen, gateway.NoCapacity, gateway.RateLimited, gateway.ProviderAuth}
		e := &gateway.Error{Kind: kinds[r.w.r.IntN(4)], RetryAfter: time.Duration(r.w.r.IntN(5000)) * time.Millisecond}
		if !a.Queue.IsZero() {
			c.at, e.Kind, e.Code = a.Queue, gateway.NoCapacity, QueueExpired
		}
		c.next = Event{Kind: Refused, Attempt: a.Attempt, Err: e}
	} else if a.Role == gateway.Hedge {
		r.hedge++
	}
	r.calls[a.Attempt] = c
	r.order = append(r.order, a.Attempt)
	return nil
}

func (r *run) afterEnd() error {
	if r.ended != 1 {
		return fmt.Errorf("%d ends", r.ended)
	}
	delete(r.calls, r.won)
	if len(r.calls) != 0 {
		return fmt.Errorf("%d attempts outlive their request", len(r.calls))
	}
	if acts := r.walk.Step(Event{Kind: Content, Attempt: 1}, r.w.now); len(acts) != 0 {
		return fmt.Errorf("acts after its end")
	}
	if r.sent > len(r.w.cands)+1 {
		return fmt.Errorf("%d attempts left for %d candidates", r.sent, len(r.w.cands))
	}
	return nil
}
