package breaker

import (
	"testing"
	"testing/synctest"
	"time"

	"gateway"
)

func middle() float64 { return 0.5 }

func open(t *testing.T, cfg Config) *Gate {
	t.Helper()
	cfg.Rand = middle
	return New(NewSite(Config{Rand: middle}), cfg)
}

func admit(t *testing.T, g *Gate) *Permit {
	t.Helper()
	p, err := g.Admit(time.Now(), 100)
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	return p
}

func refusal(t *testing.T, g *Gate, kind gateway.Kind) *gateway.Error {
	t.Helper()
	p, err := g.Admit(time.Now(), 100)
	if err == nil || err.Kind != kind {
		t.Fatalf("Admit = %v, %v; want refusal %v", p, err, kind)
	}
	return err
}

func broken() error   { return &gateway.Error{Kind: gateway.Unavailable, Status: 500, Sent: true} }
func canceled() error { return &gateway.Error{Kind: gateway.Canceled} }

func trip(t *testing.T, g *Gate) {
	t.Helper()
	for range windowNeeds {
		admit(t, g).Done(time.Now(), Outcome{Err: broken()})
	}
}

func TestOpensProbesAndCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := open(t, Config{})
		trip(t, g)
		if e := refusal(t, g, gateway.CircuitOpen); e.RetryAfter != openFor {
			t.Errorf("wait %v, want %v", e.RetryAfter, openFor)
		}
		time.Sleep(openFor)
		for i := range probesClose {
			p := admit(t, g)
			if !p.Probe {
				t.Fatalf("attempt %d is no probe", i)
			}
			refusal(t, g, gateway.CircuitOpen) // one at a time
			p.Done(time.Now(), Outcome{})
		}
		if s := g.Status(time.Now()); s.State != Closed {
			t.Errorf("state %s after good probes, want closed", s.State)
		}
	})
}

func TestOpenPeriodGrowsAndIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := open(t, Config{})
		trip(t, g)
		rest := openFor
		for range 4 {
			time.Sleep(rest)
			admit(t, g).Done(time.Now(), Outcome{Err: broken()})
			rest = min(2*rest, openAtMost)
			if e := refusal(t, g, gateway.CircuitOpen); e.RetryAfter != rest {
				t.Fatalf("wait %v, want %v", e.RetryAfter, rest)
			}
		}
		time.Sleep(rest)
		for range probesClose {
			admit(t, g).Done(time.Now(), Outcome{})
		}
		trip(t, g)
		if e := refusal(t, g, gateway.CircuitOpen); e.RetryAfter != openFor {
			t.Errorf("wait %v after recovery, want %v again", e.RetryAfter, openFor)
		}
	})
}

// Cancelled losers, 429s and the client's own faults count neither way, and free the
// probe slot.
func TestNeutralOutcomes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := open(t, Config{})
		for _, kind := range []gateway.Kind{gateway.Canceled, gateway.RateLimited, gateway.Invalid, gateway.ContextLength, gateway.ContentFiltered, gateway.Unsupported} {
			for range 3 * windowSize {
				admit(t, g).Done(time.Now(), Outcome{Err: &gateway.Error{Kind: kind, Status: 400}})
				time.Sleep(g.cooling.Sub(time.Now())) // what follows a 429 is no verdict on the provider either
			}
			if s := g.Status(time.Now()); s.State != Closed || s.InFlight != 0 {
				t.Fatalf("after %v: %+v, want closed and empty", kind, s)
			}
		}
		trip(t, g)
		time.Sleep(openFor)
		for range 10 {
			admit(t, g).Done(time.Now(), Outcome{Err: canceled()}) // each frees the slot for the next probe
		}
		if s := g.Status(time.Now()); s.State != HalfOpen {
			t.Errorf("state %s, want half_open still", s.State)
		}
	})
}

func TestDoneTwiceCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := open(t, Config{MaxInFlight: 2})
		p := admit(t, g)
		p.Done(time.Now(), Outcome{})
		p.Done(time.Now(), Outcome{})
		if s := g.Status(time.Now()); s.InFlight != 0 {
			t.Errorf("in flight %d, want 0", s.InFlight)
		}
	})
}

func TestRetryAfterCoolsForEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := open(t, Config{})
		others := []*Permit{admit(t, g), admit(t, g)}
		admit(t, g).Done(time.Now(), Outcome{Err: &gateway.Error{Kind: gateway.RateLimited, Status: 429, RetryAfter: 2 * time.Second}})
		if e := refusal(t, g, gateway.RateLimited); e.RetryAfter != 2*time.Second {
			t.Errorf("wait %v, want 2s", e.RetryAfter)
		}
		for _, p := range others {
			p.Done(time.Now(), Outcome{})
		}
		time.Sleep(2*time.Second - time.Nanosecond)
		refusal(t, g, gateway.RateLimited)
		time.Sleep(time.Nanosecond)
		admit(t, g)
	})
}

func TestRefusedKeyConcernsAllModels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := NewSite(Config{Rand: middle})
		one, two := New(site, Config{Rand: middle}), New(site, Config{Rand: middle})
		admit(t, one).Done(time.Now(), Outcome{Err: &gateway.Error{Kind: gateway.ProviderAuth, Status: 401}})
		refusal(t, two, gateway.ProviderAuth)
		if s := two.Status(time.Now()); s.State != Misconfigured {
			t.Errorf("state %s, want misconfigured", s.State)
		}
		time.Sleep(authPause)
		admit(t, two).Done(time.Now(), Outcome{})
		admit(t, one)
	})
}

func TestRefusedConnectionsConcernAllModels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := NewSite(Config{Rand: middle})
		one, two := New(site, Config{Rand: middle}), New(site, Config{Rand: middle})
		for range windowNeeds {
			admit(t, one).Done(time.Now(), Outcome{Err: &gateway.Error{Kind: gateway.Unavailable}})
		}
		refusal(t, two, gateway.CircuitOpen)
	})
}

// The breaker is asked first: an open one spends no rate token.
func TestOpenBreakerSpendsNoToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := open(t, Config{TPM: 100 * windowNeeds})
		for range windowNeeds {
			admit(t, g).Done(time.Now(), Outcome{Err: broken(), Tokens: 1})
		}
		level := g.tokens.level
		refusal(t, g, gateway.CircuitOpen)
		if g.tokens.level != level {
			t.Errorf("tokens went from %v to %v", level, g.tokens.level)
		}
	})
}

func TestTokensAreTakenBeforeAndCorrectedAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := open(t, Config{TPM: 300})
		one, two, three := admit(t, g), admit(t, g), admit(t, g) // 100 each
		if e := refusal(t, g, gateway.NoCapacity); e.RetryAfter != 20*time.Second {
			t.Errorf("wait %v, want 20s for 100 of 300 a minute", e.RetryAfter)
		}
		one.Done(time.Now(), Outcome{Tokens: 0})
		admit(t, g)
		two.Done(time.Now(), Outcome{Tokens: 300}) // used more: a debt
		three.Done(time.Now(), Outcome{Tokens: 100})
		if e := refusal(t, g, gateway.NoCapacity); e.RetryAfter != time.Minute {
			t.Errorf("wait %v, want 1m to pay 200 and have 100", e.RetryAfter)
		}
	})
}

func TestPlacesAndRequestsPerMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := open(t, Config{MaxInFlight: 1, RPM: 60})
		p := admit(t, g)
		refusal(t, g, gateway.NoCapacity)
		p.Done(time.Now(), Outcome{})
		if e := refusal(t, g, gateway.NoCapacity); e.RetryAfter != time.Second {
			t.Errorf("wait %v, want 1s at 60 a minute", e.RetryAfter)
		}
		time.Sleep(time.Second)
		admit(t, g)
	})
}

func TestHeadersOnlyLower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := open(t, Config{TPM: 1000})
		rate := &gateway.RateInfo{Requests: gateway.RateWindow{Limit: -1, Remaining: -1}, Tokens: gateway.RateWindow{Limit: 5000, Remaining: 150}}
		answered(admit(t, g), rate)
		admit(t, g)
		refusal(t, g, gateway.NoCapacity)
	})
}

