package providers

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"sync"
	"syscall"
	"time"
)

// direct makes HTTP/1.1 calls to servers that are reached without TLS and without a
// proxy: local model servers, and gateways and sidecars of one's own cluster. It does
// what http.Transport does for them in the goroutine of the caller: no goroutine per
// connection, no hand-over per call, and buffers only while a call is under way. Parsing
// stays with net/http, but for heads that can be read in one way only. Whatever is more
// than that goes through http.Transport.
type direct struct {
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
	late time.Duration // for which the end of an answer waits for that of its request; 0: lateMost

	mu     sync.Mutex
	idle   map[string][]*directConn // by address, the last used at the end
	sweep  *time.Timer              // closes idle connections whose time is over; nil while there are none
	closed bool
}

const (
	idleMost   = 1024                  // idle connections of one address
	idleTime   = 90 * time.Second      // for which one is kept
	directAge  = 10 * time.Minute      // after which one is not used again, so that a change in DNS is followed
	inlineBody = 64 << 10              // a longer body is written while the answer is read already
	headMost   = 1 << 20               // bytes of an answer's headers
	lateMost   = 20 * time.Millisecond // a goroutine that can run does so within 10 ms as a rule, on a busy machine too
)

func (d *direct) writeLate() time.Duration {
	if d.late > 0 {
		return d.late
	}
	return lateMost
}

// hooks are told how far a request got.
type hooks struct {
	ready func() error // there is a connection; an error ends the call
	began func()       // some of it may have reached the server
	sent  func()       // all of it has been written
}

// send makes one POST of JSON; header has no Content-Type. A request that a kept connection
// did not take, because the server had closed it, is sent once more over a new one: the
// server has answered nothing, and has as a rule read nothing. Close the answer's body.
func (d *direct) send(ctx context.Context, u *url.URL, header http.Header, body payload, h hooks) (*http.Response, error) {
	addr := u.Host
	if u.Port() == "" {
		addr = net.JoinHostPort(u.Hostname(), "80")
	}
	c := d.take(addr)
	if c == nil {
		return d.fresh(ctx, addr, u, header, body, h)
	}
	resp, err := c.exchange(ctx, u, header, body, h)
	if err != nil && c.stale(err) && ctx.Err() == nil {
		h.ready = nil // has been asked
		return d.fresh(ctx, addr, u, header, body, h)
	}
	return resp, err
}

func (d *direct) fresh(ctx context.Context, addr string, u *url.URL, header http.Header, body payload, h hooks) (*http.Response, error) {
	conn, err := d.dial(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &directConn{Conn: conn, pool: d, addr: addr, born: time.Now()}
	c.await = c.look
	if s, ok := conn.(syscall.Conn); ok {
		c.raw, _ = s.SyscallConn()
	}
	return c.exchange(ctx, u, header, body, h)
}

// take gives an idle connection that its server has not closed; nil if there is none.
func (d *direct) take(addr string) *directConn {
	now := time.Now()
	for {
		d.mu.Lock()
		list := d.idle[addr]
		if len(list) == 0 {
			d.mu.Unlock()
			return nil
		}
		c := list[len(list)-1]
		list[len(list)-1] = nil
		d.idle[addr] = list[:len(list)-1]
		d.mu.Unlock()
		if !c.over(now) && c.quiet() {
			return c
		}
		c.Conn.Close()
	}
}

// put keeps a connection whose answer was read to its end.
func (d *direct) put(c *directConn) {
	c.since = time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	list := d.idle[c.addr]
	if d.closed || len(list) >= idleMost || c.over(c.since) {
		c.Conn.Close()
		return
	}
	if d.idle == nil {
		d.idle = map[string][]*directConn{}
	}
	d.idle[c.addr] = append(list, c)
	if d.sweep == nil {
		d.sweep = time.AfterFunc(idleTime, d.closeOver)
	}
}

// closeOver closes the idle connections whose time is over, and comes again while there
// are others.
func (d *direct) closeOver() {
	d.mu.Lock()
	defer d.mu.Unlock()
	now, left := time.Now(), false
	for addr, list := range d.idle {
		kept := list[:0]
		for _, c := range list {
			if c.over(now) {
				c.Conn.Close()
				continue
			}
			kept = append(kept, c)
		}
		clear(list[len(kept):])
		if len(kept) == 0 {
			delete(d.idle, addr)
			continue
		}
		d.idle[addr], left = kept, true
	}
	d.sweep = nil
	if left && !d.closed {
		d.sweep = time.AfterFunc(idleTime/2, d.closeOver)
	}
}

// CloseIdleConnections closes what is kept now.
func (d *direct) CloseIdleConnections() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for addr, list := range d.idle {
		for _, c := range list {
			c.Conn.Close()
		}
		delete(d.idle, addr)
	}
	if d.sweep != nil {
		d.sweep.Stop()
		d.sweep = nil
	}
}
