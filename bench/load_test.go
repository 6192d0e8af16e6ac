package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLoadWritesWhatItMeasured(t *testing.T) {
	server := httptest.NewServer(canned(time.Millisecond, time.Millisecond, 5))
	defer server.Close()
	folder := t.TempDir()
	var out bytes.Buffer
	err := run(t.Context(), []string{"load", "--url", server.URL + "/v1", "--stream", "--body", "300,10k", "-c", "2", "-n", "20",
		"--warm-up", "0", "--key", "sk-secret", "--json", filepath.Join(folder, "r.json"), "--markdown", filepath.Join(folder, "r.md"), "--svg", folder, "--png", folder}, &out)
	if err != nil {
		t.Fatal(err)
	}
	var r result
	data, err := os.ReadFile(filepath.Join(folder, "r.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Runs) != 2 || r.Runs[0].Answered != 20 || r.Runs[1].Failed != 0 {
		t.Fatalf("runs = %+v", r.Runs)
	}
	if gaps := r.Runs[0].Gaps; gaps == nil || gaps.P50 < 0.9 {
		t.Errorf("gaps = %+v, want a millisecond or more", gaps)
	}
	for _, name := range []string{"r.md", "latency.svg", "time-1.svg", "time-2.svg", "latency.png"} {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Error(err)
		}
		if strings.Contains(string(text), "secret") || len(text) < 200 {
			t.Errorf("%s is odd: %.200s", name, text)
		}
	}
}

func TestKeyStaysOutOfTheCommand(t *testing.T) {
	got := strings.Join(hideKey([]string{"load", "--key", "a1", "--key=b2", "-c", "3"}), " ")
	if got != "load --key ... --key=... -c 3" {
		t.Errorf("got %q", got)
	}
}

// An interrupted run reports what it has, and blames nobody for the calls it cut.
func TestInterruptedRunReportsSoFar(t *testing.T) {
	begun := make(chan struct{}, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // before that nobody sees the caller leave
		begun <- struct{}{}
		if len(begun) > 3 {
			<-r.Context().Done()
			return
		}
		w.Write([]byte(`{"choices":[]}`))
	}))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	target, err := newTarget(server.URL, "", "m", false, 10)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan *report)
	go func() { done <- drive(ctx, target, plan{workers: 1, length: time.Hour}) }()
	for len(begun) < 4 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if r := <-done; r.ok != 3 || r.failures() != 0 || r.cut != 1 {
		t.Errorf("answered %d, failed %v, cut %d; want 3, none, 1", r.ok, r.failed, r.cut)
	}
}

func TestFailuresAreToldByCode(t *testing.T) {
	n := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n++
		w.WriteHeader(http.StatusServiceUnavailable)
		json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": "overloaded", "message": n}})
	}))
	defer server.Close()
	target, err := newTarget(server.URL, "", "m", false, 10)
	if err != nil {
		t.Fatal(err)
	}
	r := drive(t.Context(), target, plan{workers: 1, calls: 5, length: time.Minute})
	if r.failed["HTTP 503 overloaded"] != 5 {
		t.Errorf("failed = %v", r.failed)
	}
}

func TestSizesAreRead(t *testing.T) {
	for text, want := range map[string]int{"300": 300, "10k": 10_000, "100K": 100_000, "1m": 1_000_000, "0": 0, "-5": 0, "99m": 0, "x": 0, "": 0, "9999999999999999k": 0} {
		got, err := bytesOf(text)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("bytesOf(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
}

// The server of this test answers 230 calls per second well and refuses the others.
func TestClimbFindsTheEdge(t *testing.T) {
	c := climb{from: 100, factor: 1.5, most: 12, halvings: 4, share: 0.99, p99: time.Second}
	tried := 0
	best, err := c.find(t.Context(), func(rate float64) (*report, error) {
		tried++
		r := newReport()
		for n := range int(rate) {
			s := sample{whole: time.Millisecond}
			if n >= 230 {
				s.err = &refused{status: 503}
			}
			r.add(s)
		}
		return r, nil
	})
	if err != nil || best < 210 || best > 233 || tried > 10 {
		t.Errorf("best = %v after %d rates, %v; want about 230", best, tried, err)
	}
}

func TestLongEventsAreRead(t *testing.T) {
	body := "data: {\"choices\":[{\"delta\":{\"content\":\"" + strings.Repeat("x", 100_000) + "\"}}]}\n\ndata: [DONE]\n\n"
	if s := readStream(strings.NewReader(body), time.Now()); s.err != nil || s.bytes < 100_000 || s.first == 0 {
		t.Errorf("sample = %+v", s)
	}
}
