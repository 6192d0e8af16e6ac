package api

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// empty wants nobody to be left.
func (d *door) empty(t *testing.T) {
	d.mu.Lock()
	defer d.mu.Unlock()
	left := len(d.late.turns)
	for _, q := range d.lines.ring {
		left += len(q.turns)
	}
	if d.waiting() != 0 || left != 0 {
		t.Errorf("%d wait, and %d are there", d.waiting(), left)
	}
}

// visitor is a request at the door.
type visitor struct {
	head string
	gone atomic.Bool
	told chan bool
}

func newVisitor(head string) *visitor { return &visitor{head: head, told: make(chan bool, 1)} }

func (v *visitor) Begun(into []byte) int { return copy(into, v.head) }
func (v *visitor) Gone() bool            { return v.gone.Load() }
func (v *visitor) Called(in bool)        { v.told <- in }

// comes is what enter says, now or later.
func (v *visitor) comes(enter func(Visitor) (in, now bool)) bool {
	in, now := enter(v)
	if now {
		return in
	}
	return <-v.told
}

// of is its enter for requests of a key.
func (d *door) of(key string) func(Visitor) (in, now bool) {
	return func(v Visitor) (in, now bool) { return d.enter(v, func([]byte) string { return key }) }
}

// come has a request of a key enter.
func (d *door) come(key string) bool {
	return newVisitor("").comes(d.of(key))
}

// Who is late hears of it when there is time for that, or when it has been too long.
func TestWhoIsLateHearsOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ready atomic.Int64
		d := newDoor(2 * time.Second)
		d.runnable = func() int { return int(ready.Load()) }
		enter := func() <-chan time.Duration {
			begun, took := time.Now(), make(chan time.Duration, 1)
			go func() {
				if d.come("") {
					took <- -1
				} else {
					took <- time.Since(begun)
				}
			}()
			synctest.Wait()
			return took
		}
		ready.Store(1 << 20)
		time.Sleep(doorEvery)
		never, later := enter(), (<-chan time.Duration)(nil)
		time.Sleep(3 * time.Second)
		later = enter()
		if took := <-never; took < 6*time.Second || took > 6*time.Second+2*doorEvery {
			t.Errorf("without time for it, one hears after %v", took)
		}
		ready.Store(0)
		if took := <-later; took < 3*time.Second || took > 3*time.Second+2*doorEvery {
			t.Errorf("with time for it, one hears after %v", took)
		}
		d.empty(t)
	})
}

// Who looks after the gateway's health is let in at every look, and no more often: a flood of
// such is a flood.
func TestHealthDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(2 * time.Second)
		d.runnable = func() int { return 1 << 20 }
		for range 100 {
			go d.come("flood")
		}
		synctest.Wait()
		for range 5 {
			begun := time.Now()
			if !d.come(healthLine) || time.Since(begun) > doorEvery {
				t.Errorf("it waited %v", time.Since(begun))
			}
		}
		begun := time.Now()
		var calls sync.WaitGroup
		for range 50 {
			calls.Go(func() { d.come(healthLine) })
		}
		calls.Wait()
		if took := time.Since(begun); took < 49*doorEvery {
			t.Errorf("50 at once came in within %v", took)
		}
		d.close()
	})
}

// Whose client has left does not come in, takes nobody's place, and is let go of soon.
func TestWhoHasLeftIsLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ready atomic.Int64
		d := newDoor(2 * time.Second)
		d.runnable = func() int { return int(ready.Load()) }
		ready.Store(1 << 20)
		v := newVisitor("")
		if _, now := d.of("")(v); now {
			t.Fatal("it did not wait")
		}
		begun := time.Now()
		v.gone.Store(true)
		if in := <-v.told; in || time.Since(begun) > doorSweep+doorEvery {
			t.Errorf("in %v after %v", in, time.Since(begun))
		}
		d.empty(t)
	})
}

// slowly is a visitor of whose request so little had come that the rest was waited for.
type slowly struct {
	*visitor
	takes time.Duration
}

func (v slowly) Begun([]byte) int {
	time.Sleep(v.takes)
	return 0
}

// Whose request comes slowly has not waited for a place meanwhile: it is not late, and no line
// has stood.
func TestWhatComesSlowlyIsNotLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ready atomic.Int64
		d := newDoor(2 * time.Second)
		d.runnable = func() int { return int(ready.Load()) }
		ready.Store(1 << 20)
		v := slowly{newVisitor(""), 5 * time.Second}
		if _, now := d.of("")(v); now {
			t.Fatal("it did not wait")
		}
		if waited := time.Since(d.begun); waited > 0 {
			t.Errorf("a line has stood for %v", waited)
		}
		time.Sleep(time.Second)
		ready.Store(0)
		if !<-v.told {
			t.Error("it was sent away after a second")
		}
		d.empty(t)
	})
}

// departs is a visitor of whom it turns out that no request comes.
type departs struct{ *visitor }

func (v departs) Begun([]byte) int {
	v.gone.Store(true)
	return 0
}

// A client that closes the connection of its last request does not stand in the line.
func TestWhoOnlyLeavesDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(2 * time.Second)
		d.runnable = func() int { return 1 << 20 }
		if in, now := d.of("")(departs{newVisitor("")}); in || !now {
			t.Errorf("in %v, now %v", in, now)
		}
		d.empty(t)
		d.close()
	})
}

