package providers

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// directTo is a direct transport and the address of a server.
func directTo(t *testing.T, address string) (*direct, *url.URL, *atomic.Int32) {
	t.Helper()
	u, err := url.Parse(address + "/v1/x?y=z")
	if err != nil {
		t.Fatal(err)
	}
	var dials atomic.Int32
	d := &direct{dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		dials.Add(1)
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}}
	t.Cleanup(d.CloseIdleConnections)
	return d, u, &dials
}

// rawServer hands each connection and its number to serve, which owns it.
func rawServer(t *testing.T, serve func(n int, conn net.Conn, in *bufio.Reader)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { listener.Close(); all.Wait() })
	go func() { // ends when the listener closes
		for n := 1; ; n++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				serve(n, conn, bufio.NewReader(conn))
			})
		}
	}()
	return "http://" + listener.Addr().String()
}

func readRequest(in *bufio.Reader) (string, error) {
	req, err := http.ReadRequest(in)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(req.Body)
	return string(body), err
}

func TestDirectCallsAreWholeAndShareConnections(t *testing.T) {
	var wrong atomic.Pointer[string]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RequestURI() != "/v1/x?y=z" || r.Header.Get("Authorization") != "Bearer k" || r.Header.Get("Content-Type") != "application/json" {
			text := r.URL.RequestURI()
			wrong.Store(&text)
		}
		body, _ := io.ReadAll(r.Body)
		if len(body)%2 == 1 {
			w.(http.Flusher).Flush() // chunked
		}
		w.Write(body)
	}))
	defer server.Close()
	d, u, dials := directTo(t, server.URL)
	d.late = time.Minute
	header := http.Header{"Authorization": {"Bearer k"}, "Content-Type": jsonType}
	for _, size := range []int{0, 1, 100, 4095, 4096, 10_001, inlineBody, inlineBody + 1, 3_000_001, 5} {
		body := bytes.Repeat([]byte("x"), size)
		var sent, began atomic.Int32
		resp, err := d.send(t.Context(), u, header, payload{body}, hooks{nil, func() { began.Add(1) }, func() { sent.Add(1) }})
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		got, err := io.ReadAll(resp.Body)
		if err != nil || !bytes.Equal(got, body) || sent.Load() != 1 || began.Load() != 1 {
			t.Errorf("%d bytes: %d came back, %v, began %d, sent %d", size, len(got), err, began.Load(), sent.Load())
		}
		resp.Body.Close()
	}
	if p := wrong.Load(); p != nil {
		t.Errorf("the server saw another request: %s", *p)
	}
	if n := dials.Load(); n != 1 {
		t.Errorf("%d connections for calls one after the other", n)
	}
}

// lateConn is told late that what it wrote is out, as on a busy machine.
type lateConn struct{ net.Conn }

func (c lateConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if n > inlineBody {
		time.Sleep(50 * time.Millisecond)
	}
	return n, err
}

// An answer can be whole before who wrote its request knows that this is out: the
// connection serves the next call all the same.
func TestAnAnswerOvertakesItsRequest(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "done")
	}))
	defer server.Close()
	d, u, dials := directTo(t, server.URL)
	d.late = time.Minute // who waits is told long before
	dial := d.dial
	d.dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		return lateConn{c}, err
	}
	for range 3 {
		resp, err := d.send(t.Context(), u, nil, payload{bytes.Repeat([]byte("x"), 2*inlineBody)}, hooks{})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(resp.Body); string(got) != "done" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		resp.Body.Close()
	}
	if n := dials.Load(); n != 1 {
		t.Errorf("%d connections for calls one after the other", n)
	}
}

// Closing what was read to its end must not touch the call that has the connection now.
func TestClosingAnEndedCallLeavesTheNextAlone(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Write([]byte("first"))
		w.(http.Flusher).Flush()
		time.Sleep(20 * time.Millisecond)
		w.Write([]byte("second"))
	}))
	defer server.Close()
	d, u, dials := directTo(t, server.URL)
	first, err := d.send(t.Context(), u, nil, nil, hooks{})
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, first.Body)
	second, err := d.send(t.Context(), u, nil, nil, hooks{})
	if err != nil {
		t.Fatal(err)
	}
	first.Body.Close()
	if got, err := io.ReadAll(second.Body); err != nil || string(got) != "firstsecond" {
		t.Errorf("%q, %v", got, err)
	}
	if dials.Load() != 1 {
		t.Errorf("%d connections", dials.Load())
	}
}

