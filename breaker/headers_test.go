package breaker

import (
	"testing"
	"testing/synctest"
	"time"

	"gateway"
)

func said(requests, tokens gateway.RateWindow) *gateway.RateInfo {
	return &gateway.RateInfo{Requests: requests, Tokens: tokens}
}

// answered lets the attempt's answer begin with what its head says, and end.
func answered(p *Permit, info *gateway.RateInfo) {
	p.Heard(time.Now(), info)
	p.Done(time.Now(), Outcome{Tokens: 100})
}

// admitted counts how many calls of 100 tokens leave at once.
func admitted(g *Gate, most int) int {
	for n := range most {
		if _, err := g.Admit(time.Now(), 100); err != nil {
			return n
		}
	}
	return most
}

// Headers lower what is configured. They raise it only where they are trusted.
func TestHeadersAgainstConfiguredLimits(t *testing.T) {
	minute := func(limit, remaining int) gateway.RateWindow {
		return gateway.RateWindow{Limit: limit, Remaining: remaining, Reset: time.Second}
	}
	none := gateway.RateWindow{}
	for name, c := range map[string]struct {
		cfg  Config
		said *gateway.RateInfo
		want int // calls that leave at once, a minute after the headers
	}{
		"nothing said":              {Config{RPM: 600}, said(none, none), 10},
		"fewer requests":            {Config{RPM: 600}, said(minute(120, 119), none), 2},
		"more requests":             {Config{RPM: 600}, said(minute(6000, 5999), none), 10},
		"more requests, trusted":    {Config{RPM: 600, TrustHeaders: true}, said(minute(6000, 5999), none), 100},
		"fewer requests, trusted":   {Config{RPM: 600, TrustHeaders: true}, said(minute(120, 119), none), 2},
		"requests of a day":         {Config{RPM: 600}, said(gateway.RateWindow{Limit: 60, Remaining: 59, Reset: time.Hour}, none), 10},
		"requests, none configured": {Config{}, said(minute(120, 119), none), 500},
		"the same, trusted":         {Config{TrustHeaders: true}, said(minute(120, 119), none), 2},
		"fewer tokens":              {Config{TPM: 10_000}, said(none, minute(3000, 2900)), 30},
		"more tokens":               {Config{TPM: 10_000}, said(none, minute(30_000, 29_900)), 100},
		"more tokens, trusted":      {Config{TPM: 10_000, TrustHeaders: true}, said(none, minute(30_000, 29_900)), 300},
		"tokens, none configured":   {Config{}, said(none, minute(3000, 2900)), 30},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := open(t, c.cfg)
				answered(admit(t, g), c.said)
				time.Sleep(time.Minute)
				if n := admitted(g, 500); n != c.want {
					t.Errorf("%d calls leave at once, want %d", n, c.want)
				}
			})
		})
	}
}

// What a trusted header says is left may be used at once, less what is on its way.
func TestTrustedHeaderGivesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := open(t, Config{TPM: 1000, TrustHeaders: true})
		one, two := admit(t, g), admit(t, g) // 100 each
		answered(two, said(gateway.RateWindow{}, gateway.RateWindow{Limit: 2000, Remaining: 1900, Reset: time.Second}))
		if n := admitted(g, 100); n != 18 {
			t.Errorf("%d calls leave, want 18: 1900 tokens are left and 100 are out", n)
		}
		one.Done(time.Now(), Outcome{})
	})
}

// What a head says is of the moment in which it came: an answer that takes a minute after
// it closes nothing at its end, and what is used up meanwhile is held back at once.
func TestHeadersAreOfWhenTheyCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, cfg := range map[string]Config{"no limit": {}, "limits": {RPM: 6000, TPM: 100_000}} {
			g := open(t, cfg)
			long := admit(t, g)
			info := said(gateway.RateWindow{Limit: 60, Reset: 6 * time.Second}, gateway.RateWindow{Limit: 90_000, Reset: 6 * time.Second})
			long.Heard(time.Now(), info)
			if e := refusal(t, g, gateway.RateLimited); e.RetryAfter != 6*time.Second {
				t.Errorf("%s: held back for %v, want 6s", name, e.RetryAfter)
			}
			time.Sleep(time.Minute)
			// A break of the stream names the head's limits once more.
			long.Done(time.Now(), Outcome{Err: &gateway.Error{Kind: gateway.Unavailable, Sent: true, Rate: info}})
			if s := g.Status(time.Now()); s.State != Closed || s.Wait > 0 || s.Tight {
				t.Errorf("%s: %+v a minute later, want closed", name, s)
			}
			admit(t, g).Done(time.Now(), Outcome{})
		}
	})
}

// No race goes to a model that says of any of its limits that under a tenth is left.
func TestTightByWhatIsLeft(t *testing.T) {
	window := func(remaining int, reset time.Duration) gateway.RateWindow {
		return gateway.RateWindow{Limit: 1000, Remaining: remaining, Reset: reset}
	}
	none := gateway.RateWindow{Limit: -1, Remaining: -1}
	info := func(i int, w gateway.RateWindow) *gateway.RateInfo {
		all := [...]gateway.RateWindow{none, none, none, none}
		all[i] = w
		return &gateway.RateInfo{Requests: all[0], Tokens: all[1], InputTokens: all[2], OutputTokens: all[3]}
	}
	for i, name := range []string{"requests", "tokens", "input tokens", "output tokens"} {
		for _, c := range []struct {
			said  *gateway.RateInfo
			after time.Duration
			tight bool
		}{
			{info(i, window(99, time.Hour)), 50 * time.Minute, true},
			{info(i, window(99, time.Hour)), time.Hour, false},
			{info(i, window(100, time.Hour)), 0, false},
			{info(i, window(99, 0)), 50 * time.Second, true}, // a minute's, where it does not say
			{info(i, window(99, 0)), time.Minute, false},
			{info(i, gateway.RateWindow{Limit: 1000, Remaining: -1, Reset: time.Hour}), 0, false},
		} {
			synctest.Test(t, func(t *testing.T) {
				g := open(t, Config{})
				answered(admit(t, g), c.said)
				time.Sleep(c.after)
				if s := g.Status(time.Now()); s.Tight != c.tight {
					t.Errorf("%s %+v after %v: tight is %v", name, c.said, c.after, s.Tight)
				}
			})
		}
	}
}

// Nor to one whose own limit on requests has under a tenth of its burst left.
func TestTightByOurOwnLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := open(t, Config{RPM: 6000})
		for n := range 100 {
			if tight := g.Status(time.Now()).Tight; tight != (n > 90) {
				t.Fatalf("after %d of 100: tight is %v", n, tight)
			}
			admit(t, g)
		}
	})
}
