package actors

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// All work is done, beside each other where it has to be, by few goroutines one after the
// other, and none stays behind.
func TestWorkersDoAllAndStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w workers
		var done atomic.Int32
		var together sync.WaitGroup
		const n = 3 * idleMost
		together.Add(n)
		for range n {
			w.do(func() {
				together.Done()
				together.Wait() // all of them at once, or never
				done.Add(1)
			})
		}
		synctest.Wait()
		if done.Load() != n || len(w.idle) != idleMost {
			t.Fatalf("%d of %d done, %d rest; want %d", done.Load(), n, len(w.idle), idleMost)
		}
		for range 1000 {
			w.do(func() { done.Add(1) })
			synctest.Wait()
		}
		if done.Load() != n+1000 || len(w.idle) != idleMost {
			t.Errorf("%d done, %d rest", done.Load(), len(w.idle))
		}
		w.end() // else the bubble finds goroutines that never end
		w.do(func() { done.Add(1) })
		synctest.Wait()
		if done.Load() != n+1001 {
			t.Error("what comes at the end is not done")
		}
	})
}

// Those that a rush needed do not rest for ever after it; those that work keeps coming for
// stay, however long it goes on.
func TestWorkersEndWhenNotNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w workers
		defer w.end()
		resting := func() int {
			w.mu.Lock()
			defer w.mu.Unlock()
			return len(w.idle)
		}
		rush := func(n int) {
			var together sync.WaitGroup
			together.Add(n)
			for range n {
				w.do(func() { together.Done(); together.Wait() })
			}
			synctest.Wait()
		}
		rush(50)
		time.Sleep(time.Second / 2) // looks come between the seconds
		for range 10 * int(restTime/time.Second) {
			time.Sleep(time.Second)
			rush(3)
		}
		if n := resting(); n != 3 {
			t.Errorf("%d rest while three are needed every second", n)
		}
		rush(50)
		time.Sleep(restTime - time.Second) // one look, since which nobody rests for long enough
		if n := resting(); n != 50 {
			t.Errorf("%d rest after less than the time for it, of 50", n)
		}
		time.Sleep(restTime + time.Second) // and one more
		if n := resting(); n != 0 {
			t.Errorf("%d rest that nobody needed", n)
		}
		rush(2)
		time.Sleep(2*restTime + time.Second)
		if n := resting(); n != 0 {
			t.Errorf("%d rest after the second time", n)
		}
	})
}

func TestWorkersUnderManyHands(t *testing.T) {
	var w workers
	defer w.end()
	var all sync.WaitGroup
	var done atomic.Int32
	for range 16 {
		all.Go(func() {
			for range 2000 {
				all.Add(1)
				w.do(func() { done.Add(1); all.Done() })
			}
		})
	}
	all.Wait()
	if done.Load() != 32_000 {
		t.Errorf("%d done", done.Load())
	}
}
