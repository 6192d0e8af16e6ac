package route

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"gateway"
)

var (
	schedules = flag.Int("schedules", 10_000, "random schedules to run; 1000000 takes minutes")
	oneSeed   = flag.Int("seed", -1, "the only schedule to run, with its script printed")
)

// TestSchedules runs seeded random schedules of walks that overlap over a shared fleet:
// random candidates, outcomes, timings, refusals, incidents, departures and panics. After
// every step the invariants are checked; a failing seed prints its trace. What the
// schedules must have reached is counted, so that they cannot come to test nothing.
func TestSchedules(t *testing.T) {
	if *oneSeed >= 0 {
		w, err := schedule(uint64(*oneSeed))
		if t.Logf("seed %d:\n%s", *oneSeed, w.trace.String()); err != nil {
			t.Fatal(err)
		}
		return
	}
	var seen reached
	for seed := range *schedules {
		w, err := schedule(uint64(seed))
		if err == nil && seed%100 == 0 {
			again, _ := schedule(uint64(seed))
			if again.trace.String() != w.trace.String() {
				err = fmt.Errorf("the same seed gave another trace:\n%s", again.trace.String())
			}
		}
		if err != nil {
			t.Fatalf("seed %d: %v\nreplay it with: go test ./route -run TestSchedules -v -seed %d\n%s", seed, err, seed, w.trace.String())
		}
		for what, n := range w.seen {
			seen[what] += n
		}
	}
	for what, n := range seen {
		if least := *schedules / 100; n < least {
			t.Errorf("%s: %d in %d schedules, want %d or they test nothing of it", places[what], n, *schedules, least)
		}
	}
	t.Logf("%v: %v", places, seen)
}

// reached counts the parts of the router that schedules came through.
type reached [9]int

const (
	sawLate     = iota // a call passed its time and counts against its model
	sawMoved           // and went to another candidate
	sawTest            // a call tests a demoted model
	sawSick            // a model was demoted
	sawRace            // paid from the buckets
	sawDebt            // of them, by overdrawing the money
	sawRefund          // a race that did not leave gave back what it paid
	sawPatience        // a repeat met a gate that still cools, and waited on
	sawBoth            // a plain call stays out beside a stream that has begun
)

var places = [len(reached{})]string{"late calls", "moved calls", "tests of a demoted model", "demotions", "races", "races on credit", "refunds", "waits for a gate that still cools", "plain calls beside a stream"}

// world plays providers, gates and clock against one fleet.
type world struct {
	r      *rand.Rand
	now    time.Time
	fleet  *Fleet
	gates  map[*gateway.Model]GateView
	cands  []Candidate // as a request of size 1 sees them
	pace   []time.Duration
	sick   int       // the model that is slow from a time on
	from   time.Time // of that
	breaks int       // calls in ten that fail before their content
	fuse   int       // questions to a gate until one panics; 0: none does
	runs   []*run    // in flight, oldest first
	begun  int       // requests that have begun
	races  int       // paid from the bucket of hedges, less those given back
	tests  map[Way]test
	trace  strings.Builder
	seen   reached
}

// gate answers for the gate of a model, or panics when its time has come.
func (w *world) gate(m *gateway.Model) GateView {
	if w.fuse > 0 {
		if w.fuse--; w.fuse == 0 {
			panic(onPurpose)
		}
	}
	return w.gates[m]
}

const onPurpose = "on purpose"

func schedule(seed uint64) (*world, error) {
	w := &world{r: rand.New(rand.NewPCG(seed, 1)), now: time.Unix(1_800_000_000, 0), gates: map[*gateway.Model]GateView{}, tests: map[Way]test{}}
	w.fleet = NewFleet(Default(), w.gate)
	for i := range 1 + w.r.IntN(5) {
		price := gateway.Microcents(100 * (1 + w.r.IntN(8)) * (1 + i))
		m := &gateway.Model{Provider: string(rune('a' + i)), Name: "m", Context: 1000 * (1 + w.r.IntN(100)), Bills: gateway.BillingHabit(w.r.IntN(3))}
		w.cands = append(w.cands, Candidate{Model: m, Prompt: price / 2, Expected: price, Priced: w.r.IntN(10) > 0})
		w.gates[m] = GateView{Closed: true}
	}
	Order(w.cands)
	requests, gap := 1+w.r.IntN(25), time.Duration(50+w.r.IntN(2500))*time.Millisecond
	w.breaks = 3
	if w.r.IntN(8) == 0 { // a crowd
		requests, gap, w.breaks = 40+w.r.IntN(60), time.Duration(10+w.r.IntN(90))*time.Millisecond, w.r.IntN(2)
	}
	w.learn()
	w.sick, w.from = w.r.IntN(2*len(w.cands)), w.now.Add(time.Duration(w.r.IntN(requests+1))*gap)
	return w, w.play(requests, gap)
}

