package providers

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// secure carries calls over TLS to servers that speak HTTP/2, over as many connections
// as the calls in flight need. http.Transport opens one for each call that finds none
// with room, also while others are being opened: a thousand calls that begin at once had
// it make over two thousand, where ten carry them. Connections themselves are net/http's.
type secure struct {
	dial func(ctx context.Context, addr string) (*http.ClientConn, error)

	mu    sync.Mutex
	hosts map[string]*host
}

const (
	dialTime    = 20 * time.Second // for which a connection may be in the making
	mostRefused = 3                // times that a request is sent again whose stream its server refused
	mostMissed  = 20               // times that a connection may end before a request is sent on it, or looked at
)

// errOneAtATime: a connection to this server carries one call, so the server has no
// HTTP/2 for us. What it is called by is http.Transport.
var errOneAtATime = errors.New("the server speaks no HTTP/2")

// host is one server. The pool's lock guards it.
type host struct {
	pool    *secure
	addr    string
	conns   []*http2Conn // the longest in use first, which are filled first, so that the last ones get idle and end
	waiting []*place
	coming  int       // connections that are being made
	each    int       // calls that a new connection carried at once, lately
	single  time.Time // when it was seen to speak no HTTP/2; zero: it was not
}

// http2Conn is one connection. The pool's lock guards what it holds.
type http2Conn struct {
	*http.ClientConn
	host    *host
	born    time.Time
	settled bool // it has had the time to hear how many calls it may carry
	used    bool // by a call before
	calls   int  // that it carries, or is about to
}

// place is where a call waits for a connection with room.
type place struct {
	got  chan struct{} // closed when one of these is set
	conn *http2Conn    // that counts the call already
	used bool          // the connection, before
	err  error
}

// RoundTrip implements http.RoundTripper; errOneAtATime leaves the request untouched.
// A request that its server says not to have looked at is sent again (RFC 9113, sections
// 6.8 and 8.7): so it says of those that a GOAWAY does not cover and of refused streams. The
// first is chance, a request that meets the connection's end on its way, and not the server's
// word on the request: the next connection is as good as any.
func (s *secure) RoundTrip(req *http.Request) (*http.Response, error) {
	trace := httptrace.ContextClientTrace(req.Context())
	var before error // of the last time that it was sent
	for refused, missed := 0, 0; ; {
		conn, used, err := s.take(req)
		if before != nil && errors.Is(err, errOneAtATime) {
			err = before // its body has been read
		}
		if err != nil {
			if req.Body != nil && !errors.Is(err, errOneAtATime) {
				req.Body.Close()
			}
			return nil, err
		}
		if trace != nil && trace.GotConn != nil {
			trace.GotConn(httptrace.GotConnInfo{Reused: used})
		}
		resp, err := conn.RoundTrip(req)
		if err == nil {
			resp.Body = &http2Body{ReadCloser: resp.Body, conn: conn}
			return resp, nil
		}
		conn.end()
		switch before = err; {
		case req.Context().Err() != nil:
			return nil, err
		case (unusable(err) || passedBy(err)) && missed < mostMissed:
			missed++
		case refusedUnseen(err) && refused < mostRefused:
			refused++
		default:
			return nil, err
		}
		if req, err = anew(req, err); err != nil {
			return nil, err
		}
	}
}

// http2Body is the body of an answer, with whose end the connection has room again.
type http2Body struct {
	io.ReadCloser
	conn  *http2Conn
	ended atomic.Bool
}

func (b *http2Body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.end()
	}
	return n, err
}

// wait waits until there is something to read: net/http's body of HTTP/2 does so also for
// who wants no bytes. One that did not would only be read at once. An error is seen by who
// reads.
func (b *http2Body) wait() { b.ReadCloser.Read(nil) }

// Close may come from another goroutine than Read.
func (b *http2Body) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}

func (b *http2Body) end() {
	if b.ended.CompareAndSwap(false, true) {
		b.conn.end()
	}
}

// anew is a request with its body from the beginning.
func anew(req *http.Request, because error) (*http.Request, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return req, nil
	}
	if req.GetBody == nil {
		return nil, because
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, err
	}
	next := *req
	next.Body = body
	return &next, nil
}

// refusedUnseen: the server did nothing for this request, and keeps the connection.
func refusedUnseen(err error) bool {
	const refusedStream = 7 // RFC 9113, section 7
	var one streamError
	return errors.As(err, &one) && one.Code == refusedStream
}

// passedBy: the server did nothing for this request, since it ends the connection. The errors
// of net/http have neither names nor types that can be written.
func passedBy(err error) bool {
	return strings.Contains(err.Error(), "http2: Transport received Server's graceful shutdown GOAWAY")
}

// unusable: the connection ended before anything of this request was sent.
func unusable(err error) bool { return strings.Contains(err.Error(), "http2: client conn not usable") }

// take gives a connection that counts this call, and whether it has carried another before.
func (s *secure) take(req *http.Request) (conn *http2Conn, used bool, err error) {
	addr := req.URL.Host
	if req.URL.Port() == "" {
		addr = net.JoinHostPort(req.URL.Hostname(), "443")
	}
	s.mu.Lock()
	h := s.at(addr)
	if !h.single.IsZero() && time.Since(h.single) < restAge {
		s.mu.Unlock()
		return nil, false, errOneAtATime
	}
	if len(h.waiting) == 0 { // nobody is passed by
		if conn = h.room(); conn != nil {
			used = conn.take()
			s.mu.Unlock()
			return conn, used, nil
		}
	}
	p := &place{got: make(chan struct{})}
	h.waiting = append(h.waiting, p)
	h.serve()
	s.mu.Unlock()
	select {
	case <-p.got:
	case <-req.Context().Done():
		s.leave(h, p)
		return nil, false, context.Cause(req.Context())
	}
	return p.conn, p.used, p.err
}

func (s *secure) at(addr string) *host {
	h := s.hosts[addr]
	if h == nil {
		if s.hosts == nil {
			s.hosts = map[string]*host{}
		}
		h = &host{pool: s, addr: addr}
		s.hosts[addr] = h
	}
	return h
}

// leave takes back a place whose call has ended, and what was kept for it.
func (s *secure) leave(h *host, p *place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, other := range h.waiting {
		if other == p {
			h.waiting = append(h.waiting[:i], h.waiting[i+1:]...)
			return
		}
	}
	if p.conn != nil {
		p.conn.calls--
		h.serve()
	}
}
