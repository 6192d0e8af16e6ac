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
