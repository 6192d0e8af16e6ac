package api

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// machine serves so many requests per second; what it has not served yet is ready work.
type machine struct {
	mu        sync.Mutex
	perSecond float64
	ready     float64
	served    time.Time // up to then
	last      time.Time // when the last request was whole
}

func (m *machine) catchUp() {
	m.ready = max(0, m.ready-m.perSecond*time.Since(m.served).Seconds())
	m.served = time.Now()
}

func (m *machine) take() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.catchUp()
	m.ready++
}

func (m *machine) runnable() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.catchUp()
	return int(m.ready)
}

// doorTo is a door to a machine.
func doorTo(m *machine, patience time.Duration) *door {
	m.served = time.Now()
	d := newDoor(patience)
	d.runnable = m.runnable
	return d
}

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

// crossed is what became of one key's requests.
type crossed struct {
	mu      sync.Mutex
	in, out int
	served  int           // also of those that do not count
	waited  time.Duration // at most, of those who came in
	heardIn time.Duration // at most, of those who did not
}

// note counts one.
func (c *crossed) note(counts, in bool, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if in {
		c.served++
	}
	switch {
	case !counts:
	case in:
		c.in++
		c.waited = max(c.waited, took)
	default:
		c.out++
		c.heardIn = max(c.heardIn, took)
	}
}

func (c *crossed) cross(d *door, m *machine, key string) {
	begun := time.Now()
	in := d.come(key)
	took := time.Since(begun)
	if in {
		m.take()
		d.out()
	}
	c.note(true, in, took)
}

// flood sends requests of keys at their rates for a while, and waits for all of them.
func flood(d *door, m *machine, length time.Duration, rates map[string]float64) map[string]*crossed {
	all := map[string]*crossed{}
	var senders sync.WaitGroup
	for key, rate := range rates {
		c := &crossed{}
		all[key] = c
		senders.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(len(key))))
			var calls sync.WaitGroup
			for end := time.Now().Add(length); time.Now().Before(end); {
				time.Sleep(time.Duration(random.ExpFloat64() / rate * float64(time.Second)))
				calls.Go(func() { c.cross(d, m, key) })
			}
			calls.Wait()
		})
	}
	senders.Wait()
	return all
}

// At three times the rate all that the machine can do is done, whoever comes in has waited no
// longer than the patience, and the others hear of it.
func TestThreeTimesTheRateIsServedInFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{perSecond: 500}
		d := doorTo(m, 2*time.Second)
		const length = 20 * time.Second
		all := flood(d, m, length, map[string]float64{"": 900, "b": 600})
		in := all[""].in + all["b"].in
		if least := int(500 * length.Seconds()); in < least {
			t.Errorf("%d came in, the machine could do %d", in, least)
		}
		for key, c := range all {
			if c.waited > 2*time.Second+2*doorEvery {
				t.Errorf("%q: waited %v and came in", key, c.waited)
			}
			if c.out == 0 || c.heardIn > doorLatest*2*time.Second+doorSweep+2*doorEvery {
				t.Errorf("%q: %d were turned away, one after %v", key, c.out, c.heardIn)
			}
		}
		d.empty(t)
	})
}

// The requests of a key that asks for less than its share wait for a turn, and no more.
func TestFloodingKeyWaitsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{perSecond: 500}
		d := doorTo(m, 2*time.Second)
		all := flood(d, m, 10*time.Second, map[string]float64{"flood": 1500, "quiet": 60, "other": 100})
		for _, key := range []string{"quiet", "other"} {
			if c := all[key]; c.out != 0 || c.waited > 100*time.Millisecond {
				t.Errorf("%s: %d turned away, waited up to %v", key, c.out, c.waited)
			}
		}
		if least := 10 * (500 - 60 - 100) * 9 / 10; all["flood"].in < least {
			t.Errorf("%d of the flood came in, there was room for %d", all["flood"].in, least)
		}
	})
}

// A crowd that the machine can serve within the patience is served, however large.
func TestCrowdWaitsAndIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{perSecond: 500}
		d := doorTo(m, 2*time.Second)
		c := &crossed{}
		var calls sync.WaitGroup
		for range 900 {
			calls.Go(func() { c.cross(d, m, "k") })
		}
		calls.Wait()
		if c.out != 0 || c.waited < time.Second || c.waited > 1900*time.Millisecond {
			t.Errorf("%d turned away, waited up to %v", c.out, c.waited)
		}
	})
}