// A server that closes a kept connection: seen before anything is written if it is seen
// at all, and otherwise the request is sent once more, but only if nothing was answered.
func TestClosedKeptConnections(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	for name, c := range map[string]struct {
		second func(conn net.Conn, in *bufio.Reader) // what the first connection does after its first answer
		idle   bool                                  // the next call comes after that
		works  bool
	}{
		"closed while idle":       {second: func(net.Conn, *bufio.Reader) {}, idle: true, works: true},
		"closed on the request":   {second: func(_ net.Conn, in *bufio.Reader) { readRequest(in) }, works: true},
		"talks unasked":           {second: func(c net.Conn, in *bufio.Reader) { io.WriteString(c, ok+ok) }, idle: true, works: true},
		"closed inside an answer": {second: func(c net.Conn, in *bufio.Reader) { readRequest(in); io.WriteString(c, "HTTP/1.1 200") }},
	} {
		t.Run(name, func(t *testing.T) {
			closed := make(chan struct{})
			base := rawServer(t, func(n int, conn net.Conn, in *bufio.Reader) {
				if _, err := readRequest(in); err != nil {
					return
				}
				io.WriteString(conn, ok)
				if n == 1 {
					c.second(conn, in)
					conn.Close()
					close(closed)
					return
				}
				readRequest(in)
			})
			d, u, dials := directTo(t, base)
			for i := range 2 {
				resp, err := d.send(t.Context(), u, nil, payload{[]byte("{}")}, hooks{})
				if i == 1 && !c.works {
					if err == nil {
						t.Error("a request that was partly answered was sent again")
					}
					return
				}
				if err != nil {
					t.Fatalf("call %d: %v", i, err)
				}
				if got, err := io.ReadAll(resp.Body); err != nil || string(got) != "ok" {
					t.Fatalf("call %d: %q, %v", i, got, err)
				}
				if i == 0 && c.idle {
					<-closed
				}
			}
			if dials.Load() != 2 {
				t.Errorf("%d connections, want 2", dials.Load())
			}
		})
	}
}

// A request that a new connection does not take is not sent again: it may have arrived.
func TestNewConnectionIsNotTriedTwice(t *testing.T) {
	var requests atomic.Int32
	base := rawServer(t, func(_ int, _ net.Conn, in *bufio.Reader) {
		if _, err := readRequest(in); err == nil {
			requests.Add(1)
		}
	})
	d, u, _ := directTo(t, base)
	if _, err := d.send(t.Context(), u, nil, payload{[]byte("{}")}, hooks{}); err == nil {
		t.Error("no error")
	}
	if n := requests.Load(); n != 1 {
		t.Errorf("the server got it %d times", n)
	}
}

// The answer to a long body that the server does not read is still heard.
func TestEarlyAnswerToALongBody(t *testing.T) {
	over := make(chan struct{})
	base := rawServer(t, func(_ int, conn net.Conn, in *bufio.Reader) {
		if _, err := http.ReadRequest(in); err != nil {
			return
		}
		io.WriteString(conn, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
		<-over // closing with the body unread would take the answer back
	})
	t.Cleanup(func() { close(over) })
	d, u, dials := directTo(t, base)
	for range 2 {
		resp, err := d.send(t.Context(), u, nil, payload{make([]byte, 20<<20)}, hooks{})
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(resp.Body); resp.StatusCode != 413 || string(got) != "big" {
			t.Errorf("%d %q", resp.StatusCode, got)
		}
		resp.Body.Close()
	}
	if dials.Load() != 2 {
		t.Error("a connection with half a request in it was used again")
	}
}

func TestOldConnectionsAreNotUsed(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("ok")) }))
	defer server.Close()
	d, u, dials := directTo(t, server.URL)
	call := func() {
		resp, err := d.send(t.Context(), u, nil, nil, hooks{})
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
	}
	call()
	for _, c := range d.idle[u.Host] {
		c.born = c.born.Add(-directAge - time.Second)
	}
	call()
	for _, c := range d.idle[u.Host] {
		c.since = c.since.Add(-idleTime - time.Second)
	}
	d.closeOver()
	if n := len(d.idle); n != 0 {
		t.Errorf("%d addresses keep connections whose time is over", n)
	}
	call()
	if n := dials.Load(); n != 3 {
		t.Errorf("%d connections, want 3: DNS would never be asked again", n)
	}
}

