package route

import (
	"testing"
	"time"

	"gateway"
)

// bookkeeping says what is left of the fleet's counts when no request is in flight.
func (f *Fleet) bookkeeping() (flying, again, tests int) {
	for _, h := range f.known {
		if h.demotion.probing != 0 {
			tests++
		}
	}
	return f.flying, f.again, tests
}

func twoModels() []Candidate {
	var cands []Candidate
	for _, name := range []string{"a", "b"} {
		m := &gateway.Model{Provider: name, Name: name, Bills: gateway.BillsInFull}
		cands = append(cands, Candidate{Model: m, Prompt: 50, Expected: 100, Priced: true})
	}
	return cands
}

// A walk that panics leaves nothing behind in what all walks share.
func TestAbortGivesBackWhatItCounted(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	angry := false
	f := NewFleet(Default(), func(*gateway.Model) GateView {
		if angry {
			panic("on purpose")
		}
		return GateView{Closed: true}
	})
	cands := twoModels()
	h := f.of(cands[0].Model)
	h.demote(now, &f.Times)
	now = h.demotion.until
	w := New(Rules{Hedge: "auto", HedgeAfter: time.Second, MaxHedges: 1, Hedgeable: true, Demote: true,
		Deadline: now.Add(time.Minute), ContentBy: now.Add(time.Minute)}, cands, f)
	w.Step(Event{Kind: Begin}, now) // it tests the demoted model
	w.Step(Event{Kind: Left, Attempt: 1}, now)
	w.Step(Event{Kind: Failed, Attempt: 1, Err: &gateway.Error{Kind: gateway.Unavailable, Status: 500, Sent: true}}, now)
	now = w.Wake()
	w.Step(Event{Kind: Tick}, now) // once more there
	if flying, again, _ := f.bookkeeping(); flying != 1 || again != 1 {
		t.Fatalf("%d flying, %d again: this tests nothing", flying, again)
	}
	h.demotion.until = now
	other := New(w.rules, cands, f)
	other.Step(Event{Kind: Begin}, now)
	if _, _, tests := f.bookkeeping(); tests != 1 {
		t.Fatal("no test is out: this tests nothing")
	}
	for _, w := range []*Walk{w, other} {
		angry = true
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
				w.Abort()
			}()
			w.Step(Event{Kind: Failed, Attempt: len(w.state), Err: &gateway.Error{Kind: gateway.Timeout, Sent: true}}, now)
			w.Step(Event{Kind: Failed, Attempt: 1, Err: &gateway.Error{Kind: gateway.Timeout, Sent: true}}, now)
		}()
		angry = false
		if acts := w.Step(Event{Kind: Tick}, now.Add(time.Hour)); !w.Done() || len(acts) > 0 {
			t.Errorf("it goes on after its end: %+v", acts)
		}
	}
	if flying, again, tests := f.bookkeeping(); flying != 0 || again != 0 || tests != 0 {
		t.Errorf("%d flying, %d again and %d tests are left over", flying, again, tests)
	}
}

// A request that is drained before it began was never counted.
func TestDrainBeforeBegin(t *testing.T) {
	f := NewFleet(Default(), func(*gateway.Model) GateView { return GateView{Closed: true} })
	w := New(Rules{}, twoModels(), f)
	if acts := w.Step(Event{Kind: Drain}, time.Unix(1_800_000_000, 0)); len(acts) != 1 || acts[0].Kind != GiveUp {
		t.Errorf("%+v", acts)
	}
	if f.flying != 0 {
		t.Errorf("%d in flight", f.flying)
	}
}

// A call that tests a model of an earlier demotion has no say in a later one.
func TestATestIsOfItsOwnDemotion(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	f := NewFleet(Default(), func(*gateway.Model) GateView { return GateView{Closed: true} })
	cands := twoModels()
	h := f.of(cands[0].Model)
	begin := func() *Walk {
		h.demotion = demotion{}
		h.demote(now, &f.Times)
		now = h.demotion.until
		w := New(Rules{Hedge: "off", Demote: true, Deadline: now.Add(time.Minute), ContentBy: now.Add(time.Minute)}, cands, f)
		w.Step(Event{Kind: Begin}, now)
		w.Step(Event{Kind: Left, Attempt: 1}, now)
		return w
	}
	first := begin()
	begin()
	first.Step(Event{Kind: Content, Attempt: 1}, now)
	if h.demotion.probing == 0 || h.demotion.good != 0 {
		t.Errorf("%+v: the earlier test ended the later one", h.demotion)
	}
}

