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
	w.Delay(10 * time.Second)
	if at := w.Wake().Sub(now); at != 11*time.Second {
		t.Errorf("wakes after %v, want 11s", at)
	}
	if acts := w.Step(Event{Kind: Tick}, now.Add(10*time.Second)); len(acts) > 0 {
		t.Errorf("%+v for time in which nobody looked", acts)
	}
	if acts := w.Step(Event{Kind: Tick}, now.Add(11*time.Second)); len(acts) != 1 || acts[0].Role != gateway.Hedge {
		t.Errorf("%+v, want a hedge", acts)
	}
	w.Delay(time.Hour)
	if at := w.Wake().Sub(now); at != time.Minute {
		t.Errorf("wakes after %v, want the deadline", at)
	}
}
