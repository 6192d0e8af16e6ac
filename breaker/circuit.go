package breaker

import (
	"errors"
	"time"

	"github.com/sony/gobreaker/v2"

	"gateway"
)

// How long an open circuit stays shut: 5 s, doubling to 40 s, ±20 % so that many
// gateways do not probe in step; and how many probes in a row close it.
// Source: routing reference section 4.
const (
	openFor     = 5 * time.Second
	openAtMost  = 40 * time.Second
	probesClose = 3
)

// probeFor is how long a probe keeps others from a provider without having shown anything.
// The call goes on, and what it comes to counts then: it may be a model that thinks for
// minutes, and may as well be one that will never answer a request that has nowhere else
// to go. Longer than most take to their first content.
const probeFor = 10 * time.Second

// circuit is gobreaker's two-step form with what it lacks beside it: a window of the
// last outcomes, one probe at a time, and an open period that grows.
// It is not safe for concurrent use; Gate's lock covers it.
type circuit struct {
	cb      *gobreaker.TwoStepCircuitBreaker[struct{}]
	window  window
	rand    func() float64
	pace    pace
	period  time.Duration // of the current run of openings; 0 when closed
	shut    time.Time     // no probe before
	probing *probe        // nil: the next call is one
	latest  func(error)   // gobreaker's for the probe that left last
	midway  bool          // it opened for answers that broke off: content proves nothing
	tripped bool          // the window asks gobreaker to open with the outcome now being reported
	closed  bool          // as gobreaker last told
}

// pass is what a call that was let through holds of a circuit until it ends. The zero
// value holds nothing.
type pass struct {
	settle func(error) // gobreaker's
	probe  *probe      // nil: it tests nothing
}

// probe is a call that tests a half-open circuit.
type probe struct {
	since  time.Time
	settle func(error) // gobreaker's
	told   bool        // gobreaker has been told of it before its end
	good   bool        // that it is well, by its first content
}

// errFailure and errNeutral are what gobreaker is told; the cause stays with us.
var (
	errFailure = errors.New("failure")
	errNeutral = errors.New("neutral")
)

func newCircuit(rand func() float64, p pace) *circuit {
	c := &circuit{rand: rand, pace: p, window: window{age: p.of(windowAge)}, closed: true}
	c.cb = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests: probesClose,
		// gobreaker's own timer must never be later than ours.
		Timeout:       p.of(openFor * 7 / 10),
		OnStateChange: func(_ string, _, to gobreaker.State) { c.closed = to == gobreaker.StateClosed },
		ReadyToTrip:   func(gobreaker.Counts) bool { return c.tripped },
		IsExcluded:    func(err error) bool { return errors.Is(err, errNeutral) },
	})
	return c
}

// shows is gobreaker's state. A closed one stays closed until it hears of a failure, and
// to ask it costs a look at the clock.
func (c *circuit) shows() gobreaker.State {
	if c.closed {
		return gobreaker.StateClosed
	}
	return c.cb.State()
}

// state is closed, open or half_open.
func (c *circuit) state(now time.Time) string {
	switch c.shows() {
	case gobreaker.StateClosed:
		return Closed
	case gobreaker.StateHalfOpen:
		if now.Before(c.shut) {
			return Open
		}
		return HalfOpen
	default:
		return Open
	}
}

// admit lets a call through, which settle must then hear of exactly once, or says how
// long it will not.
func (c *circuit) admit(now time.Time) (p pass, wait time.Duration) {
	state := c.state(now)
	if state == Open {
		return pass{}, max(c.shut.Sub(now), time.Millisecond)
	}
	if state == HalfOpen && c.probing != nil {
		if left := c.probing.since.Add(c.pace.of(probeFor)).Sub(now); left > 0 {
			return pass{}, min(left, c.pace.of(openFor))
		}
		c.lapse()
	}
	settle, err := c.cb.Allow()
	if err != nil { // as many probes are out as close it
		return pass{}, max(c.shut.Sub(now), c.pace.of(openFor))
	}
	p = pass{settle: settle}
	if state == HalfOpen {
		p.probe = &probe{since: now, settle: settle}
		c.probing, c.latest = p.probe, settle
	}
	return p, 0
}

// lapse lets another call probe beside one that has shown nothing for too long.
func (c *circuit) lapse() {
	c.probing.told = true
	c.probing.settle(errNeutral)
	c.probing = nil
}

// content notes that a call has given its first content: the next probe may leave, however
// long this answer becomes. It has then shown what was missing, unless that was an end.
func (c *circuit) content(now time.Time, p pass) {
	if p.probe == nil || p.probe.good {
		return
	}
	if c.midway {
		if c.probing == p.probe {
			c.probing = nil // gobreaker lets no more of them be out than close it
		}
		return
	}
	if p.probe.told {
		c.late(now, good, true)
	} else {
		c.settle(now, p, good, true)
	}
	p.probe.told, p.probe.good = true, true
}

// late notes how a probe went of which gobreaker has been told something else, and whether
// it had given content by then.
func (c *circuit) late(now time.Time, v verdict, content bool) {
	switch state := c.state(now); {
	case state == Closed:
		c.window.add(now, v == bad, v == bad && content)
		if c.window.sick(now) {
			c.trip(now)
		}
	case state == HalfOpen && v == bad:
		c.trip(now)
	case state == HalfOpen:
		if settle, err := c.cb.Allow(); err == nil {
			c.settle(now, pass{settle: settle}, good, true)
		}
	}
}

// settle notes how a call ended, and whether it had given content by then.
func (c *circuit) settle(now time.Time, p pass, v verdict, content bool) {
	if p.probe != nil && p.probe.told {
		if v == bad || v == good && !p.probe.good {
			c.late(now, v, content)
		}
		c.midway = c.midway || v == bad && content
		return
	}
	if p.settle == nil {
		return
	}
	if p.probe != nil && p.probe == c.probing {
		c.probing = nil
	}
	before := c.shows()
	switch v {
	case neutral:
		p.settle(errNeutral)
		return
	case good:
		c.window.add(now, false, false)
		p.settle(nil)
	case bad:
		c.window.add(now, true, content)
		c.tripped = c.window.sick(now)
		p.settle(errFailure)
		c.tripped = false
	}
	after := c.shows()
	switch {
	case after == gobreaker.StateOpen && before != gobreaker.StateOpen:
		c.opened(now)
	case after == gobreaker.StateClosed && before != gobreaker.StateClosed:
		c.period = 0
		c.window.clear()
	}
}

// trip opens the circuit for a reason of its own.
func (c *circuit) trip(now time.Time) {
	settle, err := c.cb.Allow()
	if err != nil { // as many probes have left as close it: the last of them tells it
		settle = c.latest
	}
	c.tripped = true
	settle(errFailure)
	c.tripped = false
	c.opened(now)
}

func (c *circuit) opened(now time.Time) {
	c.period = min(max(2*c.period, c.pace.of(openFor)), c.pace.of(openAtMost))
	jitter := 0.8 + 0.4*c.rand()
	c.shut = now.Add(time.Duration(float64(c.period) * jitter))
	c.midway = c.window.breaksOff()
	c.window.clear()
}

// verdict is what an outcome says about the provider.
type verdict uint8

const (
	neutral verdict = iota // says nothing: cancelled, 429, the client's own fault
	good
	bad
)

// judge turns an outcome into a verdict. Only what the provider did badly counts; a
// cancelled loser, a 429, the client's own 4xx and an answer that only the client's check
// refuses count neither way.
func judge(err error) verdict {
	if err == nil {
		return good
	}
	if gateway.Blames(err) {
		return bad
	}
	return neutral
}
