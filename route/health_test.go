package route

import (
	"testing"
	"time"

	"gateway"
)

func newTestFleet() (*Fleet, *gateway.Model, time.Time) {
	f := NewFleet(Default(), func(*gateway.Model) GateView { return GateView{Closed: true} })
	return f, &gateway.Model{Provider: "a", Name: "m"}, time.Unix(1_800_000_000, 0)
}

// feed lets n calls take so long, spread evenly over a span.
func feed(f *Fleet, m *gateway.Model, now time.Time, n int, ttft, span time.Duration) time.Time {
	for range n {
		f.observe(now, &Candidate{Model: m}, 100, ttft)
		now = now.Add(span / time.Duration(n))
	}
	return now
}

func TestSketchQuantilesAndForgetting(t *testing.T) {
	s := newSketch(time.Minute)
	now := time.Unix(1_800_000_000, 0)
	for i := range 1000 {
		s.add(now, time.Duration(i+1)*time.Millisecond)
	}
	for q, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.95: 950 * time.Millisecond, 0.99: 990 * time.Millisecond} {
		got, n := s.quantile(now, q)
		if n != 1000 || got < want*96/100 || got > want*104/100 {
			t.Errorf("q%v = %v of %d, want %v within 4 %%", q, got, n, want)
		}
	}
	if _, n := s.quantile(now.Add(2*time.Minute), 0.5); n != 0 {
		t.Errorf("%d samples after the window has passed", n)
	}
}

func TestBaselineIgnoresAnIncidentAndDemotionRecovers(t *testing.T) {
	f, m, now := newTestFleet()
	for range 10 {
		now = feed(f, m, now, 100, time.Second, 30*time.Second)
	}
	h := f.of(m)
	if b := h.base.m95; b < 900*time.Millisecond || b > 1100*time.Millisecond {
		t.Fatalf("baseline %v, want 1 s", b)
	}
	for range 50 {
		now = now.Add(20 * time.Millisecond)
		f.record(now, &Candidate{Model: m}, slow, 0)
	}
	if !h.demotion.on || len(f.TakeSick()) != 1 {
		t.Fatal("half a hundred slow calls did not demote")
	}
	feed(f, m, now, 100, 8*time.Second, time.Second)
	if b := h.base.m95; b > 1100*time.Millisecond {
		t.Errorf("the baseline followed the incident to %v", b)
	}
	if h.demotion.rested(now) {
		t.Error("tested before its rest is over")
	}
	now = now.Add(5 * time.Second)
	for range 3 {
		if !h.demotion.rested(now) {
			t.Fatal("not tested after its rest")
		}
		h.demotion.probing = 7
		f.record(now, &Candidate{Model: m}, fine, 7)
	}
	if h.demotion.on {
		t.Error("three good probes did not restore it")
	}
}

func TestChanceAloneDoesNotDemote(t *testing.T) {
	f, m, now := newTestFleet()
	for i := range 5000 {
		v := fine
		if i%20 == 0 { // the 5 % that are overdue by definition
			v = slow
		}
		f.record(now.Add(time.Duration(i)*10*time.Millisecond), &Candidate{Model: m}, v, 0)
	}
	if f.of(m).demotion.on {
		t.Error("demoted at the expected share of overdue calls")
	}
}

// Slowness that lasts is the new normal after ten minutes.
func TestRebaseline(t *testing.T) {
	f, m, now := newTestFleet()
	for range 10 {
		now = feed(f, m, now, 100, time.Second, 30*time.Second)
	}
	h := f.of(m)
	h.demote(now, &f.Times)
	began := now
	for now.Sub(began) < 12*time.Minute && h.demotion.on {
		now = feed(f, m, now, 5, 4*time.Second, 5*time.Second)
		if h.demotion.rested(now) {
			h.demotion.probing = 7
			f.record(now, &Candidate{Model: m}, slow, 7)
		}
	}
	if h.demotion.on || now.Sub(began) < 10*time.Minute {
		t.Fatalf("demoted %v after %v", h.demotion.on, now.Sub(began))
	}
	if b := h.base.m95; b < 3500*time.Millisecond {
		t.Errorf("baseline %v, want the 4 s it takes now", b)
	}
}

// A cut call counts as having taken at least as long as it had waited: without it the
// quantile is learned from a truncated distribution.
func TestCancelledCallsAreObserved(t *testing.T) {
	f, m, now := newTestFleet()
	other := &gateway.Model{Provider: "b", Name: "m"}
	w := New(Rules{Hedge: "auto", HedgeAfter: time.Second, MaxHedges: 1, Hedgeable: true, Deadline: now.Add(time.Minute), ContentBy: now.Add(time.Minute)},
		[]Candidate{{Model: m, Expected: 100, Priced: true}, {Model: other, Expected: 100, Priced: true}}, f)
	w.Step(Event{Kind: Begin}, now)
	w.Step(Event{Kind: Left, Attempt: 1}, now)
	w.Step(Event{Kind: Tick}, now.Add(time.Second))
	w.Step(Event{Kind: Left, Attempt: 2}, now.Add(time.Second))
	w.Step(Event{Kind: Content, Attempt: 2}, now.Add(2*time.Second))
	if d, n := f.of(m).live.quantile(now.Add(2*time.Second), 0.5); n != 1 || d < 1900*time.Millisecond {
		t.Errorf("the loser is known as %v of %d", d, n)
	}
}
