package http1

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// TestCloseAsItBegins: a server may be closed in the moment in which it begins to serve.
func TestCloseAsItBegins(t *testing.T) {
	for range 200 {
		s := &Server{Handler: http.HandlerFunc(handler), Log: slog.New(slog.DiscardHandler)}
		l := listen(t)
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		c, err := net.Dial("tcp", l.Addr().String())
		if err == nil {
			c.Close()
		}
		s.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Fatalf("Serve gave %v", err)
		}
	}
	s := &Server{Handler: http.HandlerFunc(handler), Log: slog.New(slog.DiscardHandler)}
	s.Close()
	l := listen(t)
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("Serve after Close gave %v", err)
	}
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		c.Close()
		t.Error("its listener is open")
	}
}

// hooked is a listener whose connections do something first.
type hooked struct {
	net.Listener
	read  func(n int, err error)
	close func()
}

type hookedConn struct {
	*net.TCPConn
	l *hooked
}

func (l *hooked) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &hookedConn{c.(*net.TCPConn), l}, nil
}

func (c *hookedConn) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	if c.l.read != nil {
		c.l.read(n, err)
	}
	return n, err
}

func (c *hookedConn) Close() error {
	if c.l.close != nil {
		c.l.close()
	}
	return c.TCPConn.Close()
}

// TestCloseBetweenHeadAndHandler: a request whose handler begins as the server closes is
// not left to itself.
func TestCloseBetweenHeadAndHandler(t *testing.T) {
	ended := make(chan bool, 1)
	s := &Server{Log: slog.New(slog.DiscardHandler), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
			ended <- true
		case <-time.After(5 * time.Second):
			ended <- false
		}
	}), MostHead: 64 << 10}
	l := &hooked{Listener: listen(t), read: func(n int, _ error) {
		if n > 0 {
			s.Close()
		}
	}}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	say(t, dial(t, l.Addr().String()), get("/"))
	if !<-ended {
		t.Error("the request goes on")
	}
	<-served
}

// TestShutdownTakesNobodyWhoHasBegun: a connection that gets a request in the moment in
// which a shutdown closes it is closed, or answers: its handler does not work for nobody.
func TestShutdownTakesNobodyWhoHasBegun(t *testing.T) {
	asked := make(chan struct{}, 2)
	s := &Server{Log: slog.New(slog.DiscardHandler), MostHead: 64 << 10, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		io.WriteString(w, "done")
	})}
	l := &hooked{Listener: listen(t)}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	c := dial(t, l.Addr().String())
	say(t, c, get("/"))
	<-asked
	if _, err := c.Read(make([]byte, 4<<10)); err != nil {
		t.Fatal(err)
	}
	var first sync.Once
	l.close = func() {
		first.Do(func() {
			say(t, c, get("/"))
			select {
			case <-asked:
				t.Error("the handler of a connection that is being closed was called")
			case <-time.After(200 * time.Millisecond):
			}
		})
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	<-served
}
