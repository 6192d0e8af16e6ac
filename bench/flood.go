package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// flood is load that costs its sender little: the same bytes on connections that stay
// open. It is for finding out what a server does beyond its limit, on a machine that
// server and sender share; load is for everything else.
type flood struct {
	addr    string
	request []byte
	conns   int           // most calls in flight
	timeout time.Duration // of one call
	callers []*caller     // one for each connection, once connect has opened them
}

// newFlood makes one of a target's call.
func newFlood(base string, t *target, conns int) *flood {
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", t.key, len(t.body), t.body)
	return &flood{addr: hostPort(base), request: b.Bytes(), conns: conns, timeout: 30 * time.Second}
}

// closed keeps all connections busy for a while.
func (f *flood) closed(ctx context.Context, length time.Duration) *report {
	end := time.Now().Add(length)
	return f.drive(ctx, func() (time.Time, bool) { now := time.Now(); return now, now.Before(end) })
}

// open sends at the moments of a Poisson process. A call that finds all connections
// busy is not sent: what it would have done later is another load than the one meant.
func (f *flood) open(ctx context.Context, rate float64, length time.Duration) *report {
	due := make(chan time.Time, f.conns/20) // who sleeps between calls does so for a millisecond
	var unsent int
	go func() { // ends when all are due
		defer close(due)
		next := arrivals(plan{rate: rate})
		begin := time.Now()
		for at := begin.Add(next()); at.Before(begin.Add(length)) && ctx.Err() == nil; at = at.Add(next()) {
			if wait := time.Until(at); wait > time.Millisecond { // finer sleeps cost more than they tell
				time.Sleep(wait)
			}
			select {
			case due <- at:
			default:
				unsent++
			}
		}
	}()
	r := f.drive(ctx, func() (time.Time, bool) { at, more := <-due; return at, more })
	for range unsent { // the sender has ended: nobody counts any more
		r.add(sample{err: errNotSent})
	}
	return r
}

// connect opens the connections, some at a time: a storm of new ones is another load than
// calls at a rate. Those that cannot be opened are tried again by their first call.
func (f *flood) connect(ctx context.Context) {
	f.callers = make([]*caller, f.conns)
	for i := range f.callers {
		f.callers[i] = &caller{flood: f}
	}
	for some := range slices.Chunk(f.callers, 32) {
		var all sync.WaitGroup
		for _, c := range some {
			all.Go(func() { _ = c.dial() })
		}
		all.Wait()
		if ctx.Err() != nil {
			return
		}
	}
}

// drive calls on every connection as long as next has a call. What took counts is the
// time in which calls were sent and answered.
func (f *flood) drive(ctx context.Context, next func() (time.Time, bool)) *report {
	r := newReport()
	begun := time.Now()
	var callers sync.WaitGroup
	for _, c := range f.callers {
		callers.Go(func() {
			defer c.close()
			for {
				at, more := next()
				if !more || ctx.Err() != nil {
					return
				}
				r.add(c.call(at))
			}
		})
	}
	callers.Wait()
	r.took = time.Since(begun)
	return r
}

// caller is one connection.
type caller struct {
	flood *flood
	conn  net.Conn
	in    *bufio.Reader
	buf   []byte
}

func (c *caller) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

func (c *caller) call(due time.Time) sample {
	late := time.Since(due)
	s := c.try(due)
	s.late = late
	if s.err == nil {
		s.whole = time.Since(due)
		return s
	}
	var no *refused
	if !errors.As(s.err, &no) {
		s.err = plainly(s.err)
		c.close()
	}
	return s
}

// dial opens the connection if it is not open.
func (c *caller) dial() error {
	if c.conn != nil {
		return nil
	}
	conn, err := net.DialTimeout("tcp", c.flood.addr, c.flood.timeout)
	if err != nil {
		return err
	}
	c.conn, c.in, c.buf = conn, bufio.NewReaderSize(conn, 4<<10), make([]byte, 4<<10)
	return nil
}

func (c *caller) try(due time.Time) sample {
	if err := c.dial(); err != nil {
		return sample{err: err}
	}
	_ = c.conn.SetDeadline(time.Now().Add(c.flood.timeout))
	if _, err := c.conn.Write(c.flood.request); err != nil {
		return sample{err: err}
	}
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return sample{err: err}
	}
	defer func() {
		if res.Close {
			c.close()
		}
	}()
	if res.StatusCode != http.StatusOK {
		no := refusalOf(res)
		_, err := io.Copy(io.Discard, res.Body)
		return sample{err: errors.Join(no, err)}
	}
	return c.read(res.Body, due)
}

// read takes an answer of either kind, and wants a stream to end with [DONE].
func (c *caller) read(body io.Reader, due time.Time) (s sample) {
	last := make([]byte, 0, 2*len("data: [DONE]\n\n"))
	stream := false
	for {
		n, err := body.Read(c.buf)
		if n > 0 && s.first == 0 {
			s.first = time.Since(due)
			stream = bytes.HasPrefix(c.buf[:n], []byte("data:")) || bytes.HasPrefix(c.buf[:n], []byte(":"))
		}
		s.bytes += int64(n)
		last = append(last, c.buf[max(0, n-20):n]...)
		last = append(last[:0], last[max(0, len(last)-20):]...)
		switch {
		case err == nil:
		case !errors.Is(err, io.EOF):
			s.err = err
			return s
		case stream && !bytes.Contains(last, []byte("[DONE]")):
			s.err = errors.New("stream ended without [DONE]")
			return s
		default:
			return s
		}
	}
}
