package http1

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// refusal is why a head was not accepted.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

// read reads a request's head. What net/http's server checks beyond its parser is
// checked here as there.
func (c *conn) read() (*http.Request, error) {
	c.budget, c.spent = c.server.MostHead+headSlop, false
	if c.posted { // RFC 9112 2.2: some clients end a body with a line of its own
		begun, _ := c.in.Peek(4) // an error shows in what follows
		c.in.Discard(len(begun) - len(strings.TrimLeft(string(begun), "\r\n")))
	}
	req, err := http.ReadRequest(c.in)
	switch {
	case err != nil && c.spent:
		return nil, &refusal{http.StatusRequestHeaderFieldsTooLarge, "431 Request Header Fields Too Large"}
	case err != nil && strings.HasPrefix(err.Error(), "unsupported transfer encoding"): // its type is not exported
		return nil, &refusal{http.StatusNotImplemented, "Unsupported transfer encoding"}
	case err != nil:
		return nil, err
	}
	c.budget, c.posted = -1, req.Method == http.MethodPost
	req.RemoteAddr = c.remote
	return req, check(req)
}

func check(req *http.Request) error {
	switch {
	case req.ProtoMajor != 1:
		return &refusal{http.StatusHTTPVersionNotSupported, "505 HTTP Version Not Supported: unsupported protocol version"}
	case req.ProtoAtLeast(1, 1) && req.Host == "" && req.Method != http.MethodConnect:
		return &refusal{http.StatusBadRequest, "400 Bad Request: missing required Host header"}
	case !httpguts.ValidHostHeader(req.Host):
		return &refusal{http.StatusBadRequest, "400 Bad Request: malformed Host header"}
	}
	for name, values := range req.Header {
		if !httpguts.ValidHeaderFieldName(name) {
			return &refusal{http.StatusBadRequest, "400 Bad Request: invalid header name"}
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				return &refusal{http.StatusBadRequest, "400 Bad Request: invalid header value"}
			}
		}
	}
	if expect := req.Header.Get("Expect"); expect != "" && !wantsContinue(req) {
		return &refusal{http.StatusExpectationFailed, "417 Expectation Failed"}
	}
	return nil
}

func wantsContinue(req *http.Request) bool {
	return hasWord(req.Header.Get("Expect"), "100-continue")
}

// refuse answers a head that was not accepted, if somebody is there to hear it.
func (c *conn) refuse(err error) {
	var known *refusal
	switch {
	case errors.As(err, &known):
	case isGone(err):
		return
	default:
		known = &refusal{http.StatusBadRequest, "400 Bad Request"}
	}
	line := "HTTP/1.1 " + statusLine(known.status) + "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
	if _, err := io.WriteString(c.rwc, line+known.text); err == nil {
		c.linger()
	}
}
