package providers

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	neturl "net/url"
	"sync"
	"sync/atomic"
	"time"
)

// transport carries the calls of all adapters: direct where there is neither TLS nor a
// proxy, over shared connections where there is HTTP/2, through http.Transport otherwise.
type transport struct {
	direct    *direct
	secure    *secure
	unproxied copied[bool] // whether a host without TLS is reached directly

	dialer   *net.Dialer
	sessions tls.ClientSessionCache

	mu   sync.Mutex
	rest *http.Transport
	born time.Time
}

// restAge is how long new calls go over a connection of HTTP/2, or over those of one
// http.Transport. One that is in use all the time would never see a change in DNS; the
// next one resolves anew, and resumes the TLS session of the last.
const restAge = 10 * time.Minute

func newTransport() *transport {
	t := &transport{
		dialer:   &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second},
		sessions: tls.NewLRUClientSessionCache(256),
	}
	t.direct = &direct{dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := t.dialer.DialContext(ctx, network, addr)
		if tcp, ok := conn.(*net.TCPConn); ok && err == nil {
			_ = tcp.SetReadBuffer(receiveBuffer) // without it, a slow client only costs more
		}
		return conn, err
	}}
	t.secure = &secure{dial: func(ctx context.Context, addr string) (*http.ClientConn, error) {
		return t.current(time.Now()).NewClientConn(ctx, "https", addr)
	}}
	return t
}

// receiveBuffer is how much of an answer may wait for a client that reads slowly: per
// stream in HTTP/2, and per connection where each call has its own. By themselves the
// kernel would keep some megabytes, and Go four.
const receiveBuffer = 64 << 10

// plain says whether a URL is reached directly.
func (t *transport) plain(u *neturl.URL) bool {
	if u.Scheme != "http" || u.User != nil {
		return false
	}
	if known, ok := t.unproxied.get(u.Host); ok {
		return known
	}
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: u})
	return t.unproxied.put(u.Host, proxy == nil && err == nil)
}

// RoundTrip implements http.RoundTripper for what is not sent directly.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == "https" {
		resp, err := t.secure.RoundTrip(req)
		if !errors.Is(err, errOneAtATime) {
			return resp, err
		}
	}
	return t.current(time.Now()).RoundTrip(req)
}

// silence is how long nothing may come on an HTTP/2 connection before it is asked with a
// ping whether it lives, and pingAnswer how long it may take to say so. Without them one
// that a router between has forgotten holds all calls to its provider until the kernel
// gives up, a quarter of an hour later. Google's frontends close connections that ping
// every 10 s without data as a nuisance, with all their streams, and allow 30 s.
const (
	silence    = 30 * time.Second
	pingAnswer = 5 * time.Second
)

// current is the http.Transport of the moment. What an older one still does goes on, and
// its connections end when they have been idle.
func (t *transport) current(now time.Time) *http.Transport {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rest == nil || now.Sub(t.born) > restAge {
		t.rest, t.born = t.make(), now
	}
	return t.rest
}

func (t *transport) make() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         t.dialer.DialContext,
		ForceAttemptHTTP2:   true,
		MaxIdleConns:        0,
		MaxIdleConnsPerHost: 1024,
		IdleConnTimeout:     idleTime,
		TLSHandshakeTimeout: 10 * time.Second,
		TLSClientConfig:     &tls.Config{ClientSessionCache: t.sessions},
		DisableCompression:  true,
		WriteBufferSize:     4 << 10,
		ReadBufferSize:      4 << 10,
		HTTP2: &http.HTTP2Config{MaxReceiveBufferPerStream: receiveBuffer,
			SendPingTimeout: silence, PingTimeout: pingAnswer, WriteByteTimeout: silence},
	}
}

// CloseIdleConnections closes what nobody uses now.
func (t *transport) CloseIdleConnections() {
	t.direct.CloseIdleConnections()
	t.secure.CloseIdleConnections()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rest != nil {
		t.rest.CloseIdleConnections()
	}
}

// copied is a map that is copied when something is put in: for few things that are read
// with each call.
type copied[V any] struct{ now atomic.Pointer[map[string]V] }

func (c *copied[V]) get(key string) (v V, ok bool) {
	if m := c.now.Load(); m != nil {
		v, ok = (*m)[key]
	}
	return v, ok
}

func (c *copied[V]) put(key string, v V) V {
	for {
		old, next := c.now.Load(), map[string]V{key: v}
		if old != nil {
			for k, v := range *old {
				next[k] = v
			}
		}
		if c.now.CompareAndSwap(old, &next) {
			return next[key]
		}
	}
}

// addresses are the URLs that were parsed: there are as many as models.
var addresses copied[*neturl.URL]

func parsedURL(address string) (*neturl.URL, error) {
	if u, ok := addresses.get(address); ok {
		return u, nil
	}
	u, err := neturl.Parse(address)
	if err == nil {
		addresses.put(address, u)
	}
	return u, err
}
