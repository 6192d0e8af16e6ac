package http1

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// turnstile is a door that hands over what it was shown and waits to be told.
type turnstile struct {
	shown  chan string
	tell   chan bool
	left   atomic.Int32
	atOnce bool // it holds the connection's goroutine meanwhile, and decides at once then
}

// turnstiles has a test run with both kinds of door.
func turnstiles(t *testing.T, run func(t *testing.T, d *turnstile)) {
	for _, atOnce := range []bool{false, true} {
		t.Run(map[bool]string{false: "called", true: "at once"}[atOnce], func(t *testing.T) {
			run(t, &turnstile{shown: make(chan string, 8), tell: make(chan bool, 8), atOnce: atOnce})
		})
	}
}

func (d *turnstile) door(v Visitor) (in, now bool) {
	head := make([]byte, 4<<10)
	d.shown <- string(head[:v.Begun(head)])
	if d.atOnce {
		return <-d.tell, true
	}
	go func() { v.Called(<-d.tell) }() // ends when the test tells
	return false, false
}

func (d *turnstile) on(s *Server) {
	s.Door = d.door
	s.Left = func() { d.left.Add(1) }
	s.Refused = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, "no room for "+r.URL.Path)
	})
}

// heardOf reads one answer.
func heardOf(t *testing.T, in *bufio.Reader) (status int, body string) {
	t.Helper()
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// TestDoorIsAskedBeforeEachRequest: it sees what has come and nothing has been handled by
// then; who is refused has an answer of its own, and the connection goes on behind the body.
func TestDoorIsAskedBeforeEachRequest(t *testing.T) {
	turnstiles(t, func(t *testing.T, d *turnstile) {
		handled := make(chan string, 8)
		_, addr := begin(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			handled <- r.URL.Path + " " + string(body)
			io.WriteString(w, "in")
		}), d.on)
		c := dial(t, addr)
		in := bufio.NewReader(c)
		large := strings.Repeat("x", 48<<10) // waits in the buffers of the sockets
		for _, one := range []struct {
			path, body string
			let        bool
		}{{"/a", "first", true}, {"/b", "second", false}, {"/c", large, false}, {"/d", large, true}, {"/e", "", false}} {
			say(t, c, post(one.path, one.body))
			if shown := <-d.shown; !strings.HasPrefix(shown, "POST "+one.path+" HTTP/1.1\r\nHost: h\r\n") {
				t.Fatalf("it was shown %q", shown)
			}
			select {
			case path := <-handled:
				t.Fatalf("%s was handled before the door opened", path)
			default:
			}
			d.tell <- one.let
			status, body := heardOf(t, in)
			want, text := http.StatusOK, "in"
			if !one.let {
				want, text = http.StatusServiceUnavailable, "no room for "+one.path
			}
			if status != want || body != text {
				t.Fatalf("%s: %d %q", one.path, status, body)
			}
			if !one.let {
				continue
			}
			if got := <-handled; got != one.path+" "+one.body {
				t.Fatalf("handled %.40q", got)
			}
		}
		d.hasLeft(t, 2)
	})
}

// hasLeft waits until it has heard of the end of so many, and wants no more.
func (d *turnstile) hasLeft(t *testing.T, want int32) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); d.left.Load() < want && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if got := d.left.Load(); got != want {
		t.Errorf("it heard of the end of %d, want %d", got, want)
	}
}

// TestWhatBecomesNoRequestIsOver: what was let in and cannot be read, or whose handler
// panics, is over like any other.
func TestWhatBecomesNoRequestIsOver(t *testing.T) {
	turnstiles(t, func(t *testing.T, d *turnstile) {
		_, addr := begin(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), d.on)
		for i, text := range []string{"GET / HTTP/1.1\r\n\r\n", "GET / HTTP/4.1\r\nHost: h\r\n\r\n", "GET / HT", get("/", "X: "+strings.Repeat("x", 80<<10)), post("/", "panics")} {
			c := dial(t, addr)
			say(t, c, text)
			<-d.shown
			d.tell <- true
			c.CloseWrite()
			io.Copy(io.Discard, c)
			d.hasLeft(t, int32(i+1))
		}
		c := dial(t, addr)
		say(t, c, post("/", "hello"))
		<-d.shown
		d.tell <- false
		heardOf(t, bufio.NewReader(c))
		c.Close()
		d.hasLeft(t, 5)
	})
}

// TestWaitingAtTheDoorIsNotTheClientsTime: neither the bound on the head nor that on the
// body runs meanwhile.
func TestWaitingAtTheDoorIsNotTheClientsTime(t *testing.T) {
	turnstiles(t, func(t *testing.T, d *turnstile) {
		s, addr := begin(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(w, r.Body)
		}), func(s *Server) {
			d.on(s)
			s.HeadTimeout, s.BodyTimeout = time.Second, time.Second
		})
		c := dial(t, addr)
		say(t, c, post("/", "hello"))
		<-d.shown
		s.expire(time.Now().Add(time.Hour)) // as the warden, an hour later
		d.tell <- true
		if status, body := heardOf(t, bufio.NewReader(c)); status != http.StatusOK || body != "hello" {
			t.Errorf("%d %q", status, body)
		}
	})
}

