package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"gateway/internal/fakeupstream"
)

const smuggleKey = "key-of-the-smuggling-test"

// rawCase is bytes on a connection and the statuses that may come back, in order.
type rawCase struct {
	name string
	text string
	want string // "400", "200 200"; several with |
}

// chatWith is a body that marks itself for the provider's bill.
func chatWith(id string) string {
	return fmt.Sprintf(`{"messages":[{"role":"user","content":"[[id:%s]] hello"}]}`, id)
}

// rawPost is a whole request with these headers in place of a length.
func rawPost(id string, headers ...string) string {
	return "POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer " + smuggleKey + "\r\n" + strings.Join(headers, "\r\n") + "\r\n\r\n" + chatWith(id)
}

func lengthOf(body string) string { return "Content-Length: " + strconv.Itoa(len(body)) }

// chunked is a body in one chunk, with its end.
func chunked(body string) string { return fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body) }

// headOnly is a request up to its body.
func headOnly(headers ...string) string {
	return strings.TrimSuffix(rawPost("front", headers...), chatWith("front"))
}

func smugglings() []rawCase {
	front, hidden := chatWith("front"), rawPost("smuggled", lengthOf(chatWith("smuggled")))
	both := chunked(front) + hidden
	return []rawCase{
		{"a length", rawPost("front", lengthOf(front)), "200"},
		{"length and chunks", headOnly(lengthOf(both), "Transfer-Encoding: chunked") + both, "200|400"},
		{"chunks and length", headOnly("Transfer-Encoding: chunked", lengthOf(both)) + both, "200|400"},
		{"chunks, then more", headOnly("Transfer-Encoding: chunked") + both, "200"},
		{"chunks on a folded line", headOnly("Transfer-Encoding:\r\n chunked", lengthOf(both)) + both, "200|400"},
		{"chunks in capitals", headOnly("transfer-ENCODING: ChUnKeD", lengthOf(both)) + both, "200|400"},
		{"two lengths", rawPost("front", lengthOf(front), "Content-Length: 3") + hidden, "400"},
		{"two equal lengths", rawPost("front", lengthOf(front), lengthOf(front)), "200|400"},
		{"a list of lengths", rawPost("front", lengthOf(front)+", 3"), "400"},
		{"length with a plus", rawPost("front", "Content-Length: +"+strconv.Itoa(len(front))), "400"},
		{"negative length", rawPost("front", "Content-Length: -1"), "400"},
		{"hexadecimal length", rawPost("front", "Content-Length: 0x3c"), "400"},
		{"length with a space in it", rawPost("front", "Content-Length: 6 1"), "400"},
		{"length that is too large for a number", rawPost("front", "Content-Length: 99999999999999999999"), "400"},
		{"unknown coding", headOnly("Transfer-Encoding: xchunked") + both, "501|400"},
		{"chunks and identity", headOnly("Transfer-Encoding: chunked, identity") + both, "501|400"},
		{"identity", headOnly("Transfer-Encoding: identity", lengthOf(front)) + front + hidden, "501|400"},
		{"two codings", headOnly("Transfer-Encoding: chunked", "Transfer-Encoding: identity") + both, "501|400"},
		{"coding with a space before its colon", headOnly("Transfer-Encoding : chunked") + both, "400"},
		{"coding after a vertical tab", headOnly("Transfer-Encoding:\x0bchunked") + both, "400|501"},
		{"coding behind a bare CR", headOnly("X: y\rTransfer-Encoding: chunked", lengthOf(both)) + both, "400"},
		{"NUL in a header", headOnly("X: a\x00b", lengthOf(front)) + front, "400"},
		{"header without a colon", headOnly("nothing", lengthOf(front)) + front, "400"},
		{"header with a space in its name", headOnly("X Y: z", lengthOf(front)) + front, "400"},
		{"first header folded", "GET /v1/models HTTP/1.1\r\n Authorization: Bearer " + smuggleKey + "\r\nHost: gateway\r\n\r\n", "400"},
		{"chunk size with 0x", headOnly("Transfer-Encoding: chunked") + "0x3c\r\n" + front + "\r\n0\r\n\r\n", "400"},
		{"negative chunk size", headOnly("Transfer-Encoding: chunked") + "-1\r\n" + front + "\r\n0\r\n\r\n", "400"},
		{"endless chunk size", headOnly("Transfer-Encoding: chunked") + "fffffffffffffffff\r\n" + front, "400"},
		{"chunk size with a bare LF", headOnly("Transfer-Encoding: chunked") + strings.Replace(chunked(front), "\r\n", "\n", 1), "400"},
		{"chunk without an end", headOnly("Transfer-Encoding: chunked") + fmt.Sprintf("%x\r\n%sXX0\r\n\r\n", len(front), front), "400"},
		{"key in a trailer", "POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\nTrailer: Authorization\r\nTransfer-Encoding: chunked\r\n\r\n" +
			strings.TrimSuffix(chunked(front), "\r\n") + "Authorization: Bearer " + smuggleKey + "\r\n\r\n", "401"},
		{"request in the body of a GET", "GET /v1/models HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer " + smuggleKey + "\r\n" + lengthOf(hidden) + "\r\n\r\n" + hidden, "200"},
		{"no host", "GET /v1/models HTTP/1.1\r\nAuthorization: Bearer " + smuggleKey + "\r\n\r\n", "400"},
		{"two hosts", "GET /v1/models HTTP/1.1\r\nHost: a\r\nHost: b\r\nAuthorization: Bearer " + smuggleKey + "\r\n\r\n", "400"},
		{"chunks in HTTP/1.0", strings.Replace(headOnly("Transfer-Encoding: chunked", lengthOf(both)), "HTTP/1.1", "HTTP/1.0", 1) + both, "400|501"},
		{"unknown version", "GET /v1/models HTTP/9.9\r\nHost: a\r\n\r\n", "400|505"},
		{"two spaces in the request line", "GET  /v1/models HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"headers of 80 KB", "GET /v1/models HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("y", 80<<10) + "\r\n\r\n", "431"},
	}
}

// However lengths are told, one request is one request: what looks like another inside
// of it is never carried out, and what two readers could read in two ways ends the
// connection.
func TestNoRequestIsSmuggled(t *testing.T) {
	fake, err := fakeupstream.Start(fakeupstream.Config{Kind: fakeupstream.OpenAI})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fake.Close() })
	base := serveGateway(t, configFile(t, entry{name: "p", url: fake.URL(), price: 1}), map[string]string{"GATEWAY_API_KEYS": smuggleKey})
	addr := strings.TrimPrefix(base, "http://")
	for _, c := range smugglings() {
		got := sayRaw(t, addr, c.text)
		if !containsWord(c.want, got) {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	for _, bill := range fake.Bill() {
		if bill.ID != "front" {
			t.Errorf("the provider got a request marked %q", bill.ID)
		}
	}
}

func containsWord(want, got string) bool {
	for word := range strings.SplitSeq(want, "|") {
		if word == got {
			return true
		}
	}
	return false
}

// sayRaw sends bytes, says that there are no more, and gives the statuses that come back.
func sayRaw(t *testing.T, addr, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, text); err != nil {
		return "closed"
	}
	in := bufio.NewReader(conn)
	var statuses []string
	for {
		if len(statuses) == 1 { // the first answer is there: what follows must not wait for us
			conn.(*net.TCPConn).CloseWrite()
		}
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && len(statuses) == 0 {
				return "closed"
			}
			return strings.Join(statuses, " ")
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		statuses = append(statuses, strconv.Itoa(res.StatusCode))
	}
}
