package breaker

import (
	"testing"
	"testing/synctest"
	"time"

	"gateway"
)

// A refusal that says for how long keeps every caller from every model of the provider,
// unless it is the limit of one model; a rate is believed for a minute, a quota for as
// long as it lasts.
func TestWhomARefusalCools(t *testing.T) {
	const none = 0
	for name, c := range map[string]struct {
		said       gateway.Error
		one, other time.Duration // that calls to this model and to another one wait
	}{
		"a rate":                {gateway.Error{Kind: gateway.RateLimited, RetryAfter: 2 * time.Second}, 2 * time.Second, 2 * time.Second},
		"a rate of one model":   {gateway.Error{Kind: gateway.RateLimited, RetryAfter: 2 * time.Second, OneModel: true}, 2 * time.Second, none},
		"a rate for an hour":    {gateway.Error{Kind: gateway.RateLimited, RetryAfter: time.Hour}, time.Minute, time.Minute},
		"a quota":               {gateway.Error{Kind: gateway.RateLimited, RetryAfter: 5 * time.Hour, Quota: true}, 5 * time.Hour, 5 * time.Hour},
		"a quota of one model":  {gateway.Error{Kind: gateway.RateLimited, RetryAfter: 5 * time.Hour, Quota: true, OneModel: true}, 5 * time.Hour, none},
		"a quota without words": {gateway.Error{Kind: gateway.RateLimited, Quota: true}, 10 * time.Minute, 10 * time.Minute},
		"a quota of a year":     {gateway.Error{Kind: gateway.RateLimited, RetryAfter: 8760 * time.Hour, Quota: true}, 25 * time.Hour, 25 * time.Hour},
		"spent credit":          {gateway.Error{Kind: gateway.ProviderBilling}, 10 * time.Minute, 10 * time.Minute},
		"overload":              {gateway.Error{Kind: gateway.Overloaded, RetryAfter: 5 * time.Second}, 5 * time.Second, none},
		"overload for an hour":  {gateway.Error{Kind: gateway.Overloaded, RetryAfter: time.Hour}, time.Minute, none},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				site := NewSite(Config{Rand: middle})
				one, other := New(site, Config{Rand: middle}), New(site, Config{Rand: middle})
				beside := admit(t, other)
				admit(t, one).Done(time.Now(), Outcome{Err: &c.said})
				beside.Done(time.Now(), Outcome{}) // an answer of before does not end it
				for g, want := range map[*Gate]time.Duration{one: c.one, other: c.other} {
					if want == none {
						admit(t, g).Done(time.Now(), Outcome{})
						continue
					}
					if e := refusal(t, g, gateway.RateLimited); e.RetryAfter != want {
						t.Errorf("wait %v, want %v", e.RetryAfter, want)
					}
					if s := g.Status(time.Now()); s.State != Cooling || s.Wait != want || s.CoolingUntil.Sub(time.Now()) != want {
						t.Errorf("%+v, want cooling for %v", s, want)
					}
				}
				time.Sleep(max(c.one, c.other))
				for _, g := range []*Gate{one, other} {
					admit(t, g).Done(time.Now(), Outcome{})
					if s := g.Status(time.Now()); s.State != Closed {
						t.Errorf("%+v after its time", s)
					}
				}
			})
		})
	}
}