// TestTheHeadsTimeRunsBehindTheDoor: who was let in must send the rest of the head in time.
func TestTheHeadsTimeRunsBehindTheDoor(t *testing.T) {
	turnstiles(t, func(t *testing.T, d *turnstile) {
		s, addr := begin(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("half a head was handled") }), d.on)
		c := dial(t, addr)
		say(t, c, "POST / HTTP/1.1\r\nHost:")
		<-d.shown
		d.tell <- true
		for due := false; !due; time.Sleep(time.Millisecond) { // until it is behind the door
			s.mu.Lock()
			for c := range s.conns {
				due = c.due.Load() > 0
			}
			s.mu.Unlock()
		}
		s.expire(time.Now().Add(time.Hour)) // as the warden, an hour later
		closedWithin(t, c)
	})
}

// TestWhoLeavesAtTheDoorIsNotRefused: there is nobody to hear it.
func TestWhoLeavesAtTheDoorIsNotRefused(t *testing.T) {
	turnstiles(t, func(t *testing.T, d *turnstile) {
		s, addr := begin(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			t.Error("a request was let in")
		}), func(s *Server) {
			d.on(s)
			s.Refused = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a client that had left was answered") })
		})
		c := dial(t, addr)
		say(t, c, post("/", "hello"))
		<-d.shown
		c.Close()
		for left := false; !left; time.Sleep(time.Millisecond) { // until the epoll has told it
			s.mu.Lock()
			for c := range s.conns {
				left = left || c.gone.Load()
			}
			s.mu.Unlock()
		}
		d.tell <- false
		for open := true; open; time.Sleep(time.Millisecond) {
			s.mu.Lock()
			open = len(s.conns) > 0
			s.mu.Unlock()
		}
	})
}

// TestShutdownWaitsForWhoIsAtTheDoor: who waits has been heard, and gets an answer.
func TestShutdownWaitsForWhoIsAtTheDoor(t *testing.T) {
	turnstiles(t, func(t *testing.T, d *turnstile) {
		s, addr := begin(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "in") }), d.on)
		c := dial(t, addr)
		say(t, c, post("/", "hello"))
		<-d.shown
		ended := make(chan error, 1)
		go func() { ended <- s.Shutdown(t.Context()) }()
		for !s.closing.Load() {
			time.Sleep(time.Millisecond)
		}
		d.tell <- true
		if status, body := heardOf(t, bufio.NewReader(c)); status != http.StatusOK || body != "in" {
			t.Errorf("%d %q", status, body)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// only is the one connection that there is.
func (s *Server) only() *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		return c
	}
	return nil
}

// TestAStrayLineIsNoVisitor: what some clients send behind a body is not a request that waits,
// and neither holds a place nor is refused. Its time is that of a head.
func TestAStrayLineIsNoVisitor(t *testing.T) {
	for _, c := range []struct {
		name string
		then func(t *testing.T, s *Server, d *turnstile, c *net.TCPConn)
	}{
		{"a request behind it", func(t *testing.T, _ *Server, d *turnstile, c *net.TCPConn) {
			say(t, c, post("/b", "second"))
			if shown := <-d.shown; !strings.HasPrefix(shown, "\r\nPOST /b HTTP/1.1\r\n") {
				t.Errorf("it was shown %q", shown)
			}
			d.tell <- true
			if status, body := heardOf(t, bufio.NewReader(c)); status != http.StatusOK || body != "/b" {
				t.Errorf("%d %q", status, body)
			}
		}},
		{"the end behind it", func(t *testing.T, s *Server, d *turnstile, c *net.TCPConn) {
			c.CloseWrite()
			<-d.shown
			d.tell <- false
			if rest, err := io.ReadAll(c); err != nil || len(rest) > 0 {
				t.Errorf("it heard %q (%v)", rest, err)
			}
		}},
		{"nothing behind it", func(t *testing.T, s *Server, d *turnstile, c *net.TCPConn) {
			s.expire(time.Now().Add(time.Hour)) // as the warden, an hour later
			<-d.shown
			d.tell <- true
			closedWithin(t, c)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			turnstiles(t, func(t *testing.T, d *turnstile) {
				s, addr := begin(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) }), d.on)
				conn := dial(t, addr)
				say(t, conn, post("/a", "first"))
				<-d.shown
				d.tell <- true
				heardOf(t, bufio.NewReader(conn))
				until(t, "it is idle", func() bool { return s.only().state.Load() == idle })
				say(t, conn, "\r\n")
				until(t, "the line has come", func() bool { c := s.only(); return c.state.Load() == active && c.due.Load() > 0 })
				if len(d.shown) > 0 {
					t.Fatalf("it was shown %q", <-d.shown)
				}
				c.then(t, s, d, conn)
			})
		})
	}
}

// TestTheEndBehindARequestIsNoVisitor: once it has asked what has come, the door knows that
// nothing does, and need not have it wait.
func TestTheEndBehindARequestIsNoVisitor(t *testing.T) {
	asked := make(chan bool, 2) // whether it is known that the client has left
	s, addr := begin(t, http.HandlerFunc(handler), func(s *Server) {
		s.Door = func(v Visitor) (in, now bool) {
			// The epoll may tell it too, but that need not be by now.
			s.warden.forget(s.only())
			v.Begun(make([]byte, 100))
			asked <- v.Gone()
			return !v.Gone(), true
		}
	})
	for _, stray := range []string{"", "\r\n"} {
		c := dial(t, addr)
		say(t, c, get("/echo"))
		heardOf(t, bufio.NewReader(c))
		if <-asked {
			t.Error("a client that waits for an answer has left")
		}
		until(t, "it is idle", func() bool { return s.only().state.Load() == idle })
		say(t, c, stray)
		c.CloseWrite()
		if !<-asked {
			t.Errorf("behind %q: it is not known that nothing comes", stray)
		}
		closedWithin(t, c)
		until(t, "it has ended", s.hold(0))
	}
}
