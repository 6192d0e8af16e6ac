package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gateway/internal/fakeupstream"
)

// Streams that were not answered are told apart by what their clients were told, with when
// and how soon that was.
func TestSoakTellsFailuresApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e ends
		due := time.Now()
		e.add(sample{err: errors.New("before")}, due)
		e.told.begin(time.Now())
		time.Sleep(90 * time.Second)
		open := &refused{503, "provider_unavailable", "first circuit_open, second timeout"}
		for range 3 {
			e.add(sample{err: open}, time.Now().Add(-2*time.Millisecond))
		}
		time.Sleep(time.Minute)
		e.add(sample{err: open}, time.Now().Add(-2*time.Millisecond))
		e.add(sample{err: context.Canceled}, time.Now())
		e.add(sample{first: time.Second, err: errors.New("a | b")}, time.Now().Add(-4*time.Second))
		e.add(sample{}, time.Now())
		if e.failed.Load() != 5 || e.broken.Load() != 1 || e.refused.Load() != 0 {
			t.Errorf("%d failed, %d broken, %d refused", e.failed.Load(), e.broken.Load(), e.refused.Load())
		}
		want := `| 4 | HTTP 503 provider_unavailable: first circuit_open, second timeout | 2ms | 1m30s | 2m30s | 3 in minute 1 |
| 1 | a / b | 4s | 2m30s | 2m30s | 1 in minute 2 |
| 1 | before | 0s | the warm-up | the warm-up | 0 in minute 0 |`
		if got := strings.Join(e.told.notes()[2:], "\n"); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}

func TestRefusalTellsWhoWasAsked(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		w.Write([]byte(`{"error":{"code":"x","attempts":[{"provider":"a","outcome":"timeout","reason":"` + strings.Repeat("long", 2000) + `"},{"provider":"b","outcome":"circuit_open"}]}}`))
	}))
	defer server.Close()
	target, err := newTarget(server.URL, "", "m", true, 10)
	if err != nil {
		t.Fatal(err)
	}
	var no *refused
	if err := target.do(t.Context(), time.Now()).err; !errors.As(err, &no) || no.Error() != "HTTP 503 x" || no.tries != "a timeout, b circuit_open" {
		t.Errorf("got %v, %+v", err, no)
	}
}

// In each turn one provider has the turn's fault for a third of it, and over thirty turns
// each provider has had every fault.
func TestSoakTurns(t *testing.T) {
	p, err := startProviders(time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	begun := time.Now()
	p.misbehave(begun)
	type incident struct {
		provider int
		fault    fakeupstream.Fault
	}
	had := map[incident]bool{}
	for turn := range 30 {
		for i := range p.all {
			all := map[fakeupstream.Fault]int{}
			for range 20 {
				all[p.step(i, begun.Add(time.Duration(turn)*time.Second+400*time.Millisecond)).Fault]++
			}
			if i != turn%3 {
				if all[fakeupstream.None] < 10 {
					t.Errorf("turn %d: provider %d, whose turn it is not: %v", turn, i, all)
				}
				continue
			}
			for fault, n := range all {
				if n == 20 && fault != fakeupstream.None {
					had[incident{i, fault}] = true
				}
			}
		}
	}
	if len(had) != 30 {
		t.Errorf("%d of 30 incidents seen", len(had))
	}
}

// What a provider reset and saw a second time is one attempt; what it saw more often
// without that is not explained.
func TestSoakCountsResentCalls(t *testing.T) {
	for name, c := range map[string]struct {
		of   sides
		want int64
	}{
		"reset and sent again":      {sides{rows: 1, sent: 1, bills: 2, resets: 1}, 1},
		"reset, and given up":       {sides{rows: 1, sent: 1, bills: 1, resets: 1}, 0},
		"reset twice and retried":   {sides{rows: 2, sent: 2, bills: 3, resets: 2}, 1},
		"seen twice without reason": {sides{rows: 1, sent: 1, bills: 2}, 0},
		"not seen":                  {sides{rows: 1, sent: 1}, 0},
	} {
		var a account
		a.compare("s1", &c.of)
		if a.resent != c.want {
			t.Errorf("%s: %d came again, want %d", name, a.resent, c.want)
		}
	}
}
