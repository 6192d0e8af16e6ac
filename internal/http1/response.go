package http1

import (
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// small is how much of an answer without a length is kept back to see whether it is all:
// then it gets one. Source: net/http's bufferBeforeChunkingSize.
const small = 2 << 10

// joined is up to how many bytes are copied behind what waits, to leave together. More is
// handed to the kernel where it lies.
const joined = 4 << 10

var (
	errOver   = errors.New("the request is over")
	newline   = []byte("\r\n")
	lastChunk = []byte("0\r\n\r\n")
)

// buffers hold what of an answer has not left yet.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, joined+1<<10); return &b }}

// response is the answer to one request. It is an http.ResponseWriter and does for its
// handler what net/http's does, but for trailers and informational answers. It is not for
// use by several goroutines at once.
type response struct {
	c      *conn
	req    *http.Request
	body   *requestBody // of the request; nil: it has none
	header http.Header

	status  int // 0: WriteHeader was not called
	length  int64
	written int64
	framed  bool // it is decided how the body's end is told, and the head is written
	chunked bool
	bare    bool // it has no body, whatever is written
	opened  bool // flushed once: what is written now leaves at once
	bounded bool // a write deadline was set
	last    bool // the connection ends with this answer
	unread  bool // of the request something was not read
	done    bool
	err     error

	held *[]byte // of the body, until it is framed; nil: nothing
	out  *[]byte // framed, and waits to leave; nil: nothing
}

func newResponse(c *conn, req *http.Request) *response {
	return &response{c: c, req: req, header: make(http.Header, 8), length: -1,
		// What follows a body without a length may be a request that a proxy before us
		// took for a part of that body, and let in.
		last: wantsClose(req) || len(req.TransferEncoding) > 0}
}

// wantsClose says whether the client closes the connection after this request.
func wantsClose(req *http.Request) bool {
	return req.Close || hasWord(req.Header.Get("Connection"), "close")
}

// hasWord finds a word in a header that is a list. As in net/http it may have spaces where
// commas belong.
func hasWord(list, word string) bool {
	words := strings.FieldsFunc(list, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' })
	return slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, word) })
}

func (w *response) Header() http.Header { return w.header }

// WriteHeader sets the status. Those below 200 are not sent.
func (w *response) WriteHeader(status int) {
	if w.status != 0 || status < 200 || status > 999 {
		return
	}
	w.status = status
	w.bare = w.req.Method == http.MethodHead || status == http.StatusNoContent || status == http.StatusNotModified
	if text := w.header.Get("Content-Length"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			w.header.Del("Content-Length")
			return
		}
		w.length = n
	}
}

// Write takes a part of the body. What it takes may leave later, until Flush has been
// called once; an error is that of the connection, then and ever after.
func (w *response) Write(p []byte) (int, error) {
	switch {
	case w.done:
		return 0, errOver
	case w.status == 0:
		w.WriteHeader(http.StatusOK)
	}
	if len(p) == 0 {
		return 0, w.err
	}
	if w.bare && w.req.Method != http.MethodHead {
		return 0, http.ErrBodyNotAllowed
	}
	if w.length >= 0 && w.written+int64(len(p)) > w.length {
		return 0, http.ErrContentLength
	}
	if !w.framed && w.length < 0 && w.written+int64(len(p)) <= small {
		w.written += int64(len(p))
		keep(&w.held, p...)
		return len(p), nil
	}
	w.frame(p)
	w.written += int64(len(p))
	w.put(p)
	if w.err != nil {
		return 0, w.err
	}
	return len(p), nil
}

func (w *response) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

// Flush sends what has been written.
func (w *response) Flush() { _ = w.FlushError() }

