package providers

import (
	"context"
	"errors"
	"time"
)

// room gives a connection that has room for a call; nil if there is none. Connections
// that have ended are dropped, and old ones no longer used, so that a change in DNS is
// followed; those end when they have been idle.
func (h *host) room() *http2Conn {
	now := time.Now()
	kept, found := h.conns[:0], (*http2Conn)(nil)
	for _, c := range h.conns {
		if c.Err() != nil {
			continue
		}
		kept = append(kept, c)
		if found == nil && now.Sub(c.born) < restAge && c.free() {
			found = c
		}
	}
	clear(h.conns[len(kept):])
	h.conns = kept
	return found
}

// free says whether the connection may carry one more call. What it carries is counted
// here: net/http counts a call only when it begins to send it, and what it lets us reserve
// can stand still for ever when the server then allows less than was reserved.
func (c *http2Conn) free() bool {
	carries, more := c.carries()
	if more == 0 || !c.settled {
		return more > 0 && c.calls == 0
	}
	return c.calls < carries
}

// carries is how many calls the connection may carry, and how many more; none more where
// it is about to end. Calls begin and end between the two looks. Those in flight are looked
// at first: one that begins then makes the sum too small, and one that ends is still
// counted among our calls. The other way round a call too many waits for the end of another.
func (c *http2Conn) carries() (all, more int) {
	flying := c.InFlight()
	more = c.Available()
	return flying + more, more
}

// take counts a call, and says whether there was one before.
func (c *http2Conn) take() (used bool) {
	used, c.used = c.used, true
	c.calls++
	return used
}

// end makes room for another call.
func (c *http2Conn) end() {
	c.host.pool.mu.Lock()
	defer c.host.pool.mu.Unlock()
	c.calls--
	if len(c.host.waiting) > 0 {
		c.host.serve()
	}
}

// serve gives connections to those who wait, and begins as many new ones as the rest of
// them need.
func (h *host) serve() {
	for len(h.waiting) > 0 {
		c := h.room()
		if c == nil {
			break
		}
		h.first().give(c, c.take(), nil)
	}
	for h.coming*max(h.each, 1) < len(h.waiting) {
		if h.coming > 0 && h.each == 0 {
			return // the first one tells how many are needed
		}
		h.coming++
		go h.dial() // ends within dialTime
	}
}

// first takes the first place out of those that wait.
func (h *host) first() *place {
	p := h.waiting[0]
	h.waiting[0] = nil
	h.waiting = h.waiting[1:]
	return p
}

func (p *place) give(c *http2Conn, used bool, err error) {
	p.conn, p.used, p.err = c, used, err
	close(p.got)
}

// dial makes one more connection. It is nobody's own: a call that leaves meanwhile does
// not take it from the others.
func (h *host) dial() {
	begun := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), dialTime)
	defer cancel()
	c, err := h.pool.dial(ctx, h.addr)
	if err == nil && c.Available() == 0 {
		c.Close()
		err = errors.New("the server takes no call on a new connection")
	}
	h.pool.mu.Lock()
	defer h.pool.mu.Unlock()
	if err != nil {
		h.coming--
		h.fail(err)
		h.serve()
		return
	}
	if c.Available() == 1 { // of HTTP/1.1; one of HTTP/2 begins with more
		defer c.Close()
		h.coming--
		h.single, h.each = time.Now(), 0
		for len(h.waiting) > 0 {
			h.first().give(nil, false, errOneAtATime)
		}
		return
	}
	conn := &http2Conn{ClientConn: c, host: h, born: time.Now()}
	h.conns = append(h.conns, conn)
	h.serve()
	h.settle(conn, time.Since(begun))
}

// settle waits until the connection knows how many calls it may carry. That is the first
// that a server says (RFC 9113, section 3.4), and shows here only where it is another
// number than net/http begins with. It is on its way when the handshake is over, and so
// here after a part of the time that the handshake took. Gives the lock back meanwhile.
func (h *host) settle(conn *http2Conn, took time.Duration) {
	const begins = 100 // as the least that the RFC recommends, section 6.5.2
	h.pool.mu.Unlock()
	for end := time.Now().Add(max(took, 5*time.Millisecond)); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if all, _ := conn.carries(); conn.Err() != nil || all != begins {
			break
		}
	}
	h.pool.mu.Lock()
	h.coming--
	conn.settled = true
	if all, more := conn.carries(); more > 0 {
		h.each = all
	}
	h.serve()
}

// fail tells as many who wait as the connection would have carried, and all of them when
// no other is in the making.
func (h *host) fail(err error) {
	n := len(h.waiting)
	if h.coming > 0 {
		n = min(n, max(h.each, 1))
	}
	for range n {
		h.first().give(nil, false, err)
	}
}

// CloseIdleConnections ends the connections that carry no call.
func (s *secure) CloseIdleConnections() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.hosts {
		kept := h.conns[:0]
		for _, c := range h.conns {
			if c.calls == 0 {
				c.Close()
				continue
			}
			kept = append(kept, c)
		}
		clear(h.conns[len(kept):])
		h.conns = kept
	}
}
