package providers

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// directConn is one connection. It is idle, or in the hands of one directCall.
type directConn struct {
	net.Conn
	pool  *direct
	addr  string
	born  time.Time
	since time.Time // idle
	raw   syscall.RawConn
	calls int
	limit int  // bytes that the headers may still have; below 0: not counted
	got   bool // something of the answer has come

	await  func(fd uintptr) bool // looks once, and then lets the connection be waited for
	looked bool
}

// look is await: the first look tells whether there is something to read; a second one
// follows only when there is.
func (c *directConn) look(fd uintptr) bool {
	if c.looked {
		c.looked = false
		return true
	}
	var one [1]byte
	_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	c.looked = err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
	return !c.looked
}

// over says whether the connection has lived or lain long enough.
func (c *directConn) over(now time.Time) bool {
	return now.Sub(c.born) > directAge || !c.since.IsZero() && now.Sub(c.since) > idleTime
}

// quiet says that an idle connection is open and nothing has come over it: a server that
// closed it meanwhile, or said something unasked, gets no request over it.
func (c *directConn) quiet() bool {
	if c.raw == nil {
		return true
	}
	quiet := false
	err := c.raw.Read(func(fd uintptr) bool {
		var one [1]byte
		_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		quiet = err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
		return true
	})
	return err == nil && quiet
}

var errLongHead = errors.New("the answer's headers are larger than 1 MiB")

// Read counts what the headers take.
func (c *directConn) Read(p []byte) (int, error) {
	if c.limit == 0 {
		return 0, errLongHead
	}
	if c.limit > 0 && len(p) > c.limit {
		p = p[:c.limit]
	}
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.got = true
		if c.limit > 0 {
			c.limit -= n
		}
	}
	return n, err
}

// stale: the server had closed this kept connection before it answered anything.
func (c *directConn) stale(err error) bool {
	return c.calls > 1 && !c.got && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE))
}

// directCall is one request and its answer, whose body it is. Read to its end, it frees
// the connection for another call; closed before that, it ends the connection.
type directCall struct {
	c     *directConn
	ctx   context.Context
	r     *bufio.Reader
	body  io.ReadCloser
	keep  bool
	err   error // of reading
	stop  func() bool
	wrote chan error // of a body that is written beside; nil for one that is not
	ended atomic.Bool
}

var (
	readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 2<<10) }}
	heads   = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}
)

// exchange writes the request and reads the answer's headers. An error ends the connection.
func (c *directConn) exchange(ctx context.Context, u *url.URL, header http.Header, body payload, h hooks) (*http.Response, error) {
	c.calls++
	c.got, c.limit = false, headMost
	call := &directCall{c: c, ctx: ctx, r: readers.Get().(*bufio.Reader)}
	call.r.Reset(c)
	call.stop = context.AfterFunc(ctx, call.cut)
	if err := call.write(u, header, body, h); err != nil {
		call.abort()
		return nil, call.cause(err)
	}
	resp, err := call.answer()
	if err != nil {
		call.abort()
		return nil, call.cause(err)
	}
	c.limit = -1
	call.body, call.keep = resp.Body, !resp.Close
	if resp.Body == http.NoBody {
		call.end()
	}
	resp.Body = call
	return resp, nil
}

// end takes the connection from the call whose answer has been read, once.
func (d *directCall) end() {
	if !d.ended.CompareAndSwap(false, true) {
		return
	}
	keep := d.stop() && d.keep && d.r.Buffered() == 0
	if q, ok := d.body.(*quickBody); ok {
		keep = keep && !q.more
	}
	if d.wrote != nil {
		keep = keep && d.written()
	}
	if !keep {
		d.c.Close()
		return
	}
	d.r.Reset(nil)
	readers.Put(d.r)
	d.c.pool.put(d.c)
}

// written says that the body which is written beside is out. The server may have answered
// all of it before the goroutine that wrote it is told so; a server that answered without
// reading all of it is not waited for.
func (d *directCall) written() bool {
	select {
	case err := <-d.wrote:
		return err == nil
	default:
	}
	late := time.NewTimer(d.c.pool.writeLate())
	defer late.Stop()
	select {
	case err := <-d.wrote:
		return err == nil
	case <-late.C:
		return false
	}
}

