package route

import (
	"testing"
	"time"
)

func TestIdleLimitIsLearned(t *testing.T) {
	times, now := Default(), time.Unix(1_800_000_000, 0)
	repeat := func(d time.Duration, n int) (all []time.Duration) {
		for range n {
			all = append(all, d)
		}
		return all
	}
	for name, c := range map[string]struct {
		short int
		long  []time.Duration
		want  time.Duration
	}{
		"nothing known":          {0, nil, 30 * time.Second},
		"too little known":       {gapsNeeded - 1, nil, 30 * time.Second},
		"never silent":           {10_000, nil, 10 * time.Second},
		"one long one in 10,000": {10_000, repeat(9*time.Second, 1), 10 * time.Second},
		"pauses of five seconds": {10_000, repeat(5*time.Second, 30), 15 * time.Second},
		"pauses of a minute":     {10_000, repeat(time.Minute, 30), 30 * time.Second},
	} {
		g := NewGaps(&times)
		g.Add(now, c.short, c.long)
		if got := g.Limit(now); got < c.want*97/100 || got > c.want*103/100 {
			t.Errorf("%s: %v, want about %v", name, got, c.want)
		}
	}
	g := NewGaps(&times)
	g.Add(now, 10_000, repeat(5*time.Second, 30))
	if got := g.Limit(now.Add(2 * times.LongWindow)); got != times.IdleMost {
		t.Errorf("%v after a long time without traffic", got)
	}
}
