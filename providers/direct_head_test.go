package providers

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func answerOf(data []byte) *bufio.Reader { return bufio.NewReaderSize(bytes.NewReader(data), 2<<10) }

// FuzzQuickAnswer: what the quick accept net/http accepts too, and reads the same.
func FuzzQuickAnswer(f *testing.F) {
	for _, head := range []string{
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1",
		"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"HTTP/1.1 429 Too Many\r\nRetry-After: 1\r\nX-A: 1\r\nX-A: 2\r\nConnection: Keep-Alive\r\nContent-Length: 0001\r\n\r\nx",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nA: b\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA : b\r\nContent-Length: 1\r\n\r\nx",
		"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 1\r\n\r\nx",
		"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx",
		"HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\nx",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
		"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
		"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
		"HTTP/1.1 200 OK\r\n\r\nuntil the end",
		"HTTP/1.1 200 OK\nContent-Length: 1\n\nx",
	} {
		f.Add([]byte(head))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		quick := answerOf(data)
		got, ok := quickAnswer(quick)
		if !ok {
			if rest, _ := io.ReadAll(quick); !bytes.Equal(rest, data) {
				t.Fatal("what was not accepted was read")
			}
			return
		}
		slow := answerOf(data)
		want, err := http.ReadResponse(slow, post)
		if err != nil {
			t.Fatalf("accepted, and net/http says %v", err)
		}
		if got.StatusCode != want.StatusCode || got.Status != want.Status || got.ContentLength != want.ContentLength || want.Close ||
			!slices.Equal(got.TransferEncoding, want.TransferEncoding) || !maps.EqualFunc(got.Header, want.Header, slices.Equal[[]string]) {
			t.Fatalf("%+v\nnet/http has\n%+v", got, want)
		}
		gotBody, gotErr := io.ReadAll(got.Body)
		wantBody, wantErr := io.ReadAll(want.Body)
		if !bytes.Equal(gotBody, wantBody) {
			t.Fatalf("%q, net/http has %q", gotBody, wantBody)
		}
		if got.Body.(*quickBody).more {
			return // which net/http reads, and nobody here
		}
		if (gotErr == nil) != (wantErr == nil) {
			t.Fatalf("%v, net/http has %v", gotErr, wantErr)
		}
		if gotErr != nil {
			return
		}
		gotRest, _ := io.ReadAll(quick)
		wantRest, _ := io.ReadAll(slow)
		if !bytes.Equal(gotRest, wantRest) {
			t.Fatalf("left %q, net/http left %q", gotRest, wantRest)
		}
	})
}

// The answers of nearly all servers are quick; a head that comes in pieces, or is long, or
// odd, is net/http's.
func TestWhichAnswersAreQuick(t *testing.T) {
	for text, want := range map[string]bool{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDate: Tue, 24 Nov 2026 18:00:00 GMT\r\n\r\n{}":        true,
		"HTTP/1.1 200 OK\r\nserver: uvicorn\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n": true,
		"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 2\r\n\r\n{}":            true,
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}":                          false,
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n":                                                     false,
		"HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", 3000) + "\r\nContent-Length: 2\r\n\r\n{}":       false,
		"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}":                                              false,
		"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n{}":                                            false,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n":                         false,
	} {
		if _, ok := quickAnswer(answerOf([]byte(text))); ok != want {
			t.Errorf("%.60q: quick is %v", text, ok)
		}
	}
}
