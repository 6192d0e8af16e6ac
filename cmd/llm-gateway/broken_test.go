package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// moment is how far a faulty answer comes before its fault.
type moment int

const (
	connecting    moment = iota // nothing is read yet
	headers                     // the request is read, nothing is written
	beforeContent               // the status line and a chunk without content
	firstToken                  // and one word
	midStream                   // and half of the words
	lastToken                   // and all of them and the finish reason, but no usage
)

var moments = [...]string{"connect", "headers", "before-content", "first-token", "mid-stream", "before-usage"}

func (m moment) String() string { return moments[m] }

// The faults. Where one makes no sense at a moment its nearest relative is played:
//   - refuse: once connected, the connection is closed in good order (FIN).
//   - tls: the handshake is the only moment it can fail at, so each moment is another way
//     to fail it: see failHandshake.
//   - 5xx, 429: before the status line a status, afterwards an error event in the stream;
//     to a caller that does not stream, always a status.
//   - slow-headers: before the status line the time limit passes; afterwards there is a
//     pause within the limits, after which the answer goes on and is whole.
//   - malformed: instead of a status line or a header, afterwards instead of an event.
//   - truncated: before content a Content-Length that promises too much, afterwards one
//     that ends the body there as if it were complete.
//   - oversize: before the status line a header, afterwards an event.
//
// A caller that does not stream gets the same share of the one JSON text.
var faultNames = []string{
	"refuse", "black-hole", "tls", "reset", "5xx", "429-retry-after", "429-bare", "slow-headers", "stall", "malformed", "truncated", "oversize",
}

const (
	tooLate = 700 * time.Millisecond // more than the limits of the test's configuration
	inTime  = 60 * time.Millisecond  // less
	tooBig  = 9 << 20                // more than one event may have
)

// broken is a provider that speaks TCP itself, because a proper HTTP server cannot fail
// in all of these ways.
type broken struct {
	faultCase
	url   string
	calls atomic.Int64 // connections; each is used for one request
	gone  chan struct{}
}

func newBroken(t *testing.T, c faultCase) *broken {
	b := &broken{faultCase: c, gone: make(chan struct{})}
	if c.fault == "refuse" && c.at == connecting {
		b.url = "http://" + deafAddress(t)
		return b
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.url = "http://" + l.Addr().String()
	if c.fault == "tls" {
		b.url = "https://" + l.Addr().String()
	}
	var open sync.WaitGroup
	open.Go(func() { // ends when the listener is closed
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			b.calls.Add(1)
			open.Go(func() { defer conn.Close(); b.serve(conn) })
		}
	})
	t.Cleanup(func() { close(b.gone); l.Close(); open.Wait() })
	return b
}

// deafAddress refuses connections until the test ends. The port of a listener that was
// closed would not: another test may be given it.
func deafAddress(t *testing.T) string {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
}

// sees says whether every attempt is sure to reach the listener.
func (c faultCase) sees() bool { return c.fault != "refuse" || c.at != connecting }

func (b *broken) serve(conn net.Conn) {
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	switch {
	case b.fault == "tls":
		b.failHandshake(conn)
		return
	case b.at == connecting && (b.fault == "reset" || b.fault == "black-hole" || b.fault == "malformed"):
		b.strike(conn, false)
		return
	}
	req, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	streams := bytes.Contains(body, []byte(`"stream":true`))
	before, after := b.parts(streams)
	if b.at > headers && !b.refuses(streams) {
		io.WriteString(conn, b.head(streams, len(before)))
		b.body(conn, before)
	}
	if b.strike(conn, streams) {
		if b.at <= headers {
			io.WriteString(conn, b.head(streams, 0))
			after = before + after
		}
		b.body(conn, after)
		if !b.hasLength() {
			io.WriteString(conn, "0\r\n\r\n")
		}
	}
}

// refuses says that the fault is a status instead of an answer.
func (b *broken) refuses(streams bool) bool {
	return (b.fault == "5xx" || strings.HasPrefix(b.fault, "429")) && (!streams || b.at <= headers)
}

// parts is the proper answer, divided at the moment.
func (b *broken) parts(streams bool) (before, after string) {
	if !streams {
		whole := fmt.Sprintf(`{"id":"x","object":"chat.completion","created":1760000000,"model":"m","choices":[{"index":0,`+
			`"message":{"role":"assistant","content":%q},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":8,"total_tokens":18}}`, faultyText)
		at := len(whole) * int(max(b.at-headers, 0)) / int(lastToken)
		return whole[:at], whole[at:]
	}
	words := strings.SplitAfter(faultyText, " ")
	events := []string{chunk(roleChunk, "null")}
	for _, word := range words {
		events = append(events, contentChunk(word))
	}
	events = append(events, chunk("{}", `"stop"`), usageChunk, "data: [DONE]\n\n")
	n := map[moment]int{beforeContent: 1, firstToken: 2, midStream: 1 + len(words)/2, lastToken: 2 + len(words)}[b.at]
	return strings.Join(events[:n], ""), strings.Join(events[n:], "")
}

func (b *broken) hasLength() bool { return b.fault == "truncated" }

func (b *broken) head(streams bool, sent int) string {
	kind, length := "application/json", "Transfer-Encoding: chunked"
	if streams {
		kind = "text/event-stream"
	}
	if b.hasLength() {
		if b.at <= beforeContent {
			sent += 1000
		}
		length = fmt.Sprintf("Content-Length: %d", sent)
	}
	return "HTTP/1.1 200 OK\r\nContent-Type: " + kind + "\r\n" + length + "\r\nConnection: close\r\n\r\n"
}

