package http1

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// What a connection is doing, as a shutdown sees it.
const (
	fresh  = iota // has not sent a byte
	idle          // waits for another request
	active        // a request is being read or answered
	shut          // a shutdown has closed it
)

// overdue is what conn.due is when the warden has ended the waiting.
const overdue = -1

// conn is one client's connection. The goroutine that serves it owns it; the atomic fields are
// what the door, the warden and a shutdown look at.
type conn struct {
	server *Server
	rwc    net.Conn
	raw    syscall.RawConn
	remote string
	born   time.Time

	in     *bufio.Reader // nil while there is nothing to read
	budget int           // bytes that the head may still have; below 0: not counted
	spent  bool          // the head had more
	posted bool          // the last request was a POST
	kept   bool          // it had a request before
	looked bool
	called bool  // the present request has waited at the door
	inside bool  // the door has let it in
	fd     int32 // to know it by while it is open
	turn   int32 // and among those that had this number one after the other

	state  atomic.Int32
	due    atomic.Int64                       // when the present waiting ends, in Unix nanoseconds; 0: never
	cancel atomic.Pointer[context.CancelFunc] // of the request that is being answered
	gone   atomic.Bool                        // the client has closed its side
}

var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 4<<10) }}

func newConn(s *Server, rwc net.Conn) (*conn, error) {
	sys, ok := rwc.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("a %T is no connection of the operating system", rwc)
	}
	raw, err := sys.SyscallConn()
	if err != nil {
		return nil, err
	}
	if buffered, ok := rwc.(interface{ SetWriteBuffer(int) error }); ok && s.SendBuffer > 0 {
		_ = buffered.SetWriteBuffer(s.SendBuffer) // a connection that is gone already says so on its first read
	}
	c := &conn{server: s, rwc: rwc, raw: raw, remote: rwc.RemoteAddr().String(), born: time.Now()}
	c.within(s.HeadTimeout)
	return c, nil
}

// within sets the time for what is waited for next; 0 is no bound. It is false if the
// time for the last thing was over.
func (c *conn) within(d time.Duration) bool {
	due := int64(0)
	if d > 0 {
		due = time.Now().Add(d).UnixNano()
	}
	return c.due.Swap(due) != overdue
}

// serve answers the connection's requests one after the other, until it ends or one has to
// wait at the door. After that it may be called again.
func (c *conn) serve() {
	waits := false
	defer func() {
		if !waits {
			c.end(recover())
		}
	}()
	waits = (!c.called || c.request()) && c.requests()
}

// requests waits for requests and answers them. It is true if one has to wait at the door;
// the connection is not the caller's any more then.
func (c *conn) requests() (waits bool) {
	for c.await() {
		if c.server.Door != nil && !c.within(0) {
			return false
		}
		if c.asks() {
			return true
		}
		if !c.request() {
			return false
		}
	}
	return false
}

// request reads a request on which the door has decided, and answers it; false if the
// connection ends with it. The time for the head begins here: its client is not late because
// of us.
func (c *conn) request() bool {
	c.called = false
	if !c.within(c.server.HeadTimeout) || !c.inside && c.Gone() || !c.begins() {
		return false
	}
	req, err := c.read()
	if err != nil {
		c.refuse(err)
		return false
	}
	by := c.server.Handler
	if !c.inside {
		by = c.server.Refused
	}
	if !c.answer(req, by) || c.server.closing.Load() {
		return false
	}
	c.leave()
	c.kept = true
	c.state.Store(idle)
	return c.within(c.server.IdleTimeout)
}

// end closes the connection, after a panic too: a handler that panics leaves an answer
// that must not look whole.
func (c *conn) end(panicked any) {
	if panicked != nil && panicked != http.ErrAbortHandler {
		c.server.Log.Error("handler panicked", "client", c.remote, "panic", fmt.Sprint(panicked), "stack", string(debug.Stack()))
	}
	c.left()
	c.leave()
	c.server.warden.forget(c)
	c.rwc.Close()
	c.giveBack()
	c.server.disconnect(c)
}