// FlushError is Flush for http.ResponseController.
func (w *response) FlushError() error {
	if w.done {
		return errOver
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.frame(nil)
	w.opened = true
	w.send()
	return w.err
}

// SetWriteDeadline is for http.ResponseController; it ends with the answer.
func (w *response) SetWriteDeadline(t time.Time) error {
	if w.done {
		return errOver // it would be the next answer's
	}
	w.bounded = true
	return w.c.rwc.SetWriteDeadline(t)
}

// goOn tells the client to send the body it has announced; false if an answer has begun.
func (w *response) goOn() bool {
	if w.framed || w.done {
		return false
	}
	if _, err := io.WriteString(w.c.rwc, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
		w.err = err
	}
	return w.err == nil
}

// frame decides how the end of the body is told, writes the head, and lets what was held
// back follow it. next is what will be written then.
func (w *response) frame(next []byte) {
	if w.framed {
		return
	}
	w.framed = true
	w.settleRequest()
	held := w.held
	w.held = nil
	if held != nil {
		next = *held
	}
	if w.length < 0 && !w.bare {
		w.chunked = w.req.ProtoAtLeast(1, 1)
		w.last = w.last || !w.chunked
	}
	keep(&w.out)
	*w.out = w.appendHead(*w.out, next)
	if held != nil {
		w.put(*held)
		drop(&held)
	}
}

// settleRequest deals with what the handler did not read of the request, before the
// answer: many clients read nothing before they have sent everything.
func (w *response) settleRequest() {
	if w.header.Get("Connection") == "close" || w.c.server.closing.Load() {
		w.last = true
	}
	if w.body == nil || errors.Is(w.body.err, io.EOF) {
		return
	}
	if w.last || !w.body.drain(w.req.ContentLength) {
		w.last, w.unread = true, true // nor may those be cut short who send without being asked
	}
}

// put frames a part of the body. It leaves at once if it is the last or Flush was called.
func (w *response) put(p []byte) {
	if w.bare || len(p) == 0 {
		return
	}
	keep(&w.out)
	b := *w.out
	if w.chunked {
		b = append(strconv.AppendInt(b, int64(len(p)), 16), newline...)
	}
	if len(b)+len(p) > joined {
		*w.out = b
		w.sendWith(p)
		return
	}
	b = append(b, p...)
	if w.chunked {
		b = append(b, newline...)
	}
	*w.out = b
	if w.opened || w.written == w.length {
		w.send()
	}
}

// send lets leave what waits.
func (w *response) send() {
	if w.out == nil {
		return
	}
	if w.err == nil {
		_, err := w.c.rwc.Write(*w.out)
		w.failed(err)
	}
	drop(&w.out)
}

// sendWith lets leave what waits and a part of the body behind it.
func (w *response) sendWith(p []byte) {
	if w.err == nil {
		parts := net.Buffers{*w.out, p}
		if w.chunked {
			parts = append(parts, newline)
		}
		_, err := parts.WriteTo(w.c.rwc)
		w.failed(err)
	}
	drop(&w.out)
}

// failed ends the request whose answer cannot be sent.
func (w *response) failed(err error) {
	if err != nil && w.err == nil {
		w.err, w.last = err, true
		w.c.left()
	}
}

// finish sends what is left of the answer and says whether the connection can be kept.
func (w *response) finish() bool {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.framed {
		if w.length < 0 && (!w.bare || w.written > 0) {
			w.length = w.written
		}
		w.frame(nil)
	}
	if w.chunked {
		keep(&w.out, lastChunk...)
	}
	w.send()
	w.done = true
	short := !w.bare && w.length >= 0 && w.written != w.length
	return !w.last && !short
}

// keep puts bytes into a buffer of its own.
func keep(b **[]byte, p ...byte) {
	if *b == nil {
		*b = buffers.Get().(*[]byte)
	}
	**b = append(**b, p...)
}

// drop gives a buffer back.
func drop(b **[]byte) {
	if cap(**b) <= 4*joined {
		**b = (**b)[:0]
		buffers.Put(*b)
	}
	*b = nil
}
