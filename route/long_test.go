package route

import (
	"testing"
	"time"

	"gateway"
)

func longWalk(now time.Time, rules Rules) (*Walk, *Fleet) {
	f := NewFleet(Default(), func(*gateway.Model) GateView { return GateView{Closed: true} })
	cands := twoModels()
	cands[0].Plain, cands[0].Long, cands[0].Usual = true, 3*time.Minute, 10*time.Second
	rules.Whole, rules.MaxHedges, rules.ContentIn = true, 1, 2*time.Minute
	rules.Deadline, rules.ContentBy = now.Add(10*time.Minute), now.Add(10*time.Minute)
	w := New(rules, cands, f)
	w.Step(Event{Kind: Begin}, now)
	w.Step(Event{Kind: Left, Attempt: 1}, now)
	return w, f
}

func kinds(acts []Action) (all []ActionKind) {
	for _, a := range acts {
		all = append(all, a.Kind)
	}
	return all
}

// A call for a whole answer that may be long is cut when no answer of its length takes so
// long. What is asked after it as a stream has the usual time to its first content, and not
// all that was kept for the other.
func TestLongAnswersAreGivenTheirTime(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	w, _ := longWalk(now, Rules{Hedge: "off"})
	if early := w.Step(Event{Kind: Tick}, now.Add(3*time.Minute-time.Second)); len(early) > 0 {
		t.Fatalf("cut before its time: %+v", early)
	}
	now = now.Add(3 * time.Minute)
	if late := w.Step(Event{Kind: Tick}, now); len(late) != 2 || late[0].Kind != Cancel || late[1].Kind != Start {
		t.Fatalf("after its time: %+v, want the next candidate", late)
	}
	w.Step(Event{Kind: Left, Attempt: 2}, now)
	if at := w.Wake(); !at.Equal(now.Add(2 * time.Minute)) {
		t.Errorf("the streamed one is given up %v after it left, want 2m", at.Sub(now))
	}
}

// The last candidate has twice the time, but not all that there is: nobody waits ten
// minutes for who does not answer, unless an answer may take so long.
func TestTheLastLongCallHasTwiceTheTime(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	for name, c := range map[string]struct {
		long, limit time.Duration
	}{"short answers": {50 * time.Second, 2 * time.Minute}, "longer ones": {3 * time.Minute, 6 * time.Minute}, "the longest": {10 * time.Minute, 10 * time.Minute}} {
		w, _ := longWalk(now, Rules{Hedge: "off", NoFallback: true})
		w.cands[0].Long = c.long
		if got := w.limit(0, now); got != c.limit {
			t.Errorf("%s: %v, want %v", name, got, c.limit)
		}
	}
}

// Between a plain call and a stream the whole answer decides: the stream that has begun
// does not end the call that may be nearly whole, nor the other way round. Neither makes
// the walk start anything more.
func TestAWholeAnswerDecidesARace(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	begin := func() *Walk {
		w, _ := longWalk(now, Rules{Hedge: "auto", Hedgeable: true, HedgeAfter: 30 * time.Second})
		if race := w.Step(Event{Kind: Tick}, now.Add(30*time.Second)); len(race) != 1 || race[0].Role != gateway.Hedge {
			t.Fatalf("no race: %+v", race)
		}
		w.Step(Event{Kind: Left, Attempt: 2}, now.Add(30*time.Second))
		if acts := w.Step(Event{Kind: Content, Attempt: 2}, now.Add(31*time.Second)); len(acts) > 0 {
			t.Fatalf("the first content of the stream: %+v", acts)
		}
		return w
	}
	later := now.Add(40 * time.Second)
	for name, c := range map[string]struct {
		ev   Event
		want []ActionKind
	}{
		"the call is whole":   {Event{Kind: Whole, Attempt: 1}, []ActionKind{Cancel, Commit}},
		"the stream is whole": {Event{Kind: Whole, Attempt: 2}, []ActionKind{Cancel, Commit}},
		"the call fails":      {Event{Kind: Failed, Attempt: 1, Err: gateway.Errorf(gateway.Unavailable, "x")}, nil},
		"the call is refused": {Event{Kind: Failed, Attempt: 1, Err: gateway.Errorf(gateway.Invalid, "x")}, nil},
	} {
		w := begin()
		got := kinds(w.Step(c.ev, later))
		if len(got) != len(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: %v, want %v", name, got, c.want)
			}
		}
		if len(c.want) > 0 != w.Done() {
			t.Errorf("%s: done is %v", name, w.Done())
		}
	}
	w := begin()
	if acts := kinds(w.Step(Event{Kind: Tick}, now.Add(3*time.Minute))); len(acts) != 1 || acts[0] != Cancel {
		t.Errorf("the call's time is over: %v, want it cut and nothing started", acts)
	}
	w = begin()
	acts := w.Step(Event{Kind: Failed, Attempt: 2, Err: gateway.Errorf(gateway.Unavailable, "cut")}, later)
	if len(acts) != 0 || w.Done() {
		t.Errorf("the stream breaks while the call is out: %+v", acts)
	}
	if got := kinds(w.Step(Event{Kind: Whole, Attempt: 1}, later)); len(got) != 1 || got[0] != Commit {
		t.Errorf("the call saves the request: %v", got)
	}
}

// A long answer counts as late by what whole answers of its model take, however long.
func TestLongCallsAreLateByTheirOwnTimes(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	_, f := longWalk(now, Rules{Hedge: "off"})
	cands := twoModels()
	c := &Candidate{Model: cands[0].Model, Plain: true, Long: 5 * time.Minute, Usual: 30 * time.Second}
	if d := f.hedgeDelay(now, c, 100); d != time.Minute {
		t.Errorf("without history raced after %v, want twice the usual", d)
	}
	for range 100 {
		f.observe(now, &Candidate{Model: c.Model, Plain: true}, 100, time.Second)
		f.observe(now, c, 100, 40*time.Second)
	}
	if d := f.hedgeDelay(now, c, 100); d < 39*time.Second || d > 42*time.Second {
		t.Errorf("raced after %v; its answers take 40s", d)
	}
	if short := f.hedgeDelay(now, &Candidate{Model: c.Model, Plain: true}, 100); short > 2*time.Second {
		t.Errorf("a short answer is raced after %v; those take 1s", short)
	}
}
