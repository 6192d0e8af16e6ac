package http1

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

func dial(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return c.(*net.TCPConn)
}

func say(t testing.TB, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// closedWithin says how long the server took to close the connection.
func closedWithin(t testing.TB, c net.Conn) time.Duration {
	t.Helper()
	begun := time.Now()
	_, err := io.Copy(io.Discard, c)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("the connection stays open")
	}
	return time.Since(begun)
}

// TestLeavingEndsTheRequest: the context of a request ends soon after its client leaves,
// in whatever way it does, and however much of the request has been sent.
func TestLeavingEndsTheRequest(t *testing.T) {
	began, ended := make(chan struct{}), make(chan time.Time)
	_, addr := begin(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/read" {
			io.ReadAll(r.Body)
		}
		began <- struct{}{}
		<-r.Context().Done()
		ended <- time.Now()
	}), nil)
	for name, text := range map[string]string{
		"no body": get("/"), "body read": post("/read", "hello"), "body not read": post("/", "hello"),
		"second request": get("/"), "pipelined": get("/") + get("/"),
	} {
		for how, leave := range map[string]func(c *net.TCPConn){
			"close": func(c *net.TCPConn) { c.Close() },
			"half":  func(c *net.TCPConn) { c.CloseWrite() },
			"reset": func(c *net.TCPConn) { c.SetLinger(0); c.Close() },
		} {
			t.Run(name+" "+how, func(t *testing.T) {
				c := dial(t, addr)
				say(t, c, text)
				<-began
				left := time.Now()
				leave(c)
				if took := (<-ended).Sub(left); took > 100*time.Millisecond {
					t.Errorf("noticed after %v", took)
				}
				for pipelined := strings.Count(text, "HTTP/1.1") - 1; pipelined > 0 && how == "half"; pipelined-- {
					<-began // its client has gone too
					<-ended
				}
			})
		}
	}
}

// TestLeavingBeforeTheHandler: who closes his side with the request is gone when the
// handler begins.
func TestLeavingBeforeTheHandler(t *testing.T) {
	ended := make(chan struct{})
	_, addr := begin(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		close(ended)
	}), nil)
	c := dial(t, addr)
	say(t, c, get("/"))
	c.CloseWrite()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("the request goes on")
	}
}

// TestTimes: each kind of waiting ends, a second late at most.
func TestTimes(t *testing.T) {
	_, addr := begin(t, http.HandlerFunc(handler), func(s *Server) {
		s.HeadTimeout, s.BodyTimeout, s.IdleTimeout = 300*time.Millisecond, 300*time.Millisecond, 300*time.Millisecond
	})
	for name, text := range map[string]string{
		"silent from the start": "", "half a head": "GET / HTTP/1.1\r\nHo", "half a body": "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhal",
		"idle": get("/echo"), "half a second head": get("/echo") + "GET /",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, addr)
			say(t, c, text)
			if took := closedWithin(t, c); took < 250*time.Millisecond || took > 2500*time.Millisecond {
				t.Errorf("closed after %v", took)
			}
		})
	}
}

// TestLongAnswersHaveNoTime: none of the times is for the answer.
func TestLongAnswersHaveNoTime(t *testing.T) {
	_, addr := begin(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.ReadAll(r.Body)
		time.Sleep(2500 * time.Millisecond)
		if r.Context().Err() == nil {
			io.WriteString(w, "late")
		}
	}), func(s *Server) {
		s.HeadTimeout, s.BodyTimeout, s.IdleTimeout = 200*time.Millisecond, 200*time.Millisecond, 10*time.Second
	})
	got := talkOpen(t, addr, post("/", "hello")+get("/"))
	if len(got) != 2 || got[0] != "late" || got[1] != "late" {
		t.Errorf("heard %q", got)
	}
}

// talkOpen reads as many answers as there are requests, on a connection that stays open.
func talkOpen(t *testing.T, addr, text string) (bodies []string) {
	t.Helper()
	c := dial(t, addr)
	say(t, c, text)
	r := bufio.NewReader(c)
	for range strings.Count(text, " HTTP/1.1") {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, string(b))
	}
	return bodies
}