// A machine that keeps up lets nobody wait, and it is not looked at more often than every
// so often.
func TestNobodyWaitsBelowTheEdge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{perSecond: 2500}
		d := doorTo(m, 2*time.Second)
		looks := 0
		d.runnable = func() int { looks++; return m.runnable() }
		begun := time.Now()
		all := flood(d, m, 20*time.Second, map[string]float64{"": 2000})
		if c := all[""]; c.out != 0 || c.waited != 0 {
			t.Errorf("%d turned away, waited up to %v", c.out, c.waited)
		}
		if most := int(time.Since(begun) / doorEvery); looks > most {
			t.Errorf("%d looks, want at most %d", looks, most)
		}
	})
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

// slowly serves requests of which half a unit of work is done before the provider is asked
// and one and a half after it has answered.
func (m *machine) slowly(d *door, provider time.Duration) {
	for _, part := range []struct {
		work float64
		then time.Duration
	}{{0.5, provider}, {1.5, 0}} {
		m.mu.Lock()
		m.catchUp()
		m.ready += part.work
		wait := m.ready / m.perSecond
		m.mu.Unlock()
		time.Sleep(time.Duration(wait*float64(time.Second)) + part.then)
	}
	d.out()
	m.mu.Lock()
	m.last = time.Now()
	m.mu.Unlock()
}

// A burst on a machine that has time comes in as fast as its work is done, also where no
// provider answers for long.
func TestABurstIsNotHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{perSecond: 20_000}
		d := doorTo(m, 1800*time.Millisecond)
		c := &crossed{}
		var calls sync.WaitGroup
		for range 500 {
			calls.Go(func() {
				came := time.Now()
				in := d.come("k")
				c.note(true, in, time.Since(came))
				if in {
					m.slowly(d, 2*time.Second)
				}
			})
		}
		calls.Wait()
		if c.out != 0 || c.waited > 50*time.Millisecond {
			t.Errorf("%d turned away, waited up to %v", c.out, c.waited)
		}
	})
}

// Most of a request's work comes when its provider has answered. Who is let in by the work
// that has come must not be so many that what they bring later drowns everybody.
func TestWorkThatComesLaterIsReckonedWith(t *testing.T) {
	for _, provider := range []time.Duration{50 * time.Millisecond, time.Second, 3 * time.Second} {
		t.Run(provider.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const rate = 1000 // requests that are served per second
				m := &machine{perSecond: 2 * rate}
				d := doorTo(m, 1800*time.Millisecond)
				flood, quiet := &crossed{}, &crossed{}
				learned := 5*provider + 10*time.Second // how many it may let in
				length := learned + 10*time.Second
				random := rand.New(rand.NewPCG(1, 1))
				begun := time.Now()
				var calls sync.WaitGroup
				for i := 0; time.Since(begun) < length; i++ {
					time.Sleep(time.Duration(random.ExpFloat64() / (3 * rate) * float64(time.Second)))
					key, c := "flood", flood
					if i%100 == 0 {
						key, c = "quiet", quiet
					}
					counts := time.Since(begun) > learned
					calls.Go(func() {
						came := time.Now()
						in := d.come(key)
						if in && key == "quiet" {
							c.note(counts, in, time.Since(came))
						}
						if in {
							m.slowly(d, provider)
						}
						if key == "flood" || !in {
							c.note(counts, in, time.Since(came)-provider)
						}
					})
				}
				calls.Wait()
				if quiet.out != 0 || quiet.waited > 50*time.Millisecond {
					t.Errorf("%d of the quiet key's turned away, it waited up to %v", quiet.out, quiet.waited)
				}
				if flood.waited > 8*time.Second {
					t.Errorf("one took %v longer than its provider", flood.waited)
				}
				if got := float64(flood.served+quiet.served) / (m.last.Sub(begun) - provider).Seconds(); got < 0.9*rate {
					t.Errorf("%.0f of %d were served per second", got, rate)
				}
			})
		})
	}
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
