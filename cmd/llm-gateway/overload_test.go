package main

import (
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// occupy keeps far more goroutines ready than processors can run, until done is called.
func occupy() (done func()) {
	var stop atomic.Bool
	var all sync.WaitGroup
	for range 200 * runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for !stop.Load() {
				runtime.Gosched()
			}
		})
	}
	return func() { stop.Store(true); all.Wait() }
}

// TestOverloadRefusesInTheFormOfTheRoute: while the machine has too much to do a request
// waits, and is then refused as its client understands it; a look at the gateway is not
// kept waiting. When there is time again all are served as before.
func TestOverloadRefusesInTheFormOfTheRoute(t *testing.T) {
	u := newUpstream(t, says("hello"))
	base := serveGateway(t, configFile(t, entry{name: "first", url: u.URL, price: 1}), nil, "--overload-wait", "100ms")
	call := func(path, body string) (status int, header http.Header, text string, took time.Duration) {
		t.Helper()
		begun := time.Now()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Request-Id", "mine")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		all, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, res.Header, string(all), time.Since(begun)
	}
	const chat = `{"model":"auto","messages":[{"role":"user","content":"hi"}]}`
	if status, _, text, _ := call("/v1/chat/completions", chat); status != http.StatusOK {
		t.Fatalf("before: %d %s", status, text)
	}
	done := occupy()
	defer done()
	time.Sleep(20 * time.Millisecond) // some looks of the door
	for _, c := range []struct {
		path, body, says string
		status           int
	}{
		{"/v1/chat/completions", chat, `"code":"no_capacity"`, 503},
		{"/v1/responses", `{"model":"auto","input":"hi"}`, `"code":"no_capacity"`, 503},
		{"/v1/messages", `{"model":"auto","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`, `"type":"overloaded_error"`, 529},
		{"/v1beta/models/auto:generateContent", `{"contents":[{"parts":[{"text":"hi"}]}]}`, `"status":"UNAVAILABLE"`, 503},
		{"/plan", `{"task":"` + strings.Repeat("x", 300<<10) + `"}`, `"error":"no_capacity"`, 503}, // more than is read for who is refused
	} {
		status, header, text, took := call(c.path, c.body)
		if status != c.status || !strings.Contains(text, c.says) || header.Get("Retry-After") != "1" || header.Get("X-Request-Id") != "mine" {
			t.Errorf("%s: %d %v %s", c.path, status, header, text)
		}
		if took < 100*time.Millisecond {
			t.Errorf("%s: refused after %v", c.path, took)
		}
	}
	if res, err := http.Get(base + "/livez"); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("/livez: %v %v", res, err)
	} else {
		res.Body.Close()
	}
	done()
	if status, _, text, _ := call("/v1/chat/completions", chat); status != http.StatusOK {
		t.Errorf("afterwards: %d %s", status, text)
	}
	if got := u.calls.Load(); got != 2 {
		t.Errorf("the provider was called %d times, want twice", got)
	}
}
