package api

import (
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
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
