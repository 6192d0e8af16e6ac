package route

import (
	"testing"
	"time"

	"gateway"
)

func fleetForBench() (*Fleet, []Candidate, time.Time) {
	now := time.Unix(1_800_000_000, 0)
	f := NewFleet(Default(), func(*gateway.Model) GateView { return GateView{Closed: true} })
	var cands []Candidate
	for i := range 5 {
		m := &gateway.Model{Provider: string(rune('a' + i)), Name: "m", Bills: gateway.BillsSeen}
		cands = append(cands, Candidate{Model: m, Prompt: 100, Expected: gateway.Microcents(200 + i), Priced: true})
		for j := range 200 {
			f.of(m).observe(now, 0, time.Duration(200+j)*time.Millisecond, true)
		}
	}
	return f, cands, now
}

// BenchmarkHedgeDecision is one look at a late call: choosing a target and asking both
// budgets. The bar is 2 µs and no allocation.
func BenchmarkHedgeDecision(b *testing.B) {
	f, cands, now := fleetForBench()
	w := New(Rules{Hedge: "auto", MaxHedges: 1, Hedgeable: true, Demote: true, Deadline: now.Add(time.Minute), ContentBy: now.Add(time.Minute)}, cands, f)
	w.Step(Event{Kind: Begin}, now)
	w.Step(Event{Kind: Left, Attempt: 1}, now)
	f.hedges = 0 // so that every look ends in looking again later, and the state stays the same
	now = now.Add(time.Second)
	b.ReportAllocs()
	for b.Loop() {
		w.hedge(0, now)
	}
}

// BenchmarkHedgeDelay is the reading of the live quantile that arms a hedge.
func BenchmarkHedgeDelay(b *testing.B) {
	f, cands, now := fleetForBench()
	b.ReportAllocs()
	for b.Loop() {
		f.hedgeDelay(now, &cands[0], 1000)
	}
}

// BenchmarkObserve is one time to first content entering every sketch.
func BenchmarkObserve(b *testing.B) {
	f, cands, now := fleetForBench()
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Millisecond)
		f.observe(now, &cands[0], 1000, 300*time.Millisecond)
	}
}

// BenchmarkWalk is a whole request with one candidate that answers: its share of the
// router's work.
func BenchmarkWalk(b *testing.B) {
	f, cands, now := fleetForBench()
	rules := Rules{Hedge: "auto", MaxHedges: 1, Hedgeable: true, Demote: true, Deadline: now.Add(time.Hour), ContentBy: now.Add(time.Hour)}
	b.ReportAllocs()
	for b.Loop() {
		w := New(rules, cands, f)
		w.Step(Event{Kind: Begin}, now)
		w.Step(Event{Kind: Left, Attempt: 1}, now)
		w.Step(Event{Kind: Content, Attempt: 1}, now)
		now = now.Add(time.Millisecond)
	}
}

// TestHedgeDecisionAllocatesNothing guards the promise that does not depend on the machine.
func TestHedgeDecisionAllocatesNothing(t *testing.T) {
	f, cands, now := fleetForBench()
	w := New(Rules{Hedge: "auto", MaxHedges: 1, Hedgeable: true, Demote: true, Deadline: now.Add(time.Minute), ContentBy: now.Add(time.Minute)}, cands, f)
	w.Step(Event{Kind: Begin}, now)
	w.Step(Event{Kind: Left, Attempt: 1}, now)
	f.hedges = 0
	if n := testing.AllocsPerRun(100, func() { w.hedge(0, now.Add(time.Second)) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
