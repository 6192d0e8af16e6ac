package route

import (
	"testing"
	"time"

	"gateway"
)

// raced makes a walk whose first call was raced by one to b; left of the race is what
// Step says next.
func raced(t *testing.T, f *Fleet, cands []Candidate, now time.Time, most int) (*Walk, bool) {
	t.Helper()
	f.hedges, f.money = 20, 1e6
	w := New(Rules{Hedge: "auto", HedgeAfter: time.Second, MaxHedges: most, Hedgeable: true,
		Deadline: now.Add(time.Minute), ContentBy: now.Add(time.Minute)}, cands, f)
	w.Step(Event{Kind: Begin}, now)
	w.Step(Event{Kind: Left, Attempt: 1}, now)
	acts := w.Step(Event{Kind: Tick}, now.Add(time.Second))
	if len(acts) == 0 {
		return w, false
	}
	w.Step(Event{Kind: Left, Attempt: 2}, now.Add(time.Second))
	return w, acts[0].Role == gateway.Hedge
}

// A target whose races fail gets no more of them until it has answered often enough.
func TestATargetThatFailsIsRacedNoMore(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	f := NewFleet(Default(), func(*gateway.Model) GateView { return GateView{Closed: true} })
	cands := twoModels()
	for n := range strikesStop {
		w, ok := raced(t, f, cands, now, 1)
		if !ok {
			t.Fatalf("not raced after %d failures", n)
		}
		w.Step(Event{Kind: Failed, Attempt: 2, Err: &gateway.Error{Kind: gateway.Unavailable, Status: 500, Sent: true}}, now.Add(2*time.Second))
	}
	if _, ok := raced(t, f, cands, now, 1); ok {
		t.Errorf("raced after %d failures", strikesStop)
	}
	only := cands[1:]
	w := New(Rules{Hedge: "off", Deadline: now.Add(time.Minute), ContentBy: now.Add(time.Minute)}, only, f)
	w.Step(Event{Kind: Begin}, now)
	w.Step(Event{Kind: Left, Attempt: 1}, now)
	w.Step(Event{Kind: Content, Attempt: 1}, now)
	if _, ok := raced(t, f, cands, now, 1); !ok {
		t.Error("not raced although it has answered since")
	}
}

// A 429 to a race ends the racing of its request: whoever sent it has too much to do.
func TestARaceThatIsPushedBackIsTheLast(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for kind, again := range map[gateway.Kind]bool{gateway.RateLimited: false, gateway.BadAnswer: true} {
		f := NewFleet(Default(), func(*gateway.Model) GateView { return GateView{Closed: true} })
		cands := append(twoModels(), Candidate{Model: &gateway.Model{Provider: "c", Name: "c"}, Prompt: 50, Expected: 120, Priced: true})
		w, ok := raced(t, f, cands, now, 2)
		if !ok {
			t.Fatal("not raced")
		}
		w.Step(Event{Kind: Failed, Attempt: 2, Err: &gateway.Error{Kind: kind, Sent: true}}, now.Add(2*time.Second))
		w.flying[0].hedgeAt = now.Add(3 * time.Second)
		if acts := w.Step(Event{Kind: Tick}, now.Add(3*time.Second)); len(acts) > 0 != again {
			t.Errorf("after %v: %+v", kind, acts)
		}
	}
}