// cut ends the call and its connection from outside: whoever reads or writes wakes up.
func (d *directCall) cut() {
	if d.ended.CompareAndSwap(false, true) {
		d.c.Close()
	}
}

func (d *directCall) abort() {
	d.stop()
	d.cut()
}

// Read implements io.Reader for one goroutine.
func (d *directCall) Read(p []byte) (int, error) {
	if d.err != nil {
		return 0, d.err
	}
	n, err := d.body.Read(p)
	if err != nil {
		if err == io.EOF {
			d.end()
		} else {
			d.abort()
			err = d.cause(err)
		}
		d.err = err
	}
	return n, err
}

// cause is why the call was ended from outside, if it was: the closed connection that a
// reader then meets says less.
func (d *directCall) cause(err error) error {
	if d.ctx.Err() != nil {
		return context.Cause(d.ctx)
	}
	return err
}

// wait waits until there is something to read, for the goroutine that reads.
func (d *directCall) wait() {
	if d.err == nil && !d.ended.Load() && d.r.Buffered() == 0 && d.c.raw != nil {
		d.c.raw.Read(d.c.await) // an error is seen by who reads
	}
}

// Close may come from another goroutine than Read, and after the end.
func (d *directCall) Close() error {
	d.abort()
	return nil
}

// post is what an answer is read in reply to.
var post = &http.Request{Method: http.MethodPost}

// answer reads the headers of the answer, past those that only inform.
func (d *directCall) answer() (*http.Response, error) {
	if resp, ok := quickAnswer(d.r); ok {
		return resp, nil
	}
	for range 5 {
		resp, err := http.ReadResponse(d.r, post)
		if err != nil || resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, err
		}
	}
	return nil, errors.New("the server informs without end and does not answer")
}

// write sends the request, a short one with one system call. A long body goes out beside
// the reading of the answer, since a server may answer before it has read all of it.
func (d *directCall) write(u *url.URL, header http.Header, body payload, h hooks) error {
	head := heads.Get().(*[]byte)
	defer heads.Put(head)
	size := body.size()
	b, err := appendHead((*head)[:0], u, header, size)
	if err != nil {
		return err
	}
	*head = b[:0]
	if h.ready != nil {
		if err := h.ready(); err != nil {
			return err
		}
	}
	if h.began != nil {
		h.began()
	}
	switch {
	case size > inlineBody:
		if _, err = d.c.Write(b); err == nil {
			d.writeBeside(body, h)
		}
		return err
	case len(b)+size <= cap(b):
		for _, piece := range body {
			b = append(b, piece...)
		}
		_, err = d.c.Write(b)
	default:
		err = body.writeTo(d.c.Conn, b)
	}
	if err == nil && h.sent != nil {
		h.sent()
	}
	return err
}

func (d *directCall) writeBeside(body payload, h hooks) {
	d.wrote = make(chan error, 1)
	go func() { // ends when the body is written or the connection closed
		err := body.writeTo(d.c.Conn)
		if err == nil && h.sent != nil {
			h.sent()
		}
		d.wrote <- err
	}()
}

// appendHead writes the request line and the headers.
func appendHead(b []byte, u *url.URL, header http.Header, length int) ([]byte, error) {
	b = append(b, "POST "...)
	b = append(b, u.RequestURI()...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, u.Host...)
	if _, own := header["User-Agent"]; !own {
		b = append(b, "\r\nUser-Agent: Go-http-client/1.1"...) // as http.Transport has it
	}
	b = append(b, "\r\nContent-Type: application/json\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(length), 10)
	for name, values := range header {
		for _, v := range values {
			if !sane(name) || !sane(v) {
				return nil, errors.New("a header of the request is not valid")
			}
			b = append(b, "\r\n"...)
			b = append(b, name...)
			b = append(b, ": "...)
			b = append(b, v...)
		}
	}
	return append(b, "\r\n\r\n"...), nil
}

// sane: no header can be made to hold another one.
func sane(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7f {
			return false
		}
	}
	return true
}
