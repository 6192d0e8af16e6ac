package breaker

import (
	"testing"
	"testing/synctest"
	"time"

	"gateway"
)

func brokenOff(t *testing.T, g *Gate) {
	t.Helper()
	for range windowNeeds {
		admit(t, g).Done(time.Now(), Outcome{Err: broken(), TTFT: time.Second})
	}
}

// A probe whose answer goes on for minutes keeps nobody from a provider that is well.
func TestAProbeProvesByItsFirstContent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := open(t, Config{})
		trip(t, g)
		time.Sleep(openFor)
		var out []*Permit
		for range probesClose {
			p := admit(t, g)
			refusal(t, g, gateway.CircuitOpen) // one at a time, until it has shown something
			p.Content(time.Now())
			out = append(out, p)
		}
		if s := g.Status(time.Now()); s.State != Closed || s.InFlight != probesClose {
			t.Fatalf("%+v, want closed with three answers under way", s)
		}
		for _, p := range out {
			p.Done(time.Now(), Outcome{TTFT: time.Second})
		}
		if g.circuit.window.n != 0 {
			t.Errorf("%d outcomes, want none: each probe had counted", g.circuit.window.n)
		}
	})
}

// Where answers broke off, only whole ones prove anything.
func TestContentProvesNothingWhereAnswersBreakOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := open(t, Config{})
		brokenOff(t, g)
		time.Sleep(openFor)
		var out []*Permit
		for range probesClose {
			p := admit(t, g)
			refusal(t, g, gateway.CircuitOpen) // one at a time until content, three until an end
			p.Content(time.Now())
			out = append(out, p)
		}
		refusal(t, g, gateway.CircuitOpen)
		for i, p := range out {
			p.Done(time.Now(), Outcome{Err: broken(), TTFT: time.Second})
			if e := refusal(t, g, gateway.CircuitOpen); e.RetryAfter != 2*openFor {
				t.Errorf("wait %v after %d of them, want %v", e.RetryAfter, i+1, 2*openFor)
			}
		}
		time.Sleep(2 * openFor)
		for range probesClose {
			admit(t, g).Done(time.Now(), Outcome{TTFT: time.Second})
		}
		if s := g.Status(time.Now()); s.State != Closed {
			t.Errorf("%s after whole answers, want closed", s.State)
		}
	})
}

// A probe that breaks off after its content opens the circuit again, and counts as a
// failure once it has closed.
func TestAProbeThatBreaksOffAfterAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := open(t, Config{})
		trip(t, g)
		time.Sleep(openFor)
		p := admit(t, g)
		p.Content(time.Now())
		p.Done(time.Now(), Outcome{Err: broken(), TTFT: time.Second})
		if e := refusal(t, g, gateway.CircuitOpen); e.RetryAfter != 2*openFor {
			t.Errorf("wait %v, want %v", e.RetryAfter, 2*openFor)
		}
		time.Sleep(2 * openFor)
		var out []*Permit
		for range probesClose {
			p := admit(t, g)
			p.Content(time.Now()) // answers break off here: content proves nothing any more
			out = append(out, p)
		}
		for _, p := range out {
			if s := g.Status(time.Now()); s.State != HalfOpen {
				t.Errorf("%s before all three are whole, want half_open", s.State)
			}
			p.Done(time.Now(), Outcome{TTFT: time.Second})
		}

		trip(t, g) // for another reason
		time.Sleep(openFor)
		out = nil
		for range probesClose {
			p := admit(t, g)
			p.Content(time.Now())
			out = append(out, p)
		}
		for _, p := range out {
			p.Done(time.Now(), Outcome{Err: broken(), TTFT: time.Second})
		}
		for range windowNeeds - probesClose {
			if s := g.Status(time.Now()); s.State != Closed {
				t.Fatalf("%s after too few failures", s.State)
			}
			admit(t, g).Done(time.Now(), Outcome{Err: broken()})
		}
		refusal(t, g, gateway.CircuitOpen)
	})
}

