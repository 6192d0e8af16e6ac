package api

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever comes, no more than a minute's worth passes at once and no more than the rate
// in the long run, and what is refused is told the right time to come back.
func TestRateNeverLetsMoreThrough(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		perMinute := rapid.IntRange(1, 100_000).Draw(rt, "per minute")
		var r rate
		begun := time.Unix(1_800_000_000, 0)
		now, passed := begun, 0
		for range rapid.IntRange(1, 60).Draw(rt, "takes") {
			now = now.Add(time.Duration(rapid.IntRange(0, 10_000).Draw(rt, "ms")) * time.Millisecond)
			n := rapid.IntRange(1, perMinute).Draw(rt, "n")
			got := r.take(now, n, perMinute)
			if got.ok {
				passed += n
			} else if again := r.take(now.Add(got.wait), 0, perMinute); again.left < n-1 { // rounded down
				rt.Fatalf("after %v only %d of %d are there", got.wait, again.left, n)
			} else if r.take(now.Add(got.wait-time.Microsecond*2), n, perMinute).ok {
				rt.Fatalf("was told to wait %v, which is too long", got.wait)
			}
			if most := float64(perMinute) * (1 + now.Sub(begun).Minutes()); float64(passed) > most+1 {
				rt.Fatalf("%d passed, at most %v", passed, most)
			}
			if rapid.Bool().Draw(rt, "give back") && got.ok {
				back := rapid.IntRange(0, n).Draw(rt, "back")
				r.give(back, perMinute)
				passed -= back
			}
			if got.left < 0 || got.left > perMinute || got.reset < 0 {
				rt.Fatalf("%+v", got)
			}
		}
	})
}

func TestRateIsTakenByManyAtOnce(t *testing.T) {
	var r rate
	var wg sync.WaitGroup
	now, passed := time.Now(), make([]int, 8)
	for i := range passed {
		wg.Go(func() {
			for range 1000 {
				if r.take(now, 1, 500).ok {
					passed[i]++
				}
				if rand.IntN(4) == 0 && passed[i] > 0 {
					r.give(1, 500)
					passed[i]--
				}
			}
		})
	}
	wg.Wait()
	total := 0
	for r.take(now, 1, 500).ok { // what was given back at the very end
		total++
	}
	for _, n := range passed {
		total += n
	}
	if total != 500 {
		t.Errorf("%d passed of 500", total)
	}
}
