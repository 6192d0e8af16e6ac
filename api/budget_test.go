package api

import (
	"testing"

	"pgregory.net/rapid"
)

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
