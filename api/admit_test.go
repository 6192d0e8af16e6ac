package api

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gateway"
)

// bounded serves an edge with a memory budget before a router, and gives its address.
func bounded(t *testing.T, memory int64, r routed) (*Server, string) {
	t.Helper()
	s, err := New(Config{Memory: memory}, r, models{}, noBooks{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	t.Cleanup(func() {
		for end := time.Now().Add(5 * time.Second); s.Room().Held != 0; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Errorf("%d bytes are never given back", s.Room().Held)
				return
			}
		}
	})
	return s, strings.TrimPrefix(server.URL, "http://")
}

func greeting() *gateway.Answer {
	return &gateway.Answer{Provider: "p", Model: "m", Attempts: 1, Completion: &gateway.Completion{Choices: []gateway.Choice{{Text: "hello"}}}}
}

// dial sends text and gives the connection; it ends with the test.
func dial(t *testing.T, addr, text string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}

func headOf(length int, more string) string {
	return fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n", length, more)
}

// chatOf is a chat request of so many bytes.
func chatOf(size int) []byte {
	const head, tail = `{"messages":[{"role":"user","content":"`, `"}]}`
	return []byte(head + strings.Repeat("x", size-len(head)-len(tail)) + tail)
}

// Many large bodies come at once. Few get in, the others hear so before they have sent
// anything, and a client that asked first is not told to go on.
func TestCrowdOfLargeBodiesIsRefusedUnread(t *testing.T) {
	const crowd, size, memory = 200, 1 << 20, 64 << 20
	var inside atomic.Int64
	leave := make(chan struct{})
	s, addr := bounded(t, memory, func(context.Context, *gateway.Request) (*gateway.Answer, error) {
		inside.Add(1)
		<-leave
		return greeting(), nil
	})
	var admitted, refused, told atomic.Int64
	var clients, asked sync.WaitGroup
	asked.Add(crowd)
	body := chatOf(size)
	for range crowd {
		conn, in := dial(t, addr, headOf(size, "Expect: 100-continue\r\n"))
		clients.Go(func() {
			res, err := http.ReadResponse(in, nil)
			asked.Done()
			if err != nil {
				t.Error(err)
				return
			}
			if res.StatusCode == http.StatusServiceUnavailable && res.Header.Get("Retry-After") == "1" {
				refused.Add(1)
				return
			}
			if res.StatusCode != http.StatusContinue {
				t.Errorf("status %d", res.StatusCode)
				return
			}
			told.Add(1)
			conn.Write(body)
			if res, err = http.ReadResponse(in, nil); err == nil && res.StatusCode == http.StatusOK {
				admitted.Add(1)
			}
		})
	}
	asked.Wait()
	if held := s.Room().Held; held > memory {
		t.Errorf("%d bytes are held of %d", held, memory)
	}
	close(leave)
	clients.Wait()
	room := s.Room()
	if admitted.Load() < 10 || admitted.Load() > memory/size/bodyWeight || told.Load() != admitted.Load() {
		t.Errorf("%d of %d got in, %d were told to go on", admitted.Load(), crowd, told.Load())
	}
	if admitted.Load()+refused.Load() != crowd || room.RefusedMemory != refused.Load() || inside.Load() != admitted.Load() {
		t.Errorf("admitted %d, refused %d, counted %d", admitted.Load(), refused.Load(), room.RefusedMemory)
	}
}

// A body without a length is weighed as it comes, and cut off where the room ends.
func TestBodyOfUnknownLengthIsWeighedAsItComes(t *testing.T) {
	_, addr := bounded(t, 4<<20, func(context.Context, *gateway.Request) (*gateway.Answer, error) { return greeting(), nil })
	for size, want := range map[int]int{100 << 10: http.StatusOK, 3 << 20: http.StatusServiceUnavailable} {
		res, err := http.Post("http://"+addr+"/v1/chat/completions", "application/json", struct{ io.Reader }{bytes.NewReader(chatOf(size))})
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%d bytes: status %d, want %d", size, res.StatusCode, want)
		}
	}
}

// Whatever ends a request gives its part back; bounded checks that nothing is left.
func TestRoomIsGivenBackHoweverARequestEnds(t *testing.T) {
	var n atomic.Int64
	_, addr := bounded(t, 64<<20, func(ctx context.Context, _ *gateway.Request) (*gateway.Answer, error) {
		switch n.Add(1) % 3 {
		case 0:
			panic("a bug")
		case 1:
			return nil, gateway.Errorf(gateway.Unavailable, "nobody")
		default:
			<-ctx.Done()
			return nil, gateway.Errorf(gateway.Canceled, "left")
		}
	})
	for range 6 {
		conn, _ := dial(t, addr, headOf(1000, "")+string(chatOf(1000)))
		conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		io.Copy(io.Discard, conn)
		conn.Close()
	}
	conn, _ := dial(t, addr, headOf(1<<20, "")+"{") // leaves in the middle of its body
	conn.Close()
}
