package breaker

import (
	"testing"
	"testing/synctest"
	"time"

	"gateway"
)

func limited() Outcome {
	return Outcome{Err: &gateway.Error{Kind: gateway.RateLimited, Status: 429, Sent: true}}
}

// A provider that says 429 to the only call there is, and not for how long, is left alone
// for longer each time, until it answers again.
func TestMuteRefusalsBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := open(t, Config{})
		for _, want := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
			admit(t, g).Done(time.Now(), limited())
			if e := refusal(t, g, gateway.RateLimited); e.RetryAfter != want*time.Second {
				t.Errorf("wait %v, want %v", e.RetryAfter, want*time.Second)
			}
			if w := g.Status(time.Now()).Wait; w != want*time.Second {
				t.Errorf("the status says %v, want %v", w, want*time.Second)
			}
			time.Sleep(want * time.Second)
		}
		admit(t, g).Done(time.Now(), Outcome{})
		admit(t, g).Done(time.Now(), limited())
		if e := refusal(t, g, gateway.RateLimited); e.RetryAfter != time.Second {
			t.Errorf("wait %v after an answer, want a second again", e.RetryAfter)
		}
	})
}

// With others in flight it may be their number that is refused: that is learned, and
// nobody is kept away.
func TestMuteRefusalBesideOthersTeachesPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := open(t, Config{})
		one, two := admit(t, g), admit(t, g)
		admit(t, g).Done(time.Now(), limited())
		if s := g.Status(time.Now()); s.State != Closed || s.Limit != 2 {
			t.Errorf("%+v; want closed with two places", s)
		}
		refusal(t, g, gateway.NoCapacity)
		one.Done(time.Now(), Outcome{})
		two.Done(time.Now(), Outcome{})
		admit(t, g)
	})
}

// When all places are taken, the wait follows from how fast they come free and how many
// wait for them.
func TestWaitForPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := open(t, Config{MaxInFlight: 4})
		for range 50 {
			p := admit(t, g)
			time.Sleep(2 * time.Second)
			p.Done(time.Now(), Outcome{})
		}
		if w := g.Status(time.Now()).Wait; w != 0 {
			t.Errorf("wait %v with all places free", w)
		}
		for range 4 {
			admit(t, g)
		}
		g.Waits(9)
		if w := g.Status(time.Now()).Wait; w != 5*time.Second { // the tenth, at two a second
			t.Errorf("wait %v, want 5s", w)
		}
	})
}

func TestWaitForRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := open(t, Config{RPM: 30})
		admit(t, g)
		if w := g.Status(time.Now()).Wait; w != 2*time.Second {
			t.Errorf("wait %v, want 2s", w)
		}
	})
}

func refusedKey(status int) Outcome {
	return Outcome{Err: &gateway.Error{Kind: gateway.ProviderAuth, Status: status, Sent: true}}
}

// After the pause one call at a time looks whether the key has been mended; one that
// says nothing frees its place for the next.
func TestRefusedKeyIsLookedAtByOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := open(t, Config{})
		admit(t, g).Done(time.Now(), refusedKey(401))
		if e := refusal(t, g, gateway.ProviderAuth); e.RetryAfter != authPause {
			t.Errorf("wait %v", e.RetryAfter)
		}
		time.Sleep(authPause)
		for range 3 {
			p := admit(t, g)
			if !p.Probe {
				t.Error("the call that looks is no probe")
			}
			refusal(t, g, gateway.ProviderAuth)
			if s := g.Status(time.Now()); s.State != Misconfigured || s.Wait <= 0 {
				t.Errorf("%+v while one looks", s)
			}
			p.Done(time.Now(), Outcome{Err: canceled()})
		}
		admit(t, g).Done(time.Now(), refusedKey(401))
		refusal(t, g, gateway.ProviderAuth)
		time.Sleep(authPause)
		admit(t, g).Done(time.Now(), Outcome{})
		admit(t, g)
		admit(t, g)
		if s := g.Status(time.Now()); s.State != Closed {
			t.Errorf("%+v; want closed", s)
		}
	})
}

// A key that may not use one model may use the others.
func TestForbiddenModelConcernsItselfOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := NewSite(Config{Rand: middle})
		one, two := New(site, Config{Rand: middle}), New(site, Config{Rand: middle})
		for range denialsShut {
			admit(t, one).Done(time.Now(), refusedKey(403))
		}
		refusal(t, one, gateway.ProviderAuth)
		if s := one.Status(time.Now()); s.State != Misconfigured {
			t.Errorf("%+v", s)
		}
		admit(t, two).Done(time.Now(), Outcome{})
		refusal(t, one, gateway.ProviderAuth)
		time.Sleep(authPause)
		admit(t, one).Done(time.Now(), refusedKey(403))
		refusal(t, one, gateway.ProviderAuth)
		time.Sleep(authPause)
		admit(t, one).Done(time.Now(), Outcome{})
		admit(t, one)
	})
}

// A 403 may be of one request's content: a model that answers others is not closed by it.
func TestForbiddenRequestClosesNoModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := open(t, Config{})
		for range 10 * denialsShut {
			admit(t, g).Done(time.Now(), refusedKey(403))
			admit(t, g).Done(time.Now(), refusedKey(403))
			admit(t, g).Done(time.Now(), Outcome{})
		}
		if s := g.Status(time.Now()); s.State != Closed {
			t.Errorf("%+v", s)
		}
	})
}
