package route

import (
	"testing"
	"time"

	"gateway"
)

// Time in which the router could not look does not count against a provider, but it does
// count against the request.
func TestDelayPutsOffAllButTheDeadline(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	fleet := NewFleet(Default(), func(*gateway.Model) GateView { return GateView{Closed: true} })
	var cands []Candidate
	for _, name := range []string{"a", "b"} {
		cands = append(cands, Candidate{Model: &gateway.Model{Provider: name, Name: name}, Expected: 100, Priced: true})
		h := fleet.of(cands[len(cands)-1].Model)
		h.base.m95, h.base.m50 = 2*time.Second, time.Second
	}
	rules := Rules{Hedge: "auto", HedgeAfter: time.Second, MaxHedges: 1, Hedgeable: true, Demote: true,
		Deadline: now.Add(time.Minute), ContentBy: now.Add(time.Minute)}
	w := New(rules, cands, fleet)
	w.Step(Event{Kind: Begin}, now)
	w.Step(Event{Kind: Left, Attempt: 1}, now)
	if at := w.Wake().Sub(now); at != time.Second {
		t.Fatalf("wakes after %v", at)
	}
	w.Delay(10*time.Second, now.Add(10*time.Second))
	if at := w.Wake().Sub(now); at != 11*time.Second {
		t.Errorf("wakes after %v, want 11s", at)
	}
	if acts := w.Step(Event{Kind: Tick}, now.Add(10*time.Second)); len(acts) > 0 {
		t.Errorf("%+v for time in which nobody looked", acts)
	}
	if acts := w.Step(Event{Kind: Tick}, now.Add(11*time.Second)); len(acts) != 1 || acts[0].Role != gateway.Hedge {
		t.Errorf("%+v, want a hedge", acts)
	}
	w.Delay(time.Hour, now.Add(2*time.Hour))
	if at := w.Wake().Sub(now); at != time.Minute {
		t.Errorf("wakes after %v, want the deadline", at)
	}
}

// A call that left in the middle of a hold-up is put off by no more than it has been out,
// and none looks quicker than it was: its provider worked on while nobody looked.
func TestDelayMakesNobodyQuicker(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	fleet := NewFleet(Default(), func(*gateway.Model) GateView { return GateView{Closed: true} })
	cands := []Candidate{{Model: &gateway.Model{Provider: "a", Name: "a"}, Expected: 100, Priced: true}}
	rules := Rules{Hedge: "off", Demote: true, Deadline: now.Add(time.Minute), ContentBy: now.Add(time.Minute)}
	fleet.of(cands[0].Model).base.m95 = 4 * time.Second
	early, late := New(rules, cands, fleet), New(rules, cands, fleet)
	early.Step(Event{Kind: Begin}, now)
	early.Step(Event{Kind: Left, Attempt: 1}, now)
	now = now.Add(3 * time.Second)
	late.Step(Event{Kind: Begin}, now)
	late.Step(Event{Kind: Left, Attempt: 1}, now)
	now = now.Add(time.Second) // the router has not looked for two seconds
	early.Delay(2*time.Second, now)
	late.Delay(2*time.Second, now)
	if d := early.flying[0].waited(now); d != 2*time.Second {
		t.Errorf("the early call counts as out for %v, want 2s: two of its four nobody looked", d)
	}
	if d := late.flying[0].waited(now); d != 0 {
		t.Errorf("the late call counts as out for %v, want 0", d)
	}
	if at := late.flying[0].lateAt; !at.Equal(now.Add(4200 * time.Millisecond)) {
		t.Errorf("the late call is overdue in %v, want the 4.2s that it has from now", at.Sub(now))
	}
	now = now.Add(time.Second)
	early.Step(Event{Kind: Content, Attempt: 1}, now)
	if d, n := fleet.of(cands[0].Model).live.quantile(now, 1); n != 1 || d < 4800*time.Millisecond {
		t.Errorf("the early call is known as %v of %d; it took 5s", d, n)
	}
	// The call's own clock knows when the content came, however late the walk hears of it.
	late.Step(Event{Kind: Content, Attempt: 1, After: 400 * time.Millisecond}, now)
	if d, n := fleet.of(cands[0].Model).live.quantile(now, 0.1); n != 2 || d < 380*time.Millisecond || d > 420*time.Millisecond {
		t.Errorf("the late call is known as %v of %d; it took 400ms", d, n)
	}
}
