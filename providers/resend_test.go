package providers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gateway"
)

type connKey struct{}

// overTLS serves HTTP/2 and gives an adapter that trusts it. drop cuts the connection of
// a request as a network does.
func overTLS(t *testing.T, handle func(w http.ResponseWriter, r *http.Request, drop func())) *openAI {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if r.ProtoMajor != 2 {
			t.Errorf("asked over %s", r.Proto)
		}
		handle(w, r, func() { connOf(r).NetConn().Close() })
	}))
	server.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) }
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	client := NewClient()
	t.Cleanup(client.CloseIdleConnections)
	rest := client.Transport.(*transport).current(time.Now())
	rest.TLSClientConfig.RootCAs = x509.NewCertPool()
	rest.TLSClientConfig.RootCAs.AddCert(server.Certificate())
	a, _ := newOpenAI(Settings{Name: "p", Kind: openAIKind, BaseURL: server.URL, Key: "k", Client: client})
	return a.(*openAI)
}

func connOf(r *http.Request) *tls.Conn { return r.Context().Value(connKey{}).(*tls.Conn) }

func answersShortly(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/event-stream")
	io.WriteString(w, shortStream)
}

func askOnce(t *testing.T, a *openAI, call *gateway.Call) error {
	s, err := a.Open(t.Context(), call)
	if err != nil {
		return err
	}
	defer s.Close()
	_, err = gateway.Collect(s)
	return err
}

// One HTTP/2 connection goes down under many calls: each is sent once more and answered,
// and each asks for leave, and says that it was sent, once.
func TestDeadHTTP2ConnectionIsReplaced(t *testing.T) {
	const calls = 8
	var asked, ready, sent atomic.Int32
	a := overTLS(t, func(w http.ResponseWriter, r *http.Request, drop func()) {
		switch n := asked.Add(1); {
		case n == 1 || n > 1+calls:
			answersShortly(w)
		case n == 1+calls: // all have come, none is answered
			drop()
		default:
			<-r.Context().Done()
		}
	})
	if err := askOnce(t, a, chatCall()); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range calls {
		all.Go(func() {
			call := chatCall()
			call.OnReady = func() error { ready.Add(1); return nil }
			call.OnSent = func() { sent.Add(1) }
			if err := askOnce(t, a, call); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if asked.Load() != 1+2*calls || ready.Load() != calls || sent.Load() != calls {
		t.Errorf("asked %d times, ready %d, sent %d; want %d, %d, %d", asked.Load(), ready.Load(), sent.Load(), 1+2*calls, calls, calls)
	}
}

// What is not the connection's fault, or was answered in part, is not sent again; nor is
// anything sent a third time.
func TestWhatIsNotSentAgain(t *testing.T) {
	for _, c := range []struct {
		name  string
		warm  bool
		fail  func(w http.ResponseWriter, drop func())
		asked int32
	}{
		{"a first connection", false, func(_ http.ResponseWriter, drop func()) { drop() }, 1},
		{"every connection", true, func(_ http.ResponseWriter, drop func()) { drop() }, 2},
		{"one stream ended by the server", true, func(http.ResponseWriter, func()) { panic(http.ErrAbortHandler) }, 1},
		{"the answer had begun", true, func(w http.ResponseWriter, drop func()) {
			w.Header().Set("Content-Type", "text/event-stream")
			w.WriteHeader(200)
			w.(http.Flusher).Flush()
			time.Sleep(50 * time.Millisecond) // until the client has read it
			drop()
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var warm atomic.Bool
			var asked atomic.Int32
			a := overTLS(t, func(w http.ResponseWriter, r *http.Request, drop func()) {
				if !warm.Load() {
					answersShortly(w)
					return
				}
				asked.Add(1)
				c.fail(w, drop)
				<-r.Context().Done()
			})
			if c.warm {
				if err := askOnce(t, a, chatCall()); err != nil {
					t.Fatal(err)
				}
			}
			warm.Store(true)
			err := askOnce(t, a, chatCall())
			if kind := gateway.KindOf(err); err == nil || kind != gateway.Unavailable && kind != gateway.RetryNow {
				t.Errorf("%v", err)
			}
			if n := asked.Load(); n != c.asked {
				t.Errorf("asked %d times, want %d", n, c.asked)
			}
		})
	}
}

// A server that says that it took the request, and closes, may be at work on it.
func TestWhatAGoodbyeCoversIsNotSentAgain(t *testing.T) {
	var asked atomic.Int32
	a := overTLS(t, func(w http.ResponseWriter, r *http.Request, drop func()) {
		if asked.Add(1) == 1 {
			answersShortly(w)
			return
		}
		// GOAWAY on stream 0, no error, that covers every stream
		if _, err := connOf(r).Write([]byte{0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0}); err != nil {
			t.Error(err)
		}
		drop()
		<-r.Context().Done()
	})
	if err := askOnce(t, a, chatCall()); err != nil {
		t.Fatal(err)
	}
	if err := askOnce(t, a, chatCall()); gateway.KindOf(err) != gateway.Unavailable && gateway.KindOf(err) != gateway.RetryNow {
		t.Errorf("%v", err)
	}
	if n := asked.Load(); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

// A connection that carried a request for longer than a dead one goes unnoticed was alive.
func TestALateDeathIsNotTheConnections(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	conn, err := tls.Dial("tcp", server.Listener.Addr().String(), &tls.Config{RootCAs: roots, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, c := range []struct {
		ago  time.Duration // since all of the request was out; 0: it never was
		died bool
	}{{0, true}, {time.Second, true}, {silence + pingAnswer, true}, {silence + pingAnswer + 2*time.Second, false}, {time.Hour, false}} {
		var p passage
		p.on.Store(&httptrace.GotConnInfo{Conn: conn, Reused: true})
		if c.ago > 0 {
			p.wrote.Store(time.Now().Add(-c.ago).UnixNano())
		}
		if got := p.died(io.ErrUnexpectedEOF); got != c.died {
			t.Errorf("%v after the request was out: sent again %v", c.ago, got)
		}
	}
}
