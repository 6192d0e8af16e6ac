package breaker

import (
	"testing"
	"testing/synctest"
	"time"

	"gateway"
)

func said(requests, tokens gateway.RateWindow) Outcome {
	return Outcome{Tokens: 100, Rate: &gateway.RateInfo{Requests: requests, Tokens: tokens}}
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
		said Outcome
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
				admit(t, g).Done(time.Now(), c.said)
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
		two.Done(time.Now(), said(gateway.RateWindow{}, gateway.RateWindow{Limit: 2000, Remaining: 1900, Reset: time.Second}))
		if n := admitted(g, 100); n != 18 {
			t.Errorf("%d calls leave, want 18: 1900 tokens are left and 100 are out", n)
		}
		one.Done(time.Now(), Outcome{})
	})
}
