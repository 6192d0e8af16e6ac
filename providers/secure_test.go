package providers

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// secureServer is a server over TLS with HTTP/2, of so many streams per connection.
type secureServer struct {
	*httptest.Server
	conns atomic.Int32 // that it ever had
	mu    sync.Mutex
	open  map[net.Conn]bool
}

func newSecureServer(t *testing.T, streams int, h http.HandlerFunc) (*secureServer, *http.Client, *transport) {
	t.Helper()
	s := &secureServer{open: map[net.Conn]bool{}}
	s.Server = httptest.NewUnstartedServer(h)
	s.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: streams}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Config.ConnState = func(c net.Conn, state http.ConnState) {
		s.mu.Lock()
		defer s.mu.Unlock()
		switch state {
		case http.StateNew:
			s.conns.Add(1)
			s.open[c] = true
		case http.StateClosed:
			delete(s.open, c)
		}
	}
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	client := NewClient()
	tr := client.Transport.(*transport)
	t.Cleanup(client.CloseIdleConnections)
	tr.trust(s.Server)
	return s, client, tr
}

func (t *transport) host(s *secureServer) *host {
	t.secure.mu.Lock()
	defer t.secure.mu.Unlock()
	return t.secure.at(s.Listener.Addr().String())
}

func (t *transport) trust(s *httptest.Server) {
	t.current(time.Now()).TLSClientConfig.RootCAs = s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
}

// only is the one connection of a host.
func (h *host) only(t *testing.T) *http2Conn {
	h.pool.mu.Lock()
	defer h.pool.mu.Unlock()
	if len(h.conns) != 1 {
		t.Fatalf("%d connections", len(h.conns))
	}
	return h.conns[0]
}

func postTo(ctx context.Context, client *http.Client, url, body string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return string(got), err
}

// Many calls that begin at once have as many connections as carry them, and no more.
func TestConnectionsAreSizedToNeed(t *testing.T) {
	const calls, streams = 1000, 100
	var inside sync.WaitGroup
	inside.Add(calls)
	s, client, _ := newSecureServer(t, streams, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		inside.Done()
		inside.Wait() // all are in flight at the same time
		w.Write(body)
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
	if n := s.conns.Load(); n < calls/streams || n > calls/streams+2 {
		t.Errorf("%d connections for %d calls at once, of %d each", n, calls, streams)
	}
}

// What a connection may carry is not taken for more while calls begin: the one too many
// would wait for the end of another.
func TestBeginningCallsMakeNoRoom(t *testing.T) {
	const streams = 100
	release := make(chan struct{})
	var inside atomic.Int32
	s, client, tr := newSecureServer(t, streams, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/held" {
			inside.Add(1)
			<-release
		}
	})
	if _, err := postTo(t.Context(), client, s.URL, "x"); err != nil {
		t.Fatal(err)
	}
	conn := tr.host(s).only(t)
	var held sync.WaitGroup
	for range streams {
		held.Go(func() { postTo(t.Context(), client, s.URL+"/held", "x") })
	}
	most := 0
	for end := time.Now().Add(10 * time.Second); inside.Load() < streams && time.Now().Before(end); {
		all, _ := conn.carries()
		most = max(most, all)
	}
	if n := inside.Load(); n != streams {
		t.Errorf("%d of %d calls have begun", n, streams)
	}
	close(release)
	held.Wait()
	if most > streams {
		t.Errorf("%d calls at once are allowed, and it was taken for %d", streams, most)
	}
}

// A place that becomes free goes to who waits for one, and who leaves takes none.
func TestFreedPlacesAreTaken(t *testing.T) {
	release := make(chan struct{})
	s, client, tr := newSecureServer(t, 1<<10, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/held" {
			<-release
		}
	})
	if _, err := postTo(t.Context(), client, s.URL, "x"); err != nil {
		t.Fatal(err)
	}
	dialing := make(chan struct{})
	first := tr.secure.dial
	tr.secure.dial = func(ctx context.Context, addr string) (*http.ClientConn, error) {
		close(dialing)
		<-release // for as long as the held calls last
		return first(ctx, addr)
	}
	h := tr.host(s)
	var held sync.WaitGroup
	conn := h.only(t)
	for conn.Available() > 0 {
		held.Go(func() { postTo(t.Context(), client, s.URL+"/held", "x") })
		time.Sleep(20 * time.Microsecond)
	}
	leaving, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() { _, err := postTo(leaving, client, s.URL, "x"); left <- err }()
	<-dialing
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	answered := make(chan error, 1)
	go func() { _, err := postTo(t.Context(), client, s.URL, "x"); answered <- err }()
	close(release)
	if err := <-answered; err != nil {
		t.Error(err)
	}
	held.Wait()
	tr.secure.mu.Lock()
	defer tr.secure.mu.Unlock()
	if len(h.waiting) != 0 {
		t.Errorf("%d wait when all is over", len(h.waiting))
	}
}

// A server without HTTP/2 is called as ever, over a connection for each call in flight.
func TestServersWithoutHTTP2(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 1 {
			t.Errorf("asked over %s", r.Proto)
		}
		io.Copy(w, r.Body)
	}))
	defer server.Close()
	client := NewClient()
	defer client.CloseIdleConnections()
	client.Transport.(*transport).trust(server)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if got, err := postTo(t.Context(), client, server.URL, "x"); got != "x" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	all.Wait()
}

// A server that cannot be reached, or is not trusted, fails every call at once.
func TestAllWhoWaitHearOfAFailedDial(t *testing.T) {
	s, client, tr := newSecureServer(t, 100, func(http.ResponseWriter, *http.Request) {})
	tr.current(time.Now()).TLSClientConfig.RootCAs = nil
	var failed atomic.Int32
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, err := postTo(t.Context(), client, s.URL, "x"); err != nil {
				failed.Add(1)
			}
		})
	}
	all.Wait()
	if failed.Load() != 50 {
		t.Errorf("%d of 50 calls failed", failed.Load())
	}
}

// A stream that nobody reads holds back no other one of its connection.
func TestASlowStreamHoldsNoOtherBack(t *testing.T) {
	s, client, _ := newSecureServer(t, 100, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/long" {
			for chunk := make([]byte, 16<<10); ; {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}
	})
	for range 50 { // unread, each as much as its own window
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/long", nil)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
	}
	time.Sleep(100 * time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for range 20 {
		if _, err := postTo(ctx, client, s.URL, "x"); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.conns.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}
