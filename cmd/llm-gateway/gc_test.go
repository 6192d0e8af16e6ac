package main

import "testing"

func TestCollectorsPace(t *testing.T) {
	for live, want := range map[uint64]int{
		0: mostGC, 1 << 20: mostGC, 6 << 20: 400, 12 << 20: 200, heapSlack: 100, 48 << 20: 200, 64 << 20: 225, 96 << 20: 200, crowdSlack: leastGC, 4 << 30: leastGC,
	} {
		if got := percentFor(live); got != want {
			t.Errorf("%d bytes live: GOGC %d, want %d", live, got, want)
		}
	}
}