// A provider with a hidden limit on calls at once answers 429 beyond it and tells
// nothing: the limit is found within a round trip of the burst, and probed rarely.
func TestLearnsAHiddenLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const hidden = 32
		g := open(t, Config{})
		var serving []*Permit
		refused, served := 0, 0
		for round := range 400 {
			var turnedAway []*Permit
			for range 500 {
				p, err := g.Admit(time.Now(), 1)
				if err != nil {
					break
				}
				if len(serving) < hidden {
					serving = append(serving, p)
				} else {
					turnedAway = append(turnedAway, p)
				}
			}
			for _, p := range turnedAway { // refusals come back at once
				refused++
				p.Done(time.Now(), Outcome{Err: &gateway.Error{Kind: gateway.RateLimited, Status: 429}})
			}
			if round == 0 {
				refused = 0 // the burst itself
			}
			time.Sleep(100 * time.Millisecond)
			for _, p := range serving {
				served++
				p.Done(time.Now(), Outcome{TTFT: 100 * time.Millisecond})
			}
			serving = nil
		}
		if share := float64(refused) / float64(refused+served); share > 0.01 {
			t.Errorf("%.1f %% refused after the burst, want under 1 %%", 100*share)
		}
		if ideal := 400 * hidden; served*10 < ideal*9 {
			t.Errorf("%d served, want at least 90 %% of %d", served, ideal)
		}
	})
}

func TestTwoOpenModelsShutTheProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := NewSite(Config{Rand: middle})
		one, two, three := New(site, Config{Rand: middle}), New(site, Config{Rand: middle}), New(site, Config{Rand: middle})
		trip(t, one)
		admit(t, three).Done(time.Now(), Outcome{})
		time.Sleep(10 * time.Second)
		trip(t, two)
		refusal(t, three, gateway.CircuitOpen)
	})
}

func TestAdaptivePlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := open(t, Config{Adaptive: true, MaxInFlight: 64})
		// A server with 8 places: the time to first content grows with the queue.
		for range 300 {
			var batch []*Permit
			for {
				p, err := g.Admit(time.Now(), 1)
				if err != nil {
					break
				}
				batch = append(batch, p)
			}
			for _, p := range batch {
				ttft := 100 * time.Millisecond * time.Duration(max(1, (len(batch)+7)/8))
				if len(batch) > 16 {
					ttft *= 2
				}
				p.Done(time.Now(), Outcome{TTFT: ttft})
			}
		}
		if n := g.Status(time.Now()).Limit; n < 6 || n > 24 {
			t.Errorf("limit %d, want near the 8 to 16 that do not queue", n)
		}
	})
}

// On a compressed clock every built-in duration is compressed alike.
func TestPaceCompressesTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := Config{Pace: 0.1, Rand: middle}
		g := New(NewSite(cfg), cfg)
		trip(t, g)
		if e := refusal(t, g, gateway.CircuitOpen); e.RetryAfter != openFor/10 {
			t.Errorf("wait %v, want %v", e.RetryAfter, openFor/10)
		}
		time.Sleep(openFor / 10)
		for range probesClose {
			admit(t, g).Done(time.Now(), Outcome{})
		}
		for range windowNeeds - 1 {
			admit(t, g).Done(time.Now(), Outcome{Err: broken()})
		}
		time.Sleep(windowAge/10 + time.Millisecond)
		admit(t, g).Done(time.Now(), Outcome{Err: broken()})
		admit(t, g)
	})
}

// BenchmarkAdmit is one attempt's way through a gate: let in, and its end reported.
func BenchmarkAdmit(b *testing.B) {
	for name, cfg := range map[string]Config{
		"no limits":   {},
		"every limit": {RPM: 1 << 30, TPM: 1 << 40, MaxInFlight: 100, Adaptive: true},
	} {
		b.Run(name, func(b *testing.B) {
			cfg.Rand = middle
			g := New(NewSite(Config{Rand: middle}), cfg)
			b.ReportAllocs()
			for b.Loop() {
				p, err := g.Admit(time.Now(), 100)
				if err != nil {
					b.Fatal(err)
				}
				p.Done(time.Now(), Outcome{TTFT: time.Millisecond, Tokens: 100})
			}
		})
	}
}