// left ends the context of the request that is being answered, if there is one.
func (c *conn) left() {
	if cancel := c.cancel.Load(); cancel != nil {
		(*cancel)()
	}
}

// await waits for the first byte of a request, holding no buffer meanwhile. False if
// none will come.
func (c *conn) await() bool {
	if c.in == nil && c.raw.Read(c.look) != nil {
		return false
	}
	was := c.state.Load()
	return was != shut && c.state.CompareAndSwap(was, active)
}

// begins takes a buffer for the request to be read into. It is false if none comes: a
// connection that ends after a stray byte or two behind its last request asks for nothing.
func (c *conn) begins() bool {
	if c.in == nil {
		c.in = readers.Get().(*bufio.Reader)
		c.in.Reset(c)
	}
	if !c.kept {
		return true
	}
	c.budget = -1
	_, err := c.in.Peek(beginning)
	return err == nil
}

// beginning is how many bytes there are of a request, at the least, where it may also be a
// stray line that clients send behind a body.
const beginning = 4

// look tells whether there is something to read. It is asked a second time only when
// there is: a look that found nothing lets the connection be waited for.
func (c *conn) look(fd uintptr) bool {
	if c.looked {
		c.looked = false
		return true
	}
	var one [1]byte
	_, err := peek(fd, one[:])
	c.looked = err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
	return !c.looked
}

// peek copies what has come and leaves it there.
func peek(fd uintptr, into []byte) (int, error) {
	n, _, err := syscall.Recvfrom(int(fd), into, syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return n, err
}

// Read is for the reader of requests. It counts what a head takes.
func (c *conn) Read(p []byte) (int, error) {
	if c.budget == 0 {
		c.spent = true
		return 0, io.EOF
	}
	if c.budget > 0 && len(p) > c.budget {
		p = p[:c.budget]
	}
	n, err := c.rwc.Read(p)
	if c.budget > 0 {
		c.budget -= n
	}
	return n, err
}

// giveBack lends the buffer to others while nothing is left in it.
func (c *conn) giveBack() {
	if c.in != nil {
		c.in.Reset(nil)
		readers.Put(c.in)
		c.in = nil
	}
}

// answer lets a handler answer one request; false if the connection ends with it.
func (c *conn) answer(req *http.Request, by http.Handler) bool {
	ctx, cancel := context.WithCancel(context.Background())
	w := newResponse(c, req)
	body := c.body(req, w)
	c.cancel.Store(&cancel)
	if c.gone.Load() {
		cancel()
	}
	by.ServeHTTP(w, req.WithContext(ctx))
	c.cancel.Store(nil)
	cancel()
	keep := w.finish()
	if body != nil {
		body.over()
	}
	if w.bounded {
		keep = c.rwc.SetWriteDeadline(time.Time{}) == nil && keep
	}
	if keep && c.in != nil && c.in.Buffered() == 0 {
		c.giveBack()
	}
	if !keep && w.unread {
		c.linger()
	}
	return keep
}

// lingerFor is how long a client that is still sending may go on: closed with that unread,
// the kernel would reset the connection and the answer could be lost with it. Source:
// net/http's rstAvoidanceDelay.
const lingerFor = 500 * time.Millisecond

// linger says that no more comes and reads what the client still sends, until it closes
// its side: some read nothing before they have sent everything.
func (c *conn) linger() {
	half, ok := c.rwc.(interface{ CloseWrite() error })
	length := lingerFor
	if c.server.lingers > 0 {
		length = c.server.lingers
	}
	if ok && half.CloseWrite() == nil && c.rwc.SetReadDeadline(time.Now().Add(length)) == nil {
		_, _ = io.Copy(io.Discard, c.rwc)
	}
}

// isGone says that there is nobody to answer.
func isGone(err error) bool {
	var op *net.OpError
	return errors.Is(err, io.EOF) || errors.As(err, &op)
}