func (b *broken) body(conn net.Conn, text string) {
	if text == "" {
		return
	}
	if !b.hasLength() {
		text = fmt.Sprintf("%x\r\n%s\r\n", len(text), text)
	}
	io.WriteString(conn, text)
}

// strike plays the fault. True: the answer goes on after it.
func (b *broken) strike(conn net.Conn, streams bool) (goesOn bool) {
	switch b.fault {
	case "reset":
		conn.(*net.TCPConn).SetLinger(0)
	case "black-hole":
		b.silence(conn)
	case "stall":
		b.pause(tooLate)
		return true
	case "slow-headers":
		if b.at <= headers {
			b.pause(tooLate)
		} else {
			b.pause(inTime)
		}
		return true
	case "5xx", "429-retry-after", "429-bare":
		b.refuse(conn, streams)
	case "malformed":
		return b.babble(conn, streams)
	case "truncated":
		if b.at <= headers {
			io.WriteString(conn, b.head(streams, 0))
		}
	case "oversize":
		return b.swell(conn, streams)
	}
	return false
}

func (b *broken) refuse(conn net.Conn, streams bool) {
	status, kind, extra := 503, "server_error", ""
	switch b.fault {
	case "429-retry-after":
		status, kind, extra = 429, "rate_limit_exceeded", "Retry-After: 30\r\n"
	case "429-bare":
		status, kind = 429, "rate_limit_exceeded"
	}
	text := fmt.Sprintf(`{"error":{"message":"simulated","type":%q,"code":%q}}`, kind, kind)
	if !b.refuses(streams) {
		b.body(conn, "data: "+text+"\n\n")
		io.WriteString(conn, "0\r\n\r\n")
		return
	}
	fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		status, http.StatusText(status), extra, len(text), text)
}

func (b *broken) babble(conn net.Conn, streams bool) (goesOn bool) {
	switch {
	case b.at == connecting:
		io.WriteString(conn, "\x00\x01 this is not HTTP\r\n\r\n")
		return false
	case b.at == headers:
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nno header at all\r\n\r\n")
		return false
	case streams:
		b.body(conn, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\n\n")
	default:
		b.body(conn, `"}]<`)
	}
	return true
}

func (b *broken) swell(conn net.Conn, streams bool) (goesOn bool) {
	piece := strings.Repeat("x", 1<<20)
	if b.at <= headers {
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nX-Long: ")
		for sent := 0; sent < 2*tooBig; sent += len(piece) {
			if _, err := io.WriteString(conn, piece); err != nil {
				return false
			}
		}
		return false
	}
	start, end, size := `data: {"choices":[{"index":0,"delta":{"content":"`, "\"}}]}\n\n", tooBig
	if !streams {
		start, end, size = "", "", 4*tooBig // of a JSON text more is allowed than of an event
	}
	b.body(conn, start)
	for sent := 0; sent < size; sent += len(piece) {
		if _, err := fmt.Fprintf(conn, "%x\r\n%s\r\n", len(piece), piece); err != nil {
			return false
		}
	}
	b.body(conn, end)
	return true
}

func (b *broken) failHandshake(conn net.Conn) {
	hello := make([]byte, 1<<10)
	if b.at != beforeContent {
		if _, err := conn.Read(hello); err != nil {
			return
		}
	}
	switch b.at {
	case connecting: // closed after the client's hello
	case headers:
		io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
	case beforeContent: // a certificate that nobody signed
		certificates := selfSigned()
		tls.Server(conn, &tls.Config{Certificates: certificates}).Handshake()
	case firstToken: // alert: handshake failure
		conn.Write([]byte{21, 3, 3, 0, 2, 2, 40})
	case midStream: // a record of no known type
		conn.Write(bytes.Repeat([]byte{0xff}, 64))
	case lastToken: // a hello of the server that does not come to its end
		conn.Write([]byte{22, 3, 3, 0, 122, 2, 0, 0})
		b.silence(conn)
	}
}

// selfSigned is the certificate that net/http/httptest has for its own tests.
var selfSigned = sync.OnceValue(func() []tls.Certificate {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.StartTLS()
	defer s.Close()
	return s.TLS.Certificates
})

// silence lasts until the other side goes.
func (b *broken) silence(conn net.Conn) {
	stop := make(chan struct{})
	defer close(stop)
	go func() { // ends with the silence, or with the test
		select {
		case <-b.gone:
			conn.Close()
		case <-stop:
		}
	}()
	if b.at == connecting && b.fault == "black-hole" { // nothing is read, so only the deadline or the test ends it
		<-b.gone
		return
	}
	io.Copy(io.Discard, conn)
}

func (b *broken) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-b.gone:
	}
}

// saysSlowly is says with a breath between the words.
func saysSlowly(text string) script {
	return func(_ *upstream, w http.ResponseWriter, _ *http.Request, _ string) {
		begin(w, chunk(roleChunk, "null"))
		for _, word := range strings.SplitAfter(text, " ") {
			io.WriteString(w, contentChunk(word))
			http.NewResponseController(w).Flush()
			time.Sleep(3 * time.Millisecond)
		}
		io.WriteString(w, chunk("{}", `"stop"`)+usageChunk+"data: [DONE]\n\n")
	}
}
