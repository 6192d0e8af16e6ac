package providers

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A server that allows fewer streams than a client may expect before it is told refuses
// the others unseen; they are sent again, and all are answered once.
func TestRefusedStreamsAreSentAgain(t *testing.T) {
	const calls = 60
	var answered atomic.Int32
	s, client, _ := newSecureServer(t, 5, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, r.Body)
		answered.Add(1)
		time.Sleep(10 * time.Millisecond)
	})
	var all sync.WaitGroup
	for range calls {
		all.Go(func() {
			if got, err := postTo(t.Context(), client, s.URL, "x"); got != "x" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	all.Wait()
	if n := answered.Load(); n != calls {
		t.Errorf("answered %d times", n)
	}
}

// A server that ends connections in good order, in the middle of traffic, loses no call
// and answers none twice.
func TestGoodbyesLoseNoCall(t *testing.T) {
	const workers, each = 20, 60
	var answered atomic.Int32
	s, client, _ := newSecureServer(t, 100, func(w http.ResponseWriter, r *http.Request) {
		if rand.N(10) == 0 {
			w.Header().Set("Connection", "close") // a GOAWAY to whoever has this connection
		}
		if n, err := io.Copy(w, r.Body); n != 1 {
			t.Errorf("the server read %d bytes of a body: %v", n, err)
		}
		answered.Add(1)
	})
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for range each {
				if got, err := postTo(t.Context(), client, s.URL, "x"); got != "x" || err != nil {
					t.Errorf("%q, %v", got, err)
				}
			}
		})
	}
	all.Wait()
	if n := answered.Load(); n != workers*each {
		t.Errorf("answered %d times, want %d", n, workers*each)
	}
	if n := s.conns.Load(); n < 3 {
		t.Errorf("only %d connections: nothing was shown", n)
	}
}

// Over a connection that has had its time go no new calls, so that the server's name is
// resolved anew; those under way are not touched, and it ends with the last of them.
func TestOldHTTP2ConnectionsAreNotUsed(t *testing.T) {
	release := make(chan struct{})
	s, client, tr := newSecureServer(t, 100, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		if r.URL.Path == "/held" {
			<-release
		}
		io.WriteString(w, r.RemoteAddr)
	})
	first, err := postTo(t.Context(), client, s.URL, "x")
	if err != nil {
		t.Fatal(err)
	}
	held := make(chan string, 1)
	go func() { got, _ := postTo(t.Context(), client, s.URL+"/held", "x"); held <- got }()
	conn := tr.host(s).only(t)
	for conn.InFlight() == 0 {
		time.Sleep(time.Millisecond)
	}
	tr.secure.mu.Lock()
	conn.born = time.Now().Add(-restAge)
	tr.secure.mu.Unlock()
	second, err := postTo(t.Context(), client, s.URL, "x")
	if err != nil || second == first {
		t.Errorf("%q after %q, %v", second, first, err)
	}
	close(release)
	if got := <-held; got != first {
		t.Errorf("the call under way ended on %q, begun on %q", got, first)
	}
}

// Connections that carry nothing end when the pool is told so, and the next call has a new one.
func TestIdleHTTP2ConnectionsEnd(t *testing.T) {
	s, client, _ := newSecureServer(t, 100, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	for want := range int32(3) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		if _, err := postTo(ctx, client, s.URL, "x"); err != nil {
			t.Fatal(err)
		}
		cancel()
		if n := s.conns.Load(); n != want+1 {
			t.Errorf("%d connections", n)
		}
		client.CloseIdleConnections()
	}
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		open := len(s.open)
		s.mu.Unlock()
		if open == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are open", open)
		}
	}
}
