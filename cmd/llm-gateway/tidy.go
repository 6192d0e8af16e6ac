package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// A gateway whose streams wait allocates next to nothing, and so its collector hardly
// ever runs: the garbage of their beginnings would stay, and so would the deep stacks,
// since only a collection halves a stack of which less than a quarter is in use. So it
// tidies up when there is little else to do, and gives the memory back. Now and then it does
// so where nothing was allocated either: a connection that nobody used for 90 s is closed, and
// each of its few small objects was alone in 8 KiB. After 500 streams those came to 3 MiB.
const (
	tidyEvery = 3 * time.Second
	tidyQuiet = 1 << 20          // bytes allocated per second, at most, in a process that has little to do
	tidyShare = 16               // worth while from a sixteenth of what is live
	tidyLeast = 1 << 20          // and from so many bytes
	tidyAgain = 15 * time.Second // after which it is worth while without that
	tidyPart  = 1000             // unless it took more than a thousandth of the time
)

// use is what a process has of memory, and what it has ever allocated.
type use struct{ live, stacks, allocated uint64 }

func readUse() use {
	s := []metrics.Sample{{Name: liveMetric}, {Name: "/memory/classes/heap/stacks:bytes"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return use{s[0].Value.Uint64(), s[1].Value.Uint64(), s[2].Value.Uint64()}
}

// tidy decides when to tidy up. One goroutine uses it.
type tidy struct {
	looked uint64        // allocated when it looked last
	tidied use           // after the last time; zero before the first
	gained bool          // that one halved stacks, so the next one may
	took   time.Duration // the last time
	ago    time.Duration // since then
}

// due says whether it is worth while now, every after the last look.
func (t *tidy) due(u use, every time.Duration) bool {
	quiet := u.allocated-t.looked <= tidyQuiet*uint64(every/time.Second)
	t.looked = u.allocated
	t.ago += every
	return quiet && (t.gained || t.ago >= max(tidyAgain, tidyPart*t.took) ||
		u.allocated-t.tidied.allocated >= max(tidyLeast, (u.live+u.stacks)/tidyShare))
}

// done notes what it gave, and how long it took.
func (t *tidy) done(before, after use, took time.Duration) {
	t.gained = after.stacks+max(tidyLeast, before.stacks/tidyShare) <= before.stacks
	t.tidied, t.looked = after, after.allocated
	t.took, t.ago = took, 0
}

// keepTidy looks until ctx ends.
func keepTidy(ctx context.Context) {
	ticker := time.NewTicker(tidyEvery)
	defer ticker.Stop()
	var t tidy
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if before := readUse(); t.due(before, tidyEvery) {
			begun := time.Now()
			debug.FreeOSMemory()
			t.done(before, readUse(), time.Since(begun))
		}
	}
}
