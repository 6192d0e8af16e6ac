package gateway

import (
	"testing"
	"time"
)

func TestCostRoundsUpOncePerAttempt(t *testing.T) {
	tariff := &Tariff{Base: Rates{Input: 150_000, CachedRead: 3_000, CacheWrite5m: 187_500, CacheWrite1h: 300_000, Output: 600_000}}
	at := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		u    Usage
		want Microcents
	}{
		{Usage{}, 0},
		{Usage{CachedRead: 1}, 1}, // 0.3 microcents: never under-counted
		{Usage{CachedRead: 1000}, 300},
		{Usage{Fresh: 28, CachedRead: 384, Output: 88}, 5816}, // 58,152,000 picodollars
		{Usage{CacheWrite5m: 3, CacheWrite1h: 2}, 117},        // 1,162,500
		{Usage{Fresh: 1, HasBilled: true, Billed: 7}, 7},      // what the provider says it charged
		{Usage{Fresh: 1, HasBilled: true}, 0},
	} {
		if got := tariff.Cost(c.u, at); got != c.want {
			t.Errorf("%+v: %d, want %d", c.u, got, c.want)
		}
	}
	if got := (&Tariff{}).Cost(Usage{Fresh: 1e6, Output: 1e6}, at); got != 0 {
		t.Errorf("free of charge costs %d", got)
	}
}

func TestTariffByPromptTimeAndDate(t *testing.T) {
	day := func(s string) time.Time {
		at, err := time.Parse("2006-01-02T15:04", s)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	r := func(p Picodollars) Rates { return Rates{Input: p} }
	tariff := &Tariff{Base: r(1),
		Tiers:     []Tier{{1000, r(10)}, {2000, r(20)}},
		Scheduled: []Scheduled{{day("2026-12-01T00:00"), r(2)}},
		Windows: []Window{{DayShift: 8 * time.Hour, Days: []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday},
			Except: []string{"2026-10-01"}, Spans: []Span{{60, 240}, {360, 600}}, Rates: r(5)}}}
	for _, c := range []struct {
		prompt int
		at     string
		want   Picodollars
	}{
		{0, "2026-11-24T00:59", 1}, {0, "2026-11-24T01:00", 5}, {0, "2026-11-24T03:59", 5}, {0, "2026-11-24T04:00", 1}, {0, "2026-11-24T06:00", 5},
		{0, "2026-11-21T02:00", 1}, // a Saturday
		{0, "2026-10-01T02:00", 1}, // a holiday
		{0, "2026-11-30T23:59", 1}, {0, "2026-12-01T00:00", 2}, {0, "2026-12-01T01:00", 5},
		{1000, "2026-11-24T00:00", 1}, {1001, "2026-11-24T00:00", 10}, {2001, "2026-11-24T02:00", 20},
	} {
		if got := tariff.At(c.prompt, day(c.at)).Input; got != c.want {
			t.Errorf("%d tokens at %s: %d, want %d", c.prompt, c.at, got, c.want)
		}
	}
}
