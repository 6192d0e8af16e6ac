package main

import (
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// The garbage collector of a process with a small heap runs far more often than it need:
// at 100 % a gateway of 5 MB live collects with each 5 MB of garbage, a hundred times a
// second under load. Here it may always let heapSlack gather. With thousands of connections,
// whose stacks are looked at in each cycle, it may let three bytes more gather for each that
// is live beyond that, up to crowdSlack, and as much as is live where that is more, as Go
// itself does. What that leaves behind is given back when there is little to do (tidy).
const (
	heapSlack  = 24 << 20
	crowdSlack = 192 << 20
	leastGC    = 100  // percent
	mostGC     = 1000 // percent
	liveMetric = "/gc/heap/live:bytes"
)

// paceCollector sets the collector's pace now and after each of its cycles, unless GOGC
// says what it shall be. A memory limit holds as ever.
func paceCollector(lookup func(string) (string, bool)) {
	if _, set := lookup("GOGC"); !set {
		pacing.Do(func() { pace(100) })
	}
}

// pacing begins once per process, whose collector it is.
var pacing sync.Once

// pace comes again with the next cycle, which frees the mark that it leaves.
func pace(now int) {
	sample := []metrics.Sample{{Name: liveMetric}}
	metrics.Read(sample)
	if want := percentFor(sample[0].Value.Uint64()); 10*max(want-now, now-want) > now {
		now = want
		debug.SetGCPercent(want) // stops the world: not for a small change
	}
	runtime.AddCleanup(new([64]byte), pace, now)
}

// percentFor is the GOGC that lets so much gather over so many live bytes.
func percentFor(live uint64) int {
	if live == 0 {
		return mostGC
	}
	slack := uint64(heapSlack)
	if live > heapSlack {
		slack = min(slack+3*(live-heapSlack), crowdSlack)
	}
	return int(min(max(math.Ceil(100*float64(slack)/float64(live)), leastGC), mostGC))
}
