package http1

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// TestRefusedClientsMayFinish: who sends everything before he reads anything gets the
// answer, though nobody wants what he sends; and who closes then is not kept.
func TestRefusedClientsMayFinish(t *testing.T) {
	const long = time.Minute // however slowly the machine lets them send
	s, addr := begin(t, http.HandlerFunc(handler), func(s *Server) { s.lingers = long })
	body := strings.Repeat("b", 12<<20) // more than the kernel takes from one side for the other
	for name, c := range map[string]struct {
		head string
		want int
	}{
		"not read":                {"POST /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 12582912\r\n\r\n", 413},
		"not asked for":           {"POST /refuse HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 12582912\r\n\r\n", 413},
		"of no length":            {"POST /refuse HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nc00000\r\n", 413},
		"its client closes":       {"POST /refuse HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 12582912\r\n\r\n", 413},
		"its head is refused":     {"POST /refuse HTTP/1.1\r\nHost: h\r\nExpect: a miracle\r\nContent-Length: 12582912\r\n\r\n", 417},
		"its head is none":        {"POST\r\n\r\n", 400},
		"its coding is not known": {"POST /refuse HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, addr)
			say(t, conn, c.head+body)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != c.want {
				t.Errorf("heard %d, %v", resp.StatusCode, err)
			}
			conn.Close()
			closed := time.Now()
			for left := 1; left > 0; {
				s.mu.Lock()
				left = len(s.conns)
				s.mu.Unlock()
				time.Sleep(time.Millisecond)
			}
			if took := time.Since(closed); took > long/2 {
				t.Errorf("kept for %v", took)
			}
		})
	}
}

// TestLingeringEnds: who goes on and on is not listened to for ever.
func TestLingeringEnds(t *testing.T) {
	_, addr := begin(t, http.HandlerFunc(handler), func(s *Server) { s.lingers = 50 * time.Millisecond })
	c := dial(t, addr)
	say(t, c, "POST /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 12582912\r\n\r\nthe beginning")
	if _, err := io.ReadAll(c); err != nil { // the answer, and that no more comes
		t.Fatal(err)
	}
	for {
		if _, err := c.Write([]byte("more")); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("it is still read")
			}
			return
		}
		time.Sleep(time.Millisecond)
	}
}
