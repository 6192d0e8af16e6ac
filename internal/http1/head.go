package http1

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"
)

// appendHead writes the status line and the headers, the handler's and those that say how
// the answer ends. first is the beginning of the body, to tell its type by.
func (w *response) appendHead(b []byte, first []byte) []byte {
	if w.req.ProtoAtLeast(1, 1) {
		b = append(b, "HTTP/1.1 "...)
	} else {
		b = append(b, "HTTP/1.0 "...)
	}
	b = append(append(b, statusLine(w.status)...), newline...)
	empty := w.status == http.StatusNoContent || w.status == http.StatusNotModified
	dated, typed := false, empty || len(first) == 0
	for name, values := range w.header {
		switch name {
		case "Connection", "Transfer-Encoding", "Content-Length", "Trailer":
			continue // ours to say
		case "Content-Type":
			typed = true
			if w.status == http.StatusNotModified {
				continue
			}
		case "Content-Encoding":
			typed = true // what it holds cannot be told by looking
		case "Date":
			dated = true
		}
		b = appendHeader(b, name, values)
	}
	if !typed {
		b = append(append(append(b, "Content-Type: "...), http.DetectContentType(first)...), newline...)
	}
	if !dated {
		b = append(append(append(b, "Date: "...), w.c.server.date.now()...), newline...)
	}
	switch {
	case w.chunked:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	case w.length >= 0 && !empty:
		b = append(strconv.AppendInt(append(b, "Content-Length: "...), w.length, 10), newline...)
	}
	switch {
	case w.last && w.req.ProtoAtLeast(1, 1):
		b = append(b, "Connection: close\r\n"...)
	case !w.last && !w.req.ProtoAtLeast(1, 1):
		b = append(b, "Connection: keep-alive\r\n"...)
	}
	return append(b, newline...)
}

// appendHeader writes one header. What would end its line early is made a space, and a
// name that is none is left out, as net/http does.
func appendHeader(b []byte, name string, values []string) []byte {
	if !httpguts.ValidHeaderFieldName(name) {
		return b
	}
	for _, v := range values {
		b = append(append(b, name...), ": "...)
		if strings.ContainsAny(v, "\r\n") {
			v = strings.NewReplacer("\r", " ", "\n", " ").Replace(v)
		}
		b = append(append(b, strings.Trim(v, " \t")...), newline...)
	}
	return b
}

// statusLine is a status with its text: "200 OK".
func statusLine(status int) string {
	if status == http.StatusOK {
		return "200 OK"
	}
	text := http.StatusText(status)
	if text == "" {
		text = "status code " + strconv.Itoa(status)
	}
	return strconv.Itoa(status) + " " + text
}

// dated keeps the Date header of the present second.
type dated struct {
	last atomic.Pointer[dateOf]
}

type dateOf struct {
	second int64
	text   string
}

func (d *dated) now() string {
	now := time.Now()
	if last := d.last.Load(); last != nil && last.second == now.Unix() {
		return last.text
	}
	text := now.UTC().Format(http.TimeFormat)
	d.last.Store(&dateOf{now.Unix(), text})
	return text
}
