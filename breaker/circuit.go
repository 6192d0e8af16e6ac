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
	probing bool
	tripped bool // the window asks gobreaker to open with the outcome now being reported
	closed  bool // as gobreaker last told
}

// pass is what a call that was let through holds of a circuit until it ends. The zero
// value holds nothing.
type pass struct {
	settle func(error) // gobreaker's
	probe  bool
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
	if state == HalfOpen && c.probing {
		return pass{}, c.pace.of(openFor)
	}
	settle, err := c.cb.Allow()
	if err != nil {
		return pass{}, max(c.shut.Sub(now), time.Millisecond)
	}
	probe := state == HalfOpen
	c.probing = c.probing || probe
	return pass{settle, probe}, 0
}

func (c *circuit) settle(now time.Time, p pass, v verdict) {
	if p.settle == nil {
		return
	}
	if p.probe {
		c.probing = false
	}
	before := c.shows()
	switch v {
	case neutral:
		p.settle(errNeutral)
		return
	case good:
		c.window.add(now, false)
		p.settle(nil)
	case bad:
		c.window.add(now, true)
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
	if err != nil {
		return
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