// A probe that says nothing keeps others from the provider for a while, not for as long
// as its request may wait.
func TestASilentProbeLetsOthersTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := open(t, Config{})
		trip(t, g)
		time.Sleep(openFor)
		var silent []*Permit
		for range 5 {
			silent = append(silent, admit(t, g))
			time.Sleep(probeFor - time.Second)
			if e := refusal(t, g, gateway.CircuitOpen); e.RetryAfter != time.Second {
				t.Errorf("wait %v, want what is left of the probe's time", e.RetryAfter)
			}
			time.Sleep(time.Second)
		}
		for range probesClose - 1 {
			admit(t, g).Done(time.Now(), Outcome{})
		}
		refused := &gateway.Error{Kind: gateway.Timeout, Sent: true}
		silent[0].Done(time.Now(), Outcome{Err: refused})
		if e := refusal(t, g, gateway.CircuitOpen); e.RetryAfter != 2*openFor {
			t.Errorf("wait %v after the first has failed in the end, want %v", e.RetryAfter, 2*openFor)
		}
		time.Sleep(2 * openFor)
		silent[1].Done(time.Now(), Outcome{Err: canceled()})
		for _, p := range silent[2:] { // slow, and well
			p.Content(time.Now())
		}
		if s := g.Status(time.Now()); s.State != Closed {
			t.Errorf("%s after three answered late, want closed", s.State)
		}
		for _, p := range silent[2:] {
			p.Done(time.Now(), Outcome{})
		}
		if s := g.Status(time.Now()); s.State != Closed || s.InFlight != 0 || g.circuit.window.n != 0 {
			t.Errorf("%+v and %d outcomes, want nobody and none", s, g.circuit.window.n)
		}
	})
}

// A probe that breaks off after its content opens the circuit also when as many others
// have left as close it.
func TestAProbeThatBreaksOffBesideTheLastOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := open(t, Config{})
		trip(t, g)
		time.Sleep(openFor)
		var out []*Permit
		for range probesClose - 1 {
			p := admit(t, g)
			p.Content(time.Now())
			out = append(out, p)
		}
		last := admit(t, g)
		out[0].Done(time.Now(), Outcome{Err: broken(), TTFT: time.Second})
		if e := refusal(t, g, gateway.CircuitOpen); e.RetryAfter != 2*openFor {
			t.Errorf("wait %v, want %v", e.RetryAfter, 2*openFor)
		}
		last.Content(time.Now())
		last.Done(time.Now(), Outcome{TTFT: time.Second})
		if e := refusal(t, g, gateway.CircuitOpen); e.RetryAfter != 2*openFor {
			t.Errorf("wait %v after the last one was whole, want %v", e.RetryAfter, 2*openFor)
		}
		time.Sleep(2 * openFor)
		for range probesClose {
			admit(t, g).Done(time.Now(), Outcome{TTFT: time.Second})
		}
		if s := g.Status(time.Now()); s.State != Closed {
			t.Errorf("%s after whole answers, want closed", s.State)
		}
	})
}

// While as many probes are out as close the circuit, nobody is told to come back at once.
func TestWhoComesBesideThreeProbesIsToldToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := open(t, Config{})
		brokenOff(t, g)
		time.Sleep(openFor)
		for range probesClose {
			admit(t, g).Content(time.Now())
		}
		if e := refusal(t, g, gateway.CircuitOpen); e.RetryAfter != openFor {
			t.Errorf("wait %v, want %v", e.RetryAfter, openFor)
		}
	})
}

// A probe that never gave content and fails after the circuit has closed is no answer that
// broke off.
func TestASilentProbeDidNotBreakOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := open(t, Config{})
		trip(t, g)
		time.Sleep(openFor)
		silent := admit(t, g)
		time.Sleep(probeFor)
		for range probesClose {
			admit(t, g).Done(time.Now(), Outcome{TTFT: time.Second})
		}
		silent.Done(time.Now(), Outcome{Err: &gateway.Error{Kind: gateway.Timeout, Sent: true}})
		if w := &g.circuit.window; w.n != 1 || !w.failed[0] || w.midway[0] {
			t.Errorf("%d outcomes, failed %v, in the middle of an answer %v; want one that failed before any", w.n, w.failed[0], w.midway[0])
		}
	})
}