// What a race paid is what it gets back when it did not leave: from the call that it
// raced, which is not always the first candidate's, and nothing where it was free.
func TestRefusedRaceGetsBackWhatItPaid(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for name, free := range map[string]bool{"paid": false, "free": true} {
		t.Run(name, func(t *testing.T) {
			f := NewFleet(Default(), func(*gateway.Model) GateView { return GateView{Closed: true} })
			cands := append(twoModels(), Candidate{Model: &gateway.Model{Provider: "c", Name: "c"}, Prompt: 200, Expected: 450, Priced: true})
			w := New(Rules{Hedge: "auto", HedgeAfter: time.Second, MaxHedges: 1, Hedgeable: true,
				Deadline: now.Add(time.Minute), ContentBy: now.Add(time.Minute)}, cands, f)
			w.Step(Event{Kind: Begin}, now)
			w.Step(Event{Kind: Left, Attempt: 1}, now)
			w.Step(Event{Kind: Failed, Attempt: 1, Err: &gateway.Error{Kind: gateway.BadAnswer, Sent: true}}, now)
			w.Step(Event{Kind: Left, Attempt: 2, Probe: free}, now) // at b
			f.hedges, f.money = 10, 1000
			acts := w.Step(Event{Kind: Tick}, now.Add(time.Second))
			if len(acts) != 1 || acts[0].Role != gateway.Hedge || f.hedges != 10 != !free {
				t.Fatalf("%+v with %v hedges left", acts, f.hedges)
			}
			w.Step(Event{Kind: Refused, Attempt: 3, Err: &gateway.Error{Kind: gateway.NoCapacity}}, now.Add(time.Second))
			if f.hedges != 10 || f.money != 1000 {
				t.Errorf("%v hedges and %v microcents are left of 10 and 1000", f.hedges, f.money)
			}
		})
	}
}

// A race that is cut before it left gets back what it paid, however the cut comes.
func TestRaceCutBeforeItLeftGetsBackWhatItPaid(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for name, cut := range map[string]func(*Walk, time.Time){
		"the other answers": func(w *Walk, now time.Time) { w.Step(Event{Kind: Content, Attempt: 1}, now) },
		"the client leaves": func(w *Walk, now time.Time) { w.Step(Event{Kind: Gone}, now) },
		"time is up":        func(w *Walk, _ time.Time) { w.Step(Event{Kind: Tick}, w.rules.Deadline) },
		"the walk panics":   func(w *Walk, _ time.Time) { w.Abort() },
	} {
		t.Run(name, func(t *testing.T) {
			f := NewFleet(Default(), func(*gateway.Model) GateView { return GateView{Closed: true} })
			w := New(Rules{Hedge: "auto", HedgeAfter: time.Second, MaxHedges: 1, Hedgeable: true,
				Deadline: now.Add(time.Minute), ContentBy: now.Add(time.Minute)}, twoModels(), f)
			w.Step(Event{Kind: Begin}, now)
			w.Step(Event{Kind: Left, Attempt: 1}, now)
			f.hedges, f.money = 10, 1000
			acts := w.Step(Event{Kind: Tick}, now.Add(time.Second))
			if len(acts) != 1 || acts[0].Role != gateway.Hedge || f.money == 1000 {
				t.Fatalf("%+v: no race was paid for", acts)
			}
			cut(w, now.Add(1100*time.Millisecond))
			if f.hedges != 10 || f.money != 1000 || w.Hedged() {
				t.Errorf("%v hedges and %v microcents are left of 10 and 1000; hedged: %v", f.hedges, f.money, w.Hedged())
			}
		})
	}
}