func TestDirectEndsWithItsContext(t *testing.T) {
	gone := errors.New("the client left")
	for _, phase := range []string{"", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal"} {
		closed := make(chan struct{})
		base := rawServer(t, func(_ int, conn net.Conn, in *bufio.Reader) {
			readRequest(in)
			io.WriteString(conn, phase)
			in.ReadByte() // until the other side is gone
			close(closed)
		})
		d, u, _ := directTo(t, base)
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(50*time.Millisecond, func() { cancel(gone) })
		resp, err := d.send(ctx, u, nil, payload{[]byte("{}")}, hooks{})
		if err == nil {
			_, err = io.ReadAll(resp.Body)
		}
		if !errors.Is(err, gone) {
			t.Errorf("after %q: %v, want the cause", phase, err)
		}
		select {
		case <-closed:
		case <-time.After(10 * time.Second):
			t.Errorf("after %q: the connection stays open", phase)
		}
	}
}

func TestDirectRefusesWhatIsNoAnswer(t *testing.T) {
	for name, said := range map[string]string{
		"garbage":         "SSH-2.0-x\r\n",
		"endless headers": "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", headMost+10),
		"only informs":    strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 10),
	} {
		base := rawServer(t, func(_ int, conn net.Conn, in *bufio.Reader) {
			readRequest(in)
			io.WriteString(conn, said)
		})
		d, u, _ := directTo(t, base)
		if resp, err := d.send(t.Context(), u, nil, nil, hooks{}); err == nil {
			t.Errorf("%s: %+v", name, resp)
		}
	}
	d, u, dials := directTo(t, "http://127.0.0.1:1")
	if _, err := d.send(t.Context(), u, http.Header{"X": {"a\r\nY: b"}}, nil, hooks{}); err == nil || dials.Load() > 1 {
		t.Errorf("a header inside a header: %v", err)
	}
}

func TestDirectInformedFirst(t *testing.T) {
	base := rawServer(t, func(_ int, conn net.Conn, in *bufio.Reader) {
		readRequest(in)
		io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end")
	})
	d, u, _ := directTo(t, base)
	resp, err := d.send(t.Context(), u, nil, nil, hooks{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(resp.Body); err != nil || string(got) != "until the end" {
		t.Errorf("%q, %v", got, err)
	}
	if len(d.idle) != 0 {
		t.Error("a connection that the server closes is kept")
	}
}

func TestWhatGoesDirectly(t *testing.T) {
	tr := newTransport()
	for address, direct := range map[string]bool{
		"http://127.0.0.1:11434/v1": true, "https://api.openai.com/v1": false, "http://me:secret@127.0.0.1/v1": false,
	} {
		u, _ := url.Parse(address)
		if tr.plain(u) != direct {
			t.Errorf("%s: direct %v, want %v", u.Redacted(), !direct, direct)
		}
	}
	now := time.Unix(1_000_000, 0)
	first := tr.current(now)
	if tr.current(now.Add(restAge)) != first || tr.current(now.Add(restAge+1)) == first {
		t.Error("the connections of one transport are not bounded in age")
	}
	if tr.current(now.Add(restAge+2)).TLSClientConfig.ClientSessionCache != first.TLSClientConfig.ClientSessionCache {
		t.Error("a new transport does not resume TLS sessions")
	}
}

// Where HTTP/2 is offered it is used, and a new connection resumes the TLS session.
func TestHTTP2AndTLSResumption(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	tr := newTransport()
	for i := range 2 {
		rest := tr.current(time.Now())
		rest.TLSClientConfig.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
		resp, err := (&http.Client{Transport: tr}).Post(server.URL, "text/plain", strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.ProtoMajor != 2 || resp.TLS.DidResume != (i == 1) {
			t.Errorf("call %d: %s, resumed %v", i, resp.Proto, resp.TLS.DidResume)
		}
		tr.CloseIdleConnections()
		tr.rest = nil // as if its time were over
	}
}
