package http1

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Server serves one handler. Its fields are set before Serve and not changed after.
type Server struct {
	Handler http.Handler
	// Door, if set, says of each request whether it may come in, when it has begun to come
	// and is not read yet. If it cannot say that now, it calls the visitor's Called once it
	// can: one that has to wait costs no more than a connection that is idle. It may wait as
	// long as it likes, which is not of the client's time.
	Door func(Visitor) (in, now bool)
	// Left, if set, hears of the end of each request that Door let in, and of what became none.
	Left func()
	// Refused answers, instead of Handler, what Door did not let in.
	Refused http.Handler
	// HeadTimeout is how long a request's head may take from its first byte, and the
	// first byte from the connection's beginning.
	HeadTimeout time.Duration
	// BodyTimeout is how long a request's body may take from the end of its head.
	BodyTimeout time.Duration
	// IdleTimeout is how long a connection may wait for its next request. These three
	// are seen once a second.
	IdleTimeout time.Duration
	// MostHead bounds a request's head, in bytes.
	MostHead int
	// SendBuffer is what the kernel keeps for a client that does not read, in bytes; 0
	// leaves it to the kernel.
	SendBuffer int
	Log        *slog.Logger

	lingers   time.Duration // instead of lingerFor; 0: lingerFor
	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{}
	closing   atomic.Bool
	crew      crew
	warden    *warden // begun by the first Serve, ended with the last connection
	date      dated
}

// Visitor is a request at the door.
type Visitor interface {
	// Begun copies what has come of the request by now, and says how much that is. It is for
	// Door alone.
	Begun(into []byte) int
	// Gone says that its client has left. On Linux that is known while it waits.
	Gone() bool
	// Called ends the wait of a visitor on whom Door did not decide at once: in or not. It
	// does not wait itself.
	Called(in bool)
}

// headSlop is what a head may be over MostHead, as net/http allows for its buffer.
const headSlop = 4 << 10

// Serve answers the connections of l until Shutdown or Close, and then returns
// http.ErrServerClosed; or until l fails, which is the error it returns. It closes l.
func (s *Server) Serve(l net.Listener) error {
	defer l.Close()
	if err := s.begin(l); err != nil {
		return err
	}
	defer s.forget(l)
	var pause time.Duration
	for {
		rwc, err := l.Accept()
		if s.closing.Load() {
			if err == nil {
				rwc.Close()
			}
			return http.ErrServerClosed
		}
		if err != nil {
			if !passing(err) {
				return err
			}
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.Log.Warn("a connection was not accepted", "err", err, "again_in", pause)
			time.Sleep(pause)
			continue
		}
		pause = 0
		if c := s.connect(rwc); c != nil {
			go s.crew.serve(c) // ends with the connection, or as a spare one
		}
	}
}

// passing says that accepting may succeed later, as when file descriptors ran out.
func passing(err error) bool {
	var ne interface{ Temporary() bool }
	return errors.As(err, &ne) && ne.Temporary()
}

func (s *Server) begin(l net.Listener) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		return http.ErrServerClosed
	}
	if s.warden == nil {
		w, err := newWarden(s)
		if err != nil {
			return err
		}
		s.warden = w
		s.conns, s.listeners = map[*conn]struct{}{}, map[net.Listener]struct{}{}
		w.run() // ends with Shutdown or Close
	}
	s.listeners[l] = struct{}{}
	return nil
}

func (s *Server) forget(l net.Listener) {
	s.mu.Lock()
	delete(s.listeners, l)
	s.mu.Unlock()
}

// connect takes a connection in; nil if the server closed meanwhile or it is none that
// can be waited for.
func (s *Server) connect(rwc net.Conn) *conn {
	c, err := newConn(s, rwc)
	if err != nil {
		s.Log.Warn("a connection cannot be served", "err", err)
		rwc.Close()
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		rwc.Close()
		return nil
	}
	if err := s.warden.watch(c); err != nil {
		s.Log.Warn("a connection cannot be served", "err", err)
		rwc.Close()
		return nil
	}
	s.conns[c] = struct{}{}
	return c
}

func (s *Server) disconnect(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
}

// Shutdown closes the listeners and the connections that wait for a request, and waits
// for the others until ctx ends, whose error it then returns. It may be called again.
func (s *Server) Shutdown(ctx context.Context) error {
	s.closeListeners()
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		if s.closeQuiet() {
			s.endWarden()
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// Close closes the listeners and every connection.
func (s *Server) Close() error {
	s.closeListeners()
	s.mu.Lock()
	for c := range s.conns {
		c.rwc.Close()
		c.gone.Store(true) // a handler that is only about to begin sees that
		c.left()
	}
	s.mu.Unlock()
	s.endWarden()
	return nil
}

func (s *Server) closeListeners() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing.Store(true)
	for l := range s.listeners {
		l.Close()
	}
}

// newFor is how long a connection may be without a request before a shutdown closes it:
// one that was just accepted is most likely about to send one. Source: net/http.
const newFor = 5 * time.Second

// closeQuiet closes the connections that have no request, and says whether none is left.
func (s *Server) closeQuiet() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		state := c.state.Load()
		if rests := state == idle || state == fresh && time.Since(c.born) > newFor; rests && c.state.CompareAndSwap(state, shut) {
			c.rwc.Close()
		}
	}
	return len(s.conns) == 0
}

func (s *Server) endWarden() {
	s.mu.Lock()
	w := s.warden
	s.mu.Unlock()
	if w != nil {
		w.end()
	}
}
