package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"gateway/internal/fakeupstream"
)

// tap stands before a simulated provider. It sees the bytes that go either way, and can
// end an answer at any event.
type tap struct {
	provider http.Handler

	mu    sync.Mutex
	heard map[string][]*exchange // by conversation; nil: nothing is kept
	cuts  map[string]cutAt       // by conversation
}

// exchange is a request to a provider, and what it answered.
type exchange struct {
	request, answer httpMessage
	done            chan struct{} // closed when the answer has ended
}

// httpMessage is what went one way over HTTP.
type httpMessage struct {
	line   string // of a request its method and path, of an answer its status
	header http.Header
	body   []byte
}

// cutAt is where an answer ends before its time: behind so many events, by the end of the
// body as if that were all, or by that of the connection.
type cutAt struct {
	events int
	abrupt bool
}

// tapped lets a provider listen behind a tap, and gives the base URL for providers.json.
func tapped(t *testing.T, server *fakeupstream.Server) (*tap, string) {
	tp := &tap{provider: server, cuts: map[string]cutAt{}}
	front := httptest.NewServer(tp)
	t.Cleanup(front.Close)
	return tp, strings.Replace(server.Base(), server.URL(), front.URL, 1)
}

var conversationMark = regexp.MustCompile(`\[\[id:([A-Za-z0-9._-]+)\]\]`)

func (tp *tap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the gateway left
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	id := ""
	if found := conversationMark.FindSubmatch(body); found != nil {
		id = string(found[1])
	}
	ex := &exchange{request: httpMessage{r.Method + " " + r.URL.RequestURI(), r.Header.Clone(), body}, done: make(chan struct{})}
	defer close(ex.done)
	at, cut := tp.note(id, ex)
	out := &tee{ResponseWriter: w, into: &ex.answer}
	if !cut {
		tp.provider.ServeHTTP(out, r)
		return
	}
	whole := httptest.NewRecorder()
	tp.provider.ServeHTTP(whole, r)
	for name, values := range whole.Header() {
		w.Header()[name] = values
	}
	out.WriteHeader(whole.Code)
	events := splitEvents(whole.Body.String(), whole.Header().Get("Content-Type"))
	_, _ = io.WriteString(out, strings.Join(events[:min(at.events, len(events))], "")) // the gateway may have left
	if at.abrupt {
		_ = http.NewResponseController(out).Flush() // so that the events are not lost with the connection
		panic(http.ErrAbortHandler)
	}
}

// note keeps an exchange, and says where its answer is to end.
func (tp *tap) note(id string, ex *exchange) (at cutAt, cut bool) {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	if tp.heard != nil {
		tp.heard[id] = append(tp.heard[id], ex)
	}
	at, cut = tp.cuts[id]
	return at, cut
}

func (tp *tap) keep() {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	tp.heard = map[string][]*exchange{}
}

// cut ends the answers in a conversation at a place; nil ends that.
func (tp *tap) cut(id string, at *cutAt) {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	if at == nil {
		delete(tp.cuts, id)
	} else {
		tp.cuts[id] = *at
	}
}

// take gives what was kept of a conversation since it was asked last.
func (tp *tap) take(t *testing.T, id string) (all []*exchange) {
	t.Helper()
	tp.mu.Lock()
	all = tp.heard[id]
	delete(tp.heard, id)
	tp.mu.Unlock()
	for _, ex := range all {
		select {
		case <-ex.done:
		case <-t.Context().Done():
			t.Error("a provider's answer did not end")
		}
	}
	return all
}

// tee keeps what is written.
type tee struct {
	http.ResponseWriter
	into *httpMessage
}

func (w *tee) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *tee) WriteHeader(status int) {
	w.into.line, w.into.header = fmt.Sprintf("%d %s", status, http.StatusText(status)), w.Header().Clone()
	w.ResponseWriter.WriteHeader(status)
}

func (w *tee) Write(p []byte) (int, error) {
	if w.into.line == "" {
		w.WriteHeader(http.StatusOK)
	}
	w.into.body = append(w.into.body, p...)
	return w.ResponseWriter.Write(p)
}

var eventEnd = regexp.MustCompile(`\r?\n\r?\n`)

// splitEvents takes a stream apart behind its events. Ollama's are lines.
func splitEvents(stream, contentType string) (events []string) {
	if strings.Contains(contentType, "ndjson") {
		events = strings.SplitAfter(stream, "\n")
	} else {
		for stream != "" {
			end := len(stream)
			if found := eventEnd.FindStringIndex(stream); found != nil {
				end = found[1]
			}
			events, stream = append(events, stream[:end]), stream[end:]
		}
	}
	return slices.DeleteFunc(events, func(e string) bool { return e == "" })
}
