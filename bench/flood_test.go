package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A flood is calls at a rate: its connections stand before the first of them, and no
// more are opened.
func TestFloodConnectsBeforeItCalls(t *testing.T) {
	const conns = 100
	var opened, served atomic.Int64
	early := make(chan int64, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if served.Add(1) == 1 {
			early <- opened.Load()
		}
		w.Write([]byte("{}"))
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	defer server.Close()

	f := newFlood(server.URL, &target{body: []byte(strings.Repeat("x", 100))}, conns)
	f.connect(t.Context())
	for end := time.Now().Add(5 * time.Second); opened.Load() < conns && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if n := served.Load(); n != 0 {
		t.Fatalf("%d calls before the flood began", n)
	}
	r := f.open(context.Background(), 500, 300*time.Millisecond)
	if r.ok == 0 || r.failures() != 0 {
		t.Errorf("%d answered, %v", r.ok, r.failed)
	}
	if n := <-early; n != conns || opened.Load() != conns {
		t.Errorf("%d connections at the first call and %d in all, want %d", n, opened.Load(), conns)
	}
}
