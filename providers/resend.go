package providers

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	neturl "net/url"
	"strings"
	"sync/atomic"
	"time"

	"gateway"
)

// through makes a call with an http.Client. A request that dies on a connection that was
// in use before, with nothing of an answer read, is sent once more: the connection was at
// fault, and not the provider. Over HTTP/1 net/http does that itself; over HTTP/2 it does
// not, and there one dead connection fails every call that it carries.
func (c *caller) through(ctx context.Context, client *http.Client, call *gateway.Call, u *neturl.URL, headers http.Header, body payload) (resp *http.Response, sent bool, err error) {
	// Present but empty: net/http takes the request as safe to send again on a dead
	// keep-alive connection, and puts nothing on the wire.
	headers["Idempotency-Key"] = nil
	ready, told := onceOnly(call.OnReady), onlyOnce(call.OnSent)
	for again := false; ; again = true {
		var p passage
		req, err := http.NewRequestWithContext(p.watch(ctx, told), http.MethodPost, u.String(), nil)
		if err != nil {
			return nil, sent, err
		}
		req.Header = headers
		carry(req, body, ready)
		resp, err = client.Do(req)
		sent = sent || p.began.Load()
		if err == nil || again || ctx.Err() != nil || !p.died(err) {
			return resp, sent, err
		}
	}
}

// carry gives a request its body.
func carry(req *http.Request, body payload, ready func() error) {
	if req.ContentLength = int64(body.size()); req.ContentLength == 0 {
		return
	}
	req.GetBody = func() (io.ReadCloser, error) {
		if ready == nil {
			return body.reader(), nil
		}
		return &readyBody{body.reader(), ready}, nil
	}
	req.Body, _ = req.GetBody()
}

// passage is what is known of one request on its way.
type passage struct {
	began    atomic.Bool  // something of it may be out
	answered atomic.Bool  // something of its answer came
	wrote    atomic.Int64 // when all of it was out, in Unix nanoseconds; 0: it was not
	on       atomic.Pointer[httptrace.GotConnInfo]
}

func (p *passage) watch(ctx context.Context, told func()) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn:              func(info httptrace.GotConnInfo) { p.on.Store(&info) },
		GotFirstResponseByte: func() { p.answered.Store(true) },
		WroteHeaders:         func() { p.began.Store(true) },
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			if info.Err == nil {
				p.wrote.Store(time.Now().UnixNano())
				told()
			}
		},
	})
}

// died: the HTTP/2 connection went down under the request, which was not its first, and
// nothing says that the server has it. A connection that carried it for longer than a dead
// one goes unnoticed was alive. A server that sends GOAWAY and closes has received what the
// GOAWAY covers, and what it does not cover has been sent again already (RFC 9113, section 6.8).
// In both cases the provider may have done the work, and sent again it would be paid twice.
func (p *passage) died(err error) bool {
	on := p.on.Load()
	if on == nil || !on.Reused || p.answered.Load() {
		return false
	}
	var own *gateway.Error // of OnReady
	var one streamError
	if errors.As(err, &own) || errors.As(err, &one) {
		return false
	}
	if w := p.wrote.Load(); w != 0 && time.Since(time.Unix(0, w)) > silence+pingAnswer+time.Second {
		return false
	}
	if strings.Contains(err.Error(), "server sent GOAWAY") { // its type has no name that can be written
		return false
	}
	if on.Conn == nil {
		return true // secure names no connection, and has none but of HTTP/2
	}
	conn, secure := on.Conn.(*tls.Conn)
	return secure && conn.ConnectionState().NegotiatedProtocol == "h2"
}

// streamError is the end of one request at the server's word, its connection living on.
// net/http's own type has no name that can be written; it fills any of this shape.
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (e streamError) Error() string { return "the server ended the stream" }
