package route

import (
	"testing"
	"time"

	"gateway"
)

// What is usual for whole answers must not make a streamed call look quick or late.
func TestPlainCallsHaveTheirOwnTimes(t *testing.T) {
	f := NewFleet(Default(), func(*gateway.Model) GateView { return GateView{Closed: true} })
	m := &gateway.Model{Provider: "p", Name: "m"}
	streamed, plain := &Candidate{Model: m}, &Candidate{Model: m, Plain: true}
	now := time.Unix(1_000_000, 0)
	if cold := f.hedgeDelay(now, plain, 100); cold != f.Times.HedgeMost {
		t.Errorf("a plain call without history is raced after %v, want %v: its answer may just be long", cold, f.Times.HedgeMost)
	}
	for range 100 {
		f.observe(now, streamed, 100, 300*time.Millisecond)
		f.observe(now, plain, 100, 4*time.Second)
	}
	if d := f.hedgeDelay(now, streamed, 100); d > 400*time.Millisecond {
		t.Errorf("a streamed call counts as late after %v; whole answers take 4s", d)
	}
	if d := f.hedgeDelay(now, plain, 100); d < 3900*time.Millisecond {
		t.Errorf("a plain call counts as late after %v; whole answers take 4s", d)
	}
}

// A plain call that takes as long as a whole answer may is not cut by a limit that is
// meant for first contents.
func TestPlainCallsAreGivenTime(t *testing.T) {
	f := NewFleet(Default(), func(*gateway.Model) GateView { return GateView{Closed: true} })
	now := time.Unix(1_000_000, 0)
	cands := []Candidate{
		{Model: &gateway.Model{Provider: "a", Name: "m"}, Plain: true},
		{Model: &gateway.Model{Provider: "b", Name: "m"}, Plain: true},
	}
	w := New(Rules{Hedge: "off", Whole: true, Deadline: now.Add(10 * time.Minute), ContentBy: now.Add(10 * time.Minute)}, cands, f)
	w.Step(Event{Kind: Begin}, now)
	w.Step(Event{Kind: Left, Attempt: 1}, now)
	if late := w.Step(Event{Kind: Tick}, now.Add(patientLimit-time.Second)); len(late) > 0 {
		t.Fatalf("cut before %v: %+v", patientLimit, late)
	}
	late := w.Step(Event{Kind: Tick}, now.Add(patientLimit+time.Second))
	if len(late) != 2 || late[0].Kind != Cancel || late[1].Kind != Start {
		t.Errorf("after the limit: %+v, want the next candidate", late)
	}
}

// Calls that ask a model for whole answers and are slow at it move none of its streamed ones.
func TestAModelIsSickInOneWay(t *testing.T) {
	f := NewFleet(Default(), func(*gateway.Model) GateView { return GateView{Closed: true} })
	now := time.Unix(1_000_000, 0)
	cands := twoModels()
	plain := []Candidate{cands[0], cands[1]}
	plain[0].Plain, plain[1].Plain = true, true
	late := func(cands []Candidate) *Walk {
		f.at(&cands[0]).base.m95 = time.Second
		w := New(Rules{Hedge: "off", Hedgeable: true, Demote: true, Deadline: now.Add(time.Hour), ContentBy: now.Add(time.Hour)}, cands, f)
		w.Step(Event{Kind: Begin}, now)
		w.Step(Event{Kind: Left, Attempt: 1}, now)
		w.Step(Event{Kind: Tick}, now.Add(2*time.Second))
		return w
	}
	streamed, whole := late(cands), late(plain)
	for range 50 {
		f.record(now, &plain[0], slow, 0)
	}
	sick := f.TakeSick()
	if len(sick) != 1 || !f.at(&plain[0]).demotion.on || f.at(&cands[0]).demotion.on {
		t.Fatalf("%d ways are sick: this tests nothing", len(sick))
	}
	if streamed.MoveAt(sick[0], now) {
		t.Error("a streamed call is moved because whole answers are slow")
	}
	if !whole.MoveAt(sick[0], now) {
		t.Error("a call for a whole answer is not moved")
	}
}
