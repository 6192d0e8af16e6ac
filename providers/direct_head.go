package providers

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
)

// quickAnswer reads the head of an answer that lies whole in the reader's buffer and is as
// plain as those of nearly all servers: a final status with a body whose end is told by a
// length or by chunks. It makes a third of the garbage of http.ReadResponse. False, and
// nothing is read, for every other: net/http reads those, and says what is wrong with them.
// FuzzQuickAnswer holds the two against each other.
func quickAnswer(r *bufio.Reader) (*http.Response, bool) {
	if _, err := r.Peek(1); err != nil { // waits for the server
		return nil, false
	}
	lying, _ := r.Peek(r.Buffered())
	end := bytes.Index(lying, []byte("\r\n\r\n"))
	if end < 0 {
		return nil, false
	}
	resp := &http.Response{Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: -1, Request: post}
	first, rest, _ := strings.Cut(string(lying[:end]), "\r\n")
	if !quickStatus(resp, first) || !quickHeaders(resp, rest) {
		return nil, false
	}
	b := &quickBody{from: r, left: resp.ContentLength}
	switch {
	case len(resp.TransferEncoding) > 0:
		b.chunks = httputil.NewChunkedReader(r)
	case resp.ContentLength <= 0: // ends with the connection, or is none
		return nil, false
	}
	resp.Body = b
	_, _ = r.Discard(end + 4) // which is there
	return resp, true
}

// quickStatus reads the first line. What has no body, or is not final, is not for the quick.
func quickStatus(resp *http.Response, line string) bool {
	text, found := strings.CutPrefix(line, "HTTP/1.1 ")
	if !found || len(text) < 4 || text[3] != ' ' || !sane(text) {
		return false
	}
	code, err := strconv.ParseUint(text[:3], 10, 16)
	if err != nil || code < 200 || code > 599 || code == http.StatusNoContent || code == http.StatusNotModified {
		return false
	}
	resp.StatusCode, resp.Status = int(code), text
	return true
}

// quickHeaders reads the other lines. All values are pieces of one text.
func quickHeaders(resp *http.Response, lines string) bool {
	n := strings.Count(lines, "\n") + 1
	resp.Header = make(http.Header, n)
	values := make([]string, 0, n)
	for more := true; more; {
		var line string
		line, lines, more = strings.Cut(lines, "\r\n")
		name, value, found := strings.Cut(line, ":")
		if !found || !token(name) || !sane(value) {
			return false
		}
		name, value = http.CanonicalHeaderKey(name), strings.Trim(value, " \t")
		if !quickFraming(resp, name, value) {
			return false
		}
		if name == "Transfer-Encoding" {
			continue // as net/http has it
		}
		values = append(values, value)
		if already := resp.Header[name]; already != nil {
			resp.Header[name] = append(already, value)
		} else {
			resp.Header[name] = values[len(values)-1 : len(values) : len(values)]
		}
	}
	return len(resp.TransferEncoding) == 0 || resp.ContentLength < 0
}

// quickFraming takes what tells where the body ends. What can be read in two ways is not
// for the quick.
func quickFraming(resp *http.Response, name, value string) bool {
	switch name {
	case "Content-Length":
		n, err := strconv.ParseUint(value, 10, 62)
		if err != nil || resp.ContentLength >= 0 {
			return false
		}
		resp.ContentLength = int64(n)
	case "Transfer-Encoding":
		if value != "chunked" || len(resp.TransferEncoding) > 0 {
			return false
		}
		resp.TransferEncoding = chunkedEncoding
	case "Connection":
		return strings.EqualFold(value, "keep-alive")
	case "Trailer", "Upgrade", "Pragma":
		return false
	}
	return true
}

var chunkedEncoding = []string{"chunked"}

// token: s can be the name of a header.
func token(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return s != ""
}

// quickBody is the body of an answer that the quick have read. One goroutine reads it;
// whoever made it ends it with its connection.
type quickBody struct {
	from   *bufio.Reader
	left   int64     // of a length
	chunks io.Reader // nil for a length
	more   bool      // trailers follow, which nobody reads: no other answer can come after
}

// Read implements io.Reader.
func (b *quickBody) Read(p []byte) (n int, err error) {
	if b.chunks != nil {
		n, err = b.chunks.Read(p)
		if err == io.EOF {
			err = b.blank()
		}
		return n, err
	}
	if b.left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err = b.from.Read(p)
	if b.left -= int64(n); b.left == 0 {
		return n, io.EOF
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// blank reads the line behind the last chunk.
func (b *quickBody) blank() error {
	var line [2]byte
	if _, err := io.ReadFull(b.from, line[:]); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	b.more = line != [2]byte{'\r', '\n'}
	return io.EOF
}

// Close implements io.Closer.
func (b *quickBody) Close() error { return nil }