// A gateway that is about to stop keeps nobody waiting: other ones may have room.
func TestNobodyWaitsForWhoStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ready atomic.Int64
		d := newDoor(2 * time.Second)
		d.runnable = func() int { return int(ready.Load()) }
		ready.Store(1 << 20)
		told := make(chan bool, 100)
		for i := range 100 {
			go func() { told <- d.come([]string{"a", "b", ""}[i%3]) }()
			if i == 50 {
				time.Sleep(3 * time.Second) // who came so far is late
			}
		}
		synctest.Wait()
		begun := time.Now()
		d.close()
		for range 100 {
			if <-told {
				t.Error("one came in")
			}
		}
		if d.come("a") || time.Since(begun) != 0 {
			t.Error("one came in or waited, where there is too much to do")
		}
		ready.Store(0)
		time.Sleep(doorEvery)
		if !d.come("a") {
			t.Error("one did not come in though there is nothing to do")
		}
		d.empty(t)
	})
}

// Through the edge each key has its own line, and how many wait is told.
func TestEachKeyHasItsLineAtTheEdge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := whoseOf(t)
		var ready atomic.Int64
		s.door = newDoor(2 * time.Second)
		s.door.runnable = func() int { return int(ready.Load()) }
		ready.Store(1 << 20)
		first := make(chan string, 200)
		for i := range 101 {
			key := "a"
			if i == 100 {
				key = "b"
			}
			go func() {
				if newVisitor("POST /v1/messages HTTP/1.1\r\nX-Api-Key: secret-of-" + key + "\r\n").comes(s.Enter) {
					first <- key
				}
			}()
			synctest.Wait()
		}
		if waiting := s.Room().Waiting; waiting != 101 {
			t.Errorf("%d wait, want 101", waiting)
		}
		ready.Store(int64(doorReady*runtime.GOMAXPROCS(0) - 2)) // two may come in at each look
		if got := []string{<-first, <-first}; !slices.Contains(got, "b") {
			t.Errorf("%q came in first", got)
		}
		s.Close()
	})
}

func TestNoPatienceIsNoDoor(t *testing.T) {
	d := newDoor(0)
	if in, now := d.enter(nil, nil); d != nil || !in || !now || d.waits() != 0 {
		t.Error("there is a door")
	}
}

// Whoever comes whenever, with whatever the machine has to do: each is told once and in time,
// those of a key in their order, and nothing is left of them.
func TestDoorTellsEverybody(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		synctest.Test(t, func(t *testing.T) {
			var ready atomic.Int64
			d := newDoor(time.Second)
			d.runnable = func() int { return int(ready.Load()) }
			var calls sync.WaitGroup
			var mu sync.Mutex
			type cameIn struct {
				request int
				at      time.Time
			}
			last := map[string]cameIn{}
			most := doorReady * runtime.GOMAXPROCS(0)
			for i := range rapid.IntRange(1, 60).Draw(r, "requests") {
				ready.Store(int64(most - rapid.SampledFrom([]int{-5, 0, 0, 1, 2, 40}).Draw(r, "room")))
				time.Sleep(time.Duration(rapid.SampledFrom([]int{0, 1, 2, 5, 300, 2000}).Draw(r, "ms")) * time.Millisecond)
				key := fmt.Sprint(rapid.IntRange(0, 4).Draw(r, "key"))
				begun := time.Now()
				calls.Go(func() {
					in := d.come(key)
					took := time.Since(begun)
					mu.Lock()
					defer mu.Unlock()
					if in && took > d.patience+doorEvery || took > doorLatest*d.patience+doorSweep+2*doorEvery {
						t.Errorf("in %v after %v", in, took)
					}
					if l := last[key]; in && l.request > i && l.at.Before(time.Now()) {
						t.Errorf("request %d of key %s came in after %d", i, key, l.request)
					}
					if in {
						last[key] = cameIn{i, time.Now()}
					}
				})
				synctest.Wait()
			}
			calls.Wait()
			d.empty(t)
		})
	})
}

// The measure is Go's own: with more goroutines at work than processors, the rest is ready.
func TestReadyWorkIsSeen(t *testing.T) {
	d, most := newDoor(time.Second), doorReady*runtime.GOMAXPROCS(0)
	var busy sync.WaitGroup
	var stop atomic.Bool
	for range 2 * most {
		busy.Go(func() {
			for !stop.Load() {
				runtime.Gosched()
			}
		})
	}
	seen := 0
	for end := time.Now().Add(10 * time.Second); seen <= most && time.Now().Before(end); runtime.Gosched() {
		seen = max(seen, d.runnable())
	}
	stop.Store(true)
	busy.Wait()
	if seen <= most {
		t.Errorf("%d seen to be ready, want more than %d", seen, most)
	}
}

func BenchmarkDoor(b *testing.B) {
	d := newDoor(time.Second)
	d.runnable = func() int { return -1 << 40 } // for any number
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		v := newVisitor("")
		for pb.Next() {
			if in, _ := d.enter(v, nil); !in {
				b.Error("it is shut")
			}
		}
	})
}
