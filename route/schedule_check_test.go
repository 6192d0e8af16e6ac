package route

import (
	"fmt"
	"math"
	"time"

	"gateway"
)

// check holds one action against what may be done, and carries it out in the world.
func (r *run) check(a Action) error {
	if r.ended > 0 && a.Kind != Cancel {
		return fmt.Errorf("action %d after the end", a.Kind)
	}
	c := r.out(a.Attempt)
	if a.Kind != Start && a.Kind != GiveUp && c == nil {
		return fmt.Errorf("attempt %d is not out", a.Attempt)
	}
	switch a.Kind {
	case Start:
		return r.started(a)
	case Cancel:
		r.cut = c
		r.over(c)
	case Commit:
		r.ended++
		r.won = a.Attempt
		r.over(c)
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
	if r.sent > len(r.cands) {
		return fmt.Errorf("%d attempts left for %d candidates, and one more starts", r.sent, len(r.cands))
	}
	if len(r.calls) > r.rules.MaxHedges {
		return fmt.Errorf("%d calls out at once", len(r.calls)+1)
	}
	i := r.walk.index(a.Attempt)
	if i < 0 {
		return fmt.Errorf("attempt %d starts and is not in the walk", a.Attempt)
	}
	f := &r.walk.flying[i]
	if err := r.mayGo(a); err != nil {
		return err
	}
	if err := r.mayTest(f); err != nil {
		return err
	}
	if a.Role == gateway.Hedge {
		r.races = append(r.races, race{f.paid, f.attempt, f.cand})
	}
	r.calls = append(r.calls, r.answer(a, f.paid))
	return nil
}

// mayGo: what is made twice, or instead of another, goes only to who is well and not much
// dearer, and not where it is forbidden.
func (r *run) mayGo(a Action) error {
	g := r.w.gates[r.cands[a.Candidate].Model]
	switch a.Role {
	case gateway.Hedge:
		if !r.rules.Hedgeable || r.rules.NoFallback || r.rules.Hedge == "off" || r.pushed {
			return fmt.Errorf("a race that is forbidden by %+v, or by what an earlier one was told", r.rules)
		}
		if !g.Closed || g.Tight {
			return fmt.Errorf("a hedge goes to a gate that is %+v", g)
		}
	case gateway.Moved:
		if r.cut == nil {
			return nil // once more where it waited for room
		}
		r.w.seen[sawMoved]++
		if !r.rules.Hedgeable || r.rules.NoFallback || !r.rules.Demote || !g.Closed {
			return fmt.Errorf("a call is moved against %+v to a gate that is %+v", r.rules, g)
		}
		from, to := &r.cands[r.cut.cand], &r.cands[a.Candidate]
		if from.Priced && (!to.Priced || to.Expected > 5*from.Expected) {
			return fmt.Errorf("a call is moved from a price of %d to %d", from.Expected, to.Expected)
		}
	}
	return nil
}

// test is a call that tests a demoted model.
type test struct {
	of      *run
	attempt int
	until   time.Time // which demotion
}

// mayTest: a demoted model is tested by one call at a time.
func (r *run) mayTest(f *flight) error {
	if f.test == 0 {
		return nil
	}
	c := &r.cands[f.cand]
	until := r.w.fleet.at(c).demotion.until
	if t := r.w.tests[c.way()]; t.of != nil && t.until.Equal(until) {
		if i := t.of.walk.index(t.attempt); i >= 0 && t.of.walk.flying[i].test != 0 {
			return fmt.Errorf("a second call tests %s", c.Model.Provider)
		}
	}
	r.w.tests[c.way()] = test{r, f.attempt, until}
	r.w.seen[sawTest]++
	return nil
}

// answer is what the gate says to a new attempt: it leaves, at once or when its budgets
// have room, or is refused.
func (r *run) answer(a Action, paid price) *call {
	rnd := r.w.r
	c := &call{attempt: a.Attempt, cand: a.Candidate, role: a.Role, at: r.w.now, paid: paid, next: Event{Kind: Left, Attempt: a.Attempt}}
	if a.Role == gateway.Retry && rnd.IntN(3) == 0 { // its gate counts the wait from a little later, or from another refusal
		c.next = Event{Kind: Refused, Attempt: a.Attempt, Err: &gateway.Error{Kind: gateway.RateLimited, RetryAfter: time.Duration(rnd.IntN(200)) * time.Millisecond}}
		return c
	}
	if !r.w.gates[r.cands[a.Candidate].Model].Shut && rnd.IntN(12) > 0 {
		if rnd.IntN(5) == 0 {
			c.at = c.at.Add(time.Duration(rnd.ExpFloat64() * float64(300*time.Millisecond)))
		}
		return c
	}
	kinds := []gateway.Kind{gateway.CircuitOpen, gateway.NoCapacity, gateway.RateLimited, gateway.ProviderAuth}
	e := &gateway.Error{Kind: kinds[rnd.IntN(4)], RetryAfter: time.Duration(rnd.IntN(5000)) * time.Millisecond}
	if rnd.IntN(3) == 0 {
		e.RetryAfter /= 100
	}
	if !a.Queue.IsZero() {
		c.at, e.Kind, e.Code = a.Queue, gateway.NoCapacity, QueueExpired
	}
	c.next = Event{Kind: Refused, Attempt: a.Attempt, Err: e}
	return c
}

// counts are the walk's own retries and tests, which it holds against its calls.
func (r *run) counts() (again, tests int, err error) {
	for i := range r.walk.flying {
		f := &r.walk.flying[i]
		if r.out(f.attempt) == nil {
			return 0, 0, fmt.Errorf("attempt %d of #%d is in the walk and not out", f.attempt, r.n)
		}
		if f.again {
			again++
		}
		if f.test != 0 {
			tests++
		}
	}
	if len(r.calls) != len(r.walk.flying) {
		return 0, 0, fmt.Errorf("%d calls of #%d are out, the walk knows %d", len(r.calls), r.n, len(r.walk.flying))
	}
	return again, tests, nil
}

func (r *run) afterEnd() error {
	if r.ended != 1 {
		return fmt.Errorf("%d ends", r.ended)
	}
	if len(r.calls) != 0 {
		return fmt.Errorf("%d attempts outlive their request", len(r.calls))
	}
	for n := range r.walk.attempts {
		if acts := r.walk.Step(Event{Kind: Content, Attempt: n}, r.w.now); len(acts) != 0 {
			return fmt.Errorf("acts after its end")
		}
	}
	return nil
}

// record is what has been counted for or against models.
type record struct{ verdicts, strikes int }

func (f *Fleet) judged() (n record) {
	for _, h := range f.known {
		n.verdicts += h.outcomes.n + h.demotion.good
		n.strikes += int(math.Round(h.strikes / strikesHeal))
	}
	return n
}

// counted: the call was counted as late already, and one call counts once.
func (r *run) counted(ev Event) bool {
	i := r.walk.index(ev.Attempt)
	return i >= 0 && r.walk.flying[i].late
}

// blameless: what happened says nothing of how a model does. A 429 does not, nor does the
// end of a loser.
func blameless(ev Event) bool {
	switch ev.Kind {
	case Begin, Left, Refused, Gone, Drain:
		return true
	case Failed:
		switch ev.Err.Kind {
		case gateway.Unavailable, gateway.RetryNow, gateway.Overloaded, gateway.BadAnswer, gateway.Timeout:
			return false
		}
		return true
	}
	return false
}
