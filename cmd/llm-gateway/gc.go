package main

import (
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// The garbage collector of a process with a small heap runs far more often than it need: at
// 100 % a gateway of 5 MB live collects with each 5 MB of garbage, a hundred times a second
// under load. Here it may always let leastSlack gather. Where that comes in less than
// cycleLasts, it may let as much gather as comes in that time, up to mostSlack, but no more
// than mostGC of what it looks at: it is what is live, and the stacks of all connections, that
// make a collection dear, and a heap that is larger than need be is of no use. As much as is
// live it may always gather, as in any Go program. What that leaves behind is given back when
// there is little to do (tidy). The figures are in docs/performance.md.
const (
	leastSlack = 24 << 20
	mostSlack  = 192 << 20
	cycleLasts = 2 * time.Second
	leastGC    = 100     // percent
	mostGC     = 800     // percent
	goLeast    = 4 << 20 // bytes that Go lets gather at 100 %, however little is live
	liveMetric = "/gc/heap/live:bytes"
)

// paceCollector sets the collector's pace now and after each of its cycles, unless GOGC
// says what it shall be. A memory limit holds as ever.
func paceCollector(lookup func(string) (string, bool)) {
	if _, set := lookup("GOGC"); !set {
		pacing.Do(func() { pace(cycle{percent: 100}) })
	}
}

// pacing begins once per process, whose collector it is.
var pacing sync.Once

// cycle is what was known when the collector had run.
type cycle struct {
	at        time.Time // zero before the first
	allocated uint64    // ever, bytes
	live      uint64    // bytes
	percent   int       // GOGC from then on
}

// mark is left for the collector to find. It is large and has pointers: of such a size there
// are few, and they are swept before all others.
type mark [4<<10 + 1]*byte

// pace comes again with the next cycle, which frees the mark that it leaves. That must be at
// once: until then the per cent that were right for 2 MiB live hold for 100. A finalizer runs
// when its object is swept, a cleanup only when everything is, and while all processors are
// busy that takes as long as the heap takes to reach its goal.
func pace(last cycle) {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: liveMetric}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}}
	metrics.Read(sample)
	now := cycle{time.Now(), sample[0].Value.Uint64(), sample[1].Value.Uint64(), last.percent}
	looked := now.live + sample[2].Value.Uint64() + sample[3].Value.Uint64()
	if want := percentFor(now.slack(last), looked); 10*max(want-now.percent, now.percent-want) > now.percent {
		now.percent = want
		debug.SetGCPercent(want) // stops the world: not for a small change
	}
	runtime.SetFinalizer(new(mark), func(*mark) { pace(now) })
}

// slack is how many bytes may gather until the next cycle.
func (c cycle) slack(last cycle) uint64 {
	inTime := 0.0
	if !last.at.IsZero() {
		inTime = float64(c.allocated-last.allocated) * float64(cycleLasts) / float64(max(c.at.Sub(last.at), 1))
	}
	return max(c.live, uint64(min(max(inTime, leastSlack), mostSlack)))
}

// percentFor is the GOGC that lets so much gather. It counts in per cent of what is looked at,
// the live bytes, the stacks and the globals, or of goLeast.
func percentFor(slack, looked uint64) int {
	return int(min(max(math.Ceil(100*float64(slack)/float64(max(looked, goLeast))), leastGC), mostGC))
}
