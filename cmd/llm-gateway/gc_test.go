package main

import (
	"testing"
	"time"
)

func TestCollectorsPace(t *testing.T) {
	begun := time.Now()
	for _, c := range []struct {
		name           string
		live, gathered uint64
		took           time.Duration
		want           uint64
	}{
		{"at rest", 5 << 20, 24 << 20, time.Minute, leastSlack},
		{"at work", 5 << 20, 24 << 20, 500 * time.Millisecond, 96 << 20},
		{"hard at work", 5 << 20, 24 << 20, 50 * time.Millisecond, mostSlack},
		{"the next cycle then", 5 << 20, 192 << 20, 400 * time.Millisecond, mostSlack},
		{"large bodies", 400 << 20, 192 << 20, time.Second, 400 << 20},
		{"nothing at once", 0, 0, 0, leastSlack},
	} {
		last := cycle{at: begun, allocated: 7}
		if got := (cycle{at: begun.Add(c.took), allocated: 7 + c.gathered, live: c.live}).slack(last); got != c.want {
			t.Errorf("%s: %d bytes may gather, want %d", c.name, got, c.want)
		}
	}
	if got := (cycle{at: begun, allocated: 1 << 30, live: 1 << 20}).slack(cycle{}); got != leastSlack {
		t.Errorf("before the first cycle %d bytes may gather", got)
	}
	for _, c := range []struct {
		slack, looked uint64
		want          int
	}{{24 << 20, 6 << 20, 400}, {24 << 20, 24 << 20, 100}, {24 << 20, 48 << 20, leastGC}, {24 << 20, 1 << 20, 600}, {24 << 20, 0, 600}} {
		if got := percentFor(c.slack, c.looked); got != c.want {
			t.Errorf("%d over %d: GOGC %d, want %d", c.slack, c.looked, got, c.want)
		}
	}
}
