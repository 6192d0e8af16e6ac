package ledger

import (
	"math"
	"testing"
	"time"

	"gateway"
)

// answersOf are lengths of 8 to 40 tokens, alike often, at 10 ms a token after the first
// 100 ms.
func answersOf() (t Typical) {
	for n := 8; n <= 40; n++ {
		t.add(n, 100*time.Millisecond, took(n))
	}
	t.mean()
	return t
}

func took(tokens int) time.Duration { return time.Duration(10+tokens) * 10 * time.Millisecond }

// A kill meets answers at every age, and the longer they take the more often. What is
// booked of all of them together is what they come to: all of each, or what there was of it.
func TestEstimatesOfAKillAreRightInTheMean(t *testing.T) {
	for name, c := range map[string]struct {
		bills  gateway.BillingHabit
		billed func(tokens int, age time.Duration) int
	}{
		"goes on": {gateway.BillsInFull, func(tokens int, _ time.Duration) int { return tokens }},
		"stops": {gateway.BillsSeen, func(_ int, age time.Duration) int {
			return max(0, int((age-100*time.Millisecond)/(10*time.Millisecond)))
		}},
	} {
		known, begun, booked, billed := answersOf(), time.Now(), 0, 0
		for n := 8; n <= 40; n++ {
			for age := time.Millisecond; age < took(n); age += time.Millisecond {
				o := gateway.Outset{Entry: gateway.Entry{Op: "chat", Begun: begun}, Bills: c.bills}
				b := cutOff(&o, known, begun.Add(age))
				booked += b.Entry.Usage.Output
				billed += c.billed(n, age)
			}
		}
		if off := 100 * (float64(booked)/float64(billed) - 1); math.Abs(off) > 2 {
			t.Errorf("a provider that %s: %+.2f %%", name, off)
		}
	}
}