// learn gives every model a pace, and the fleet in most worlds a past in which it learned
// that pace, so that calls can be late.
func (w *world) learn() {
	known := w.r.IntN(4) > 0
	for i := range w.cands {
		pace := time.Duration(100+w.r.IntN(1900)) * time.Millisecond
		w.pace = append(w.pace, pace)
		if !known {
			continue
		}
		for _, way := range [...]Way{{}, {plain: true}, {plain: true, long: true}} {
			way.model = w.cands[i].Model
			h := w.fleet.learned(way)
			for j := range enough {
				h.observe(w.now, 0, pace/2+pace*time.Duration(j)/time.Duration(enough), true)
			}
			h.base.m50, h.base.m95 = pace, pace*2
			if w.r.IntN(10) == 0 {
				h.demote(w.now, &w.fleet.Times)
			}
		}
	}
}

// takes is how long a call to a candidate takes from its leaving to its first content.
func (w *world) takes(cand int) time.Duration {
	d := time.Duration(float64(w.pace[cand]) * (0.6 + 0.4*w.r.ExpFloat64()))
	if cand == w.sick && !w.now.Before(w.from) {
		d *= 8
	}
	return d
}

// play lets requests arrive and the earliest thing happen until all have ended.
func (w *world) play(requests int, gap time.Duration) error {
	arrival := w.now
	for steps := 0; requests > 0 || len(w.runs) > 0; steps++ {
		if steps > 20_000 {
			return fmt.Errorf("no end")
		}
		first, at, ev := w.earliest()
		var err error
		if requests > 0 && (first == nil || !at.Before(arrival)) {
			requests--
			w.pass(arrival)
			arrival = arrival.Add(time.Duration(w.r.ExpFloat64() * float64(gap)))
			err = w.arrive()
		} else {
			w.pass(at)
			err = first.happens(ev)
		}
		if err == nil {
			err = w.settled()
		}
		if err != nil {
			return err
		}
	}
	if flying, again, tests := w.fleet.bookkeeping(); flying != 0 || again != 0 || tests != 0 {
		return fmt.Errorf("%d flying, %d retries and %d tests are left over", flying, again, tests)
	}
	return nil
}

func (w *world) pass(until time.Time) {
	if until.After(w.now) {
		w.now = until
	}
}

func (w *world) earliest() (first *run, at time.Time, ev Event) {
	for _, r := range w.runs {
		if t, e := r.next(); first == nil || t.Before(at) {
			first, at, ev = r, t, e
		}
	}
	return first, at, ev
}

// settled takes the requests that have ended out of the world, and sees that nothing is
// left of them.
func (w *world) settled() error {
	kept := w.runs[:0]
	for _, r := range w.runs {
		if !r.walk.Done() {
			kept = append(kept, r)
			continue
		}
		if err := r.afterEnd(); err != nil {
			return err
		}
	}
	w.runs = kept
	t := &w.fleet.Times
	if limit := t.HedgeBurst + t.HedgeShare*float64(w.begun); float64(w.races) > limit {
		return fmt.Errorf("%d hedges from the bucket in %d requests, at most %v", w.races, w.begun, limit)
	}
	return w.consistent()
}

// consistent holds the fleet's counts against all walks that are out.
func (w *world) consistent() error {
	again, tests := 0, 0
	for _, r := range w.runs {
		a, t, err := r.counts()
		if err != nil {
			return err
		}
		again, tests = again+a, tests+t
	}
	if f, a, t := w.fleet.bookkeeping(); f != len(w.runs) || a != again || t > tests {
		return fmt.Errorf("the fleet counts %d, %d, %d for %d in flight with %d retries and %d tests", f, a, t, len(w.runs), again, tests)
	}
	return nil
}

// moveSick does what the router does with models that were just demoted.
func (w *world) moveSick() {
	for _, sick := range w.fleet.TakeSick() {
		w.seen[sawSick]++
		fmt.Fprintf(&w.trace, "  %s is demoted\n", sick.model.Provider)
		for i, r := range w.runs {
			r.walk.MoveAt(sick, w.now.Add(time.Duration(i%16)*w.fleet.Times.MoveSpread/16))
		}
	}
}

// hold is a time in which the router did not get to run, and which it forgives the providers.
func (w *world) hold() {
	held := time.Duration(w.r.IntN(2000)) * time.Millisecond
	w.now = w.now.Add(held)
	for _, r := range w.runs {
		r.walk.Delay(held, w.now)
	}
}
