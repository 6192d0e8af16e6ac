package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestClosedLoopCountsWholeAnswersOnly(t *testing.T) {
	for name, stream := range map[string]bool{"stream": true, "whole": false} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(canned(0, 0, 5))
			defer server.Close()
			target, err := newTarget(server.URL, "", "m", stream, 100)
			if err != nil {
				t.Fatal(err)
			}
			r := drive(t.Context(), target, plan{workers: 4, calls: 40, length: time.Minute})
			if r.ok != 40 || r.failures() != 0 {
				t.Fatalf("answered %d, failed %v; want 40 and none", r.ok, r.failed)
			}
			if r.first.TotalCount() != 40 || r.whole.Max() < r.first.Min() {
				t.Errorf("histograms hold %d calls, first %v, whole %v", r.first.TotalCount(), r.first.Min(), r.whole.Max())
			}
		})
	}
}

func TestCutStreamIsAFailure(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "data: {\"choices\":[{\"delta\":{\"content\":\"half\"}}]}\n\n")
	}))
	defer server.Close()
	target, err := newTarget(server.URL, "", "m", true, 10)
	if err != nil {
		t.Fatal(err)
	}
	r := drive(t.Context(), target, plan{workers: 1, calls: 3, length: time.Minute})
	if r.ok != 0 || r.failures() != 3 {
		t.Fatalf("answered %d, failed %d; want 0 and 3", r.ok, r.failures())
	}
}

// slow answers at once, but for one stall during which no call ends.
type slow struct{ stall, until time.Time }

func (s slow) RoundTrip(*http.Request) (*http.Response, error) {
	if now := time.Now(); now.After(s.stall) && now.Before(s.until) {
		time.Sleep(time.Until(s.until))
	}
	body := io.NopCloser(strings.NewReader(`{"choices":[]}`))
	return &http.Response{StatusCode: http.StatusOK, Body: body}, nil
}

// A stall of one second under 100 calls/s delays about 100 calls by half a second in
// the mean; a generator that waits for answers would report a single slow call.
func TestOpenLoopSeesAStallWithEveryCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		target, err := newTarget("http://127.0.0.1:1", "", "m", false, 10)
		if err != nil {
			t.Fatal(err)
		}
		target.client = &http.Client{Transport: slow{begun.Add(2 * time.Second), begun.Add(3 * time.Second)}}
		r := drive(t.Context(), target, plan{rate: 100, limit: 1000, length: 10 * time.Second})
		if r.ok < 900 || r.ok > 1100 {
			t.Fatalf("%d calls in 10 s at 100/s", r.ok)
		}
		late := 0
		for _, bar := range r.whole.Distribution() {
			if bar.From > (100 * time.Millisecond).Microseconds() {
				late += int(bar.Count)
			}
		}
		if late < 60 || late > 120 {
			t.Errorf("%d calls saw the stall, want about 90", late)
		}
	})
}

func TestOwnServersStayOnLoopback(t *testing.T) {
	for base, ok := range map[string]bool{
		"http://127.0.0.1:8090": true, "http://localhost:1": true, "http://[::1]:1": true,
		"https://example.com": false, "http://192.168.1.1": false, "http://127.0.0.1.example.com": false,
	} {
		if err := loopback(base); (err == nil) != ok {
			t.Errorf("loopback(%q) = %v, want allowed %v", base, err, ok)
		}
	}
}

func TestProcessTimeGrowsWithWork(t *testing.T) {
	p := running(os.Getpid())
	before, err := p.cpu()
	if err != nil {
		t.Fatal(err)
	}
	var after time.Duration
	for n, end := 0, time.Now().Add(10*time.Second); after <= before && time.Now().Before(end); n++ {
		if n%10_000 == 0 {
			if after, err = p.cpu(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if after <= before {
		t.Errorf("cpu stayed at %v while this test computed", before)
	}
	if rss, err := p.rss(); err != nil || rss < 1<<20 {
		t.Errorf("rss = %d, %v", rss, err)
	}
}

func TestUnknownCommandIsNamed(t *testing.T) {
	err := run(context.Background(), []string{"laod"}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "laod") {
		t.Errorf("err = %v", err)
	}
}
