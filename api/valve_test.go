package api

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// machine is a processor that serves so many requests per second; what it has not
// served yet waits in line.
type machine struct {
	perSecond float64
	backlog   float64
	served    float64 // of the next request
}

// crowd sends requests of keys at their rates through a valve into the machine for a
// while, and gives what was admitted of each key and the longest line, in time, after
// the first second. Which requests come when is the seed's, and nothing else's.
func (m *machine) crowd(v *valve, begin time.Time, length time.Duration, rates map[string]float64, seed uint64) (admitted map[string]float64, longest time.Duration) {
	const tick = time.Millisecond
	random := rand.New(rand.NewPCG(seed, 2))
	keys := slices.Sorted(maps.Keys(rates))
	admitted = map[string]float64{}
	looked, worst := begin, time.Duration(0)
	for now := begin; now.Before(begin.Add(length)); now = now.Add(tick) {
		if since := now.Sub(looked); since >= lookEvery {
			v.look(now, since, worst)
			looked, worst = now, 0
		}
		for _, key := range keys {
			if random.Float64() < rates[key]*tick.Seconds() && v.admit(key, now) {
				m.backlog++
				if now.Sub(begin) > time.Second {
					admitted[key]++
				}
			}
		}
		served := min(m.backlog, m.perSecond*tick.Seconds())
		m.backlog -= served
		for m.served += served; m.served >= 1; m.served-- {
			v.done++
		}
		wait := time.Duration(m.backlog / m.perSecond * float64(time.Second))
		worst = max(worst, wait)
		if now.Sub(begin) > time.Second {
			longest = max(longest, wait)
		}
	}
	for key := range admitted {
		admitted[key] /= (length - time.Second).Seconds()
	}
	return admitted, longest
}

func TestThreeTimesTheRateKeepsThroughputAndShortLines(t *testing.T) {
	v, m := newValve(20*time.Millisecond), &machine{perSecond: 500}
	admitted, longest := m.crowd(v, time.Unix(0, 0), 20*time.Second, map[string]float64{"": 900, "b": 600}, 1)
	if all := admitted[""] + admitted["b"]; all < 400 {
		t.Errorf("%.0f of 500 requests per second got through", all)
	}
	// Half a second passes before it closes, in which two of three requests are too many.
	if longest > 1100*time.Millisecond {
		t.Errorf("requests waited up to %v", longest)
	}
}

func TestFloodingKeyIsRefusedAlone(t *testing.T) {
	const crowds = 20 // one crowd is luck: the flooding key gets from 317 to 334
	var quiet, flood float64
	for seed := range uint64(crowds) {
		v, m := newValve(20*time.Millisecond), &machine{perSecond: 500}
		admitted, _ := m.crowd(v, time.Unix(0, 0), 20*time.Second, map[string]float64{"flood": 900, "quiet": 60}, seed)
		quiet, flood = quiet+admitted["quiet"]/crowds, flood+admitted["flood"]/crowds
	}
	if quiet < 58 {
		t.Errorf("the quiet key got %.1f of its 60 per second", quiet)
	}
	if flood < 320 {
		t.Errorf("the flooding key got %.1f of the 440 that are left", flood)
	}
	t.Logf("the quiet key got %.1f, the flooding one %.1f per second", quiet, flood)
}

func TestNothingIsRefusedBelowTheEdge(t *testing.T) {
	v, m := newValve(20*time.Millisecond), &machine{perSecond: 500}
	admitted, _ := m.crowd(v, time.Unix(0, 0), 20*time.Second, map[string]float64{"": 350}, 1)
	if v.rate != 0 || admitted[""] < 340 {
		t.Errorf("%.0f of 350 got through, rate %v", admitted[""], v.rate)
	}
}

func TestValveOpensAgain(t *testing.T) {
	v, m := newValve(20*time.Millisecond), &machine{perSecond: 500}
	begin := time.Unix(0, 0)
	m.crowd(v, begin, 5*time.Second, map[string]float64{"": 1500}, 1)
	if v.rate == 0 {
		t.Fatal("1500 per second did not close it")
	}
	begin = begin.Add(5 * time.Second)
	admitted, _ := m.crowd(v, begin, 15*time.Second, map[string]float64{"": 200}, 1)
	if v.rate != 0 || admitted[""] < 195 {
		t.Errorf("%.0f of 200 got through, rate %v", admitted[""], v.rate)
	}
}

func TestQuietEndsAnOverload(t *testing.T) {
	v, m := newValve(20*time.Millisecond), &machine{perSecond: 500}
	begin := time.Unix(0, 0)
	m.crowd(v, begin, 5*time.Second, map[string]float64{"": 1500}, 1)
	if v.rate == 0 {
		t.Fatal("1500 per second did not close it")
	}
	begin = begin.Add(7 * time.Second)
	v.look(begin, 2*time.Second, time.Second) // the wait is mostly of the overload
	for range 100 {
		if !v.admit("", begin) {
			t.Fatal("the burst after two quiet seconds is refused")
		}
	}
}

// One long wait is a collection of garbage, not an overload.
func TestOneHiccupClosesNothing(t *testing.T) {
	v, now := newValve(20*time.Millisecond), time.Unix(0, 0)
	for i := range 50 {
		wait := time.Millisecond
		if i%5 == 0 {
			wait = 300 * time.Millisecond
		}
		now = now.Add(lookEvery)
		v.look(now, lookEvery, wait)
	}
	if v.rate != 0 {
		t.Errorf("rate = %v", v.rate)
	}
}

// Whatever is taken and in whichever order: never over the limit, nothing is left.
func TestBudgetHoldsAndComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBudget(rapid.Int64Range(1, 1<<20).Draw(t, "limit"))
		var holds []*hold
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			switch {
			case len(holds) > 0 && rapid.Bool().Draw(t, "release"):
				holds[rapid.IntRange(0, len(holds)-1).Draw(t, "which")].release()
			default:
				h := &hold{budget: b}
				h.grow(rapid.Int64Range(0, 1<<19).Draw(t, "n"))
				h.grow(rapid.Int64Range(0, 1<<19).Draw(t, "more"))
				holds = append(holds, h)
			}
			var sum int64
			for _, h := range holds {
				sum += h.held
			}
			if used := b.used.Load(); used != sum || used > b.limit {
				t.Fatalf("used %d, held %d, limit %d", used, sum, b.limit)
			}
		}
		for _, h := range holds {
			h.release()
		}
		if used := b.used.Load(); used != 0 {
			t.Fatalf("%d are left", used)
		}
	})
}

func TestLargeRequestsLeaveRoomForSmallOnes(t *testing.T) {
	b := newBudget(80 << 20)
	large := 0
	for (&hold{budget: b}).grow(1 << 20) {
		large++
	}
	if large != 70 {
		t.Errorf("%d large requests got in, want seven eighths of 80", large)
	}
	if !(&hold{budget: b}).grow(requestWeight) {
		t.Error("there is no room for a small one")
	}
}
