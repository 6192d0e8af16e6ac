package http1

import (
	"net"
	"syscall"
	"testing"
)

// TestOldEventsAreNoNews: that a client left is not said of the connection that got its
// number meanwhile.
func TestOldEventsAreNoNews(t *testing.T) {
	s := &Server{}
	w, err := newWarden(s)
	if err != nil {
		t.Fatal(err)
	}
	defer w.leavers.close()
	l := listen(t)
	defer l.Close()
	old, client := accepted(t, s, l)
	if err := w.watch(old); err != nil {
		t.Fatal(err)
	}
	client.Close()
	left := event(t, w)
	w.forget(old)
	old.rwc.Close()
	next, client := accepted(t, s, l)
	for range 100 { // until one gets the number
		if err := w.watch(next); err != nil {
			t.Fatal(err)
		}
		if next.fd == old.fd {
			break
		}
		next, client = accepted(t, s, l)
	}
	if next.fd != old.fd {
		t.Fatal("the number was not given again")
	}
	if w.tell(left); next.gone.Load() {
		t.Error("a client that is there is said to have left")
	}
	client.Close()
	if w.tell(event(t, w)); !next.gone.Load() {
		t.Error("a client that left is not noticed")
	}
}

func accepted(t *testing.T, s *Server, l net.Listener) (*conn, net.Conn) {
	t.Helper()
	client := dial(t, l.Addr().String())
	rwc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rwc.Close() })
	c, err := newConn(s, rwc)
	if err != nil {
		t.Fatal(err)
	}
	return c, client
}

func event(t *testing.T, w *warden) syscall.EpollEvent {
	t.Helper()
	events := make([]syscall.EpollEvent, 1)
	for {
		n, err := syscall.EpollWait(w.fd, events, 10_000)
		if err == syscall.EINTR {
			continue
		}
		if n != 1 {
			t.Fatalf("%d events, %v", n, err)
		}
		return events[0]
	}
}