// TestShutdown: idle connections are closed at once, a running request is waited for and
// its connection closed after it, and nothing is left.
func TestShutdown(t *testing.T) {
	before := runtime.NumGoroutine()
	release := make(chan struct{})
	began := make(chan struct{})
	s, addr := begin(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(began)
			<-release
		}
		io.WriteString(w, "done")
	}), nil)
	resting, busy := dial(t, addr), dial(t, addr)
	say(t, resting, get("/"))
	if _, err := http.ReadResponse(bufio.NewReader(resting), nil); err != nil {
		t.Fatal(err)
	}
	say(t, busy, get("/slow"))
	<-began
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown with a request running gave %v", err)
	}
	if took := closedWithin(t, resting); took > time.Second {
		t.Errorf("an idle connection was closed after %v", took)
	}
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		t.Error("new connections are accepted")
	}
	close(release)
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(busy), nil)
	if err != nil || !resp.Close {
		t.Fatalf("the running request heard %v, %v", resp, err)
	}
	if b, err := io.ReadAll(resp.Body); string(b) != "done" {
		t.Errorf("it heard %q, %v", b, err)
	}
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

// TestCloseEndsEverything: also what is being answered.
func TestCloseEndsEverything(t *testing.T) {
	began, ended := make(chan struct{}), make(chan struct{})
	s, addr := begin(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
		close(ended)
	}), nil)
	c := dial(t, addr)
	say(t, c, get("/"))
	<-began
	s.Close()
	<-ended
	closedWithin(t, c)
}

// TestNothingAfterTheEnd: what a handler left behind cannot write into the next answer.
func TestNothingAfterTheEnd(t *testing.T) {
	var kept http.ResponseWriter
	_, addr := begin(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if kept != nil {
			if _, err := kept.Write([]byte("stray")); err == nil {
				t.Error("a write after the end was taken")
			}
			if err := http.NewResponseController(kept).Flush(); err == nil {
				t.Error("a flush after the end was taken")
			}
			kept.(http.Flusher).Flush()
			if err := http.NewResponseController(kept).SetWriteDeadline(time.Unix(1, 0)); err == nil {
				t.Error("a deadline after the end was taken")
			}
		}
		kept = w
		io.WriteString(w, r.URL.Path)
	}), nil)
	if got := talkOpen(t, addr, get("/1")+get("/2")); fmt.Sprint(got) != "[/1 /2]" {
		t.Errorf("heard %q", got)
	}
}

// TestSlowReaderIsCut: a write has the time that its handler gives it, and the next
// request on a connection is not bound by it.
func TestSlowReaderIsCut(t *testing.T) {
	failed := make(chan error, 1)
	_, addr := begin(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		rc.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		if r.URL.Path == "/quick" {
			io.WriteString(w, "quick")
			return
		}
		if r.URL.Path == "/later" {
			time.Sleep(300 * time.Millisecond)
			rc.SetWriteDeadline(time.Now().Add(5 * time.Second))
			io.WriteString(w, "later")
			return
		}
		for {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				<-r.Context().Done()
				failed <- err
				return
			}
		}
	}), func(s *Server) { s.SendBuffer = 16 << 10 })
	if got := talkOpen(t, addr, get("/quick")+get("/later")); fmt.Sprint(got) != "[quick later]" {
		t.Errorf("heard %q", got)
	}
	say(t, dial(t, addr), get("/flood"))
	if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the write ended with %v", err)
	}
}

// BenchmarkCall is a small call on a kept connection, with its client.
func BenchmarkCall(b *testing.B) {
	for name, start := range map[string]func() string{
		"ours":     func() string { _, addr := begin(b, http.HandlerFunc(handler), nil); return addr },
		"net/http": func() string { return beginStandard(b, http.HandlerFunc(handler)) },
	} {
		b.Run(name, func(b *testing.B) {
			c := dial(b, start())
			c.SetDeadline(time.Time{})
			request, answer := []byte(post("/echo", "hello", "Authorization: Bearer key", "User-Agent: bench", "Content-Type: application/json")), make([]byte, 4<<10)
			b.ReportAllocs()
			for b.Loop() {
				c.Write(request)
				if _, err := c.Read(answer); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
