package http1

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"
)

// hall keeps all visitors waiting until it is told otherwise.
type hall struct {
	mu     sync.Mutex
	waits  []Visitor
	opened bool
}

func (h *hall) door(v Visitor) (in, now bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.opened {
		h.waits = append(h.waits, v)
	}
	return h.opened, h.opened
}

// call lets in so many of those who wait.
func (h *hall) call(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, v := range h.waits[:n] {
		v.Called(true)
	}
	h.waits = h.waits[n:]
}

func (h *hall) open() {
	h.mu.Lock()
	h.opened = true
	h.mu.Unlock()
}

func (h *hall) filled() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.waits)
}

// until waits for something that other goroutines do.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within ten seconds: %s", what)
		}
	}
}

// hold says that there are so many connections.
func (s *Server) hold(n int) func() bool {
	return func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.conns) == n
	}
}

func (w *crew) spares() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.spare)
}

// TestWhoWaitsNeedsNoGoroutine: those beyond the spare ones end, each connection is answered
// in its turn by whichever there is, and when nobody waits no spare one is left.
func TestWhoWaitsNeedsNoGoroutine(t *testing.T) {
	const clients, rounds, few = mostSpare + 300, 3, 10 // few: those that others begin just then
	h := &hall{}
	s, addr := begin(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.URL.Path)
	}), func(s *Server) { s.Door = h.door })
	conns := make([]*net.TCPConn, clients)
	for i := range conns {
		conns[i] = dial(t, addr)
	}
	until(t, "all are served", s.hold(clients))
	before := runtime.NumGoroutine() - clients
	for round := range rounds {
		for i, c := range conns {
			say(t, c, get("/"+string(rune('a'+i%26))))
		}
		until(t, "all wait", func() bool { return h.filled() == clients })
		until(t, "the others have ended", func() bool { return runtime.NumGoroutine() <= before+mostSpare+few })
		if round == rounds-1 {
			h.open()
		}
		for _, n := range []int{1, 40, clients - 41} {
			h.call(n)
		}
		for i, c := range conns {
			status, body := heardOf(t, bufio.NewReader(c))
			if want := "/" + string(rune('a'+i%26)); status != http.StatusOK || body != want {
				t.Fatalf("%d %q, want %q", status, body, want)
			}
		}
	}
	if n := s.crew.spares(); n != 0 {
		t.Errorf("nobody waits, and %d goroutines do", n)
	}
	for _, c := range conns {
		c.Close()
	}
	until(t, "all have ended", func() bool { return s.hold(0)() && runtime.NumGoroutine() <= before+few })
}

// TestSpareGoroutineServesWhoIsCalled: also one whose own connection has ended or whose handler
// has panicked.
func TestSpareGoroutineServesWhoIsCalled(t *testing.T) {
	h := &hall{}
	s, addr := begin(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/panic" {
			panic(http.ErrAbortHandler)
		}
		io.WriteString(w, "in")
	}), func(s *Server) { s.Door = h.door })
	waits, panics, last := dial(t, addr), dial(t, addr), dial(t, addr)
	for i, c := range []*net.TCPConn{panics, waits, last} {
		say(t, c, get([]string{"/panic", "/", "/"}[i]))
		until(t, "it waits", func() bool { return h.filled() == i+1 })
	}
	h.call(1)
	io.Copy(io.Discard, panics)
	until(t, "its goroutine is spare", func() bool { return s.crew.spares() == 3 })
	h.call(1)
	if status, _ := heardOf(t, bufio.NewReader(waits)); status != http.StatusOK {
		t.Error(status)
	}
	if n := s.crew.spares(); n != 2 {
		t.Errorf("%d are spare, want 2: one serves who was called", n)
	}
	h.call(1)
	if status, _ := heardOf(t, bufio.NewReader(last)); status != http.StatusOK {
		t.Error(status)
	}
	until(t, "none is spare", func() bool { return s.crew.spares() == 0 })
}
