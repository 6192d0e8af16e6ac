package http1

import (
	"errors"
	"io"
	"net/http"
)

// mostDrained is how much of a body that the handler did not read is read for it, so that
// the connection can be kept. Source: net/http's maxPostHandlerReadBytes.
const mostDrained = 256 << 10

// requestBody is a request's body in its handler's hands. Read to its end it gives the
// connection's buffer back.
type requestBody struct {
	c    *conn
	w    *response
	body io.ReadCloser
	// mayAsk: the client waits for 100 Continue before it sends the body.
	mayAsk bool
	err    error // what every further read says: io.EOF after a whole body
}

// body puts the request's body under the connection's watch; nil if it has none.
func (c *conn) body(req *http.Request, w *response) *requestBody {
	if req.Body == http.NoBody {
		c.allRead(w)
		return nil
	}
	b := &requestBody{c: c, w: w, body: req.Body, mayAsk: wantsContinue(req) && req.ProtoAtLeast(1, 1)}
	req.Body = b
	w.body = b
	if !c.within(c.server.BodyTimeout) {
		b.err = errLate
	}
	return b
}

var errLate = errors.New("the request did not come in time")

// allRead says that all of the request has been read.
func (c *conn) allRead(w *response) {
	if !c.within(0) {
		w.last = true // its deadline lies in the past now, so nothing can be read after it
	}
	if c.in.Buffered() == 0 {
		c.giveBack()
	}
}

func (b *requestBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.mayAsk {
		b.mayAsk = false
		if !b.w.goOn() {
			b.err = http.ErrBodyReadAfterClose
			return 0, b.err
		}
	}
	n, err := b.body.Read(p)
	if err != nil {
		b.err = err
		if errors.Is(err, io.EOF) {
			b.c.allRead(b.w)
		}
	}
	return n, err
}

// Close forbids further reading; what was not read is the connection's to deal with.
func (b *requestBody) Close() error { return nil }

// drain reads what the handler left, and says whether the connection can be kept: it
// cannot if there is too much left, or if the client has not been asked to send it.
func (b *requestBody) drain(size int64) bool {
	if b.err == nil && !b.mayAsk && size < mostDrained {
		_, _ = io.CopyN(io.Discard, b, mostDrained) // how it ended is in b.err
	}
	return errors.Is(b.err, io.EOF)
}

// over ends the body with its request.
func (b *requestBody) over() {
	b.err = http.ErrBodyReadAfterClose
}
