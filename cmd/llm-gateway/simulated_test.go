package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// script is what a provider of a test does with a request.
type script func(u *upstream, w http.ResponseWriter, r *http.Request, prompt string)

// upstream is a provider of a test. It speaks OpenAI's format and does what its script says.
type upstream struct {
	*httptest.Server
	script  script
	calls   atomic.Int64
	holding chan struct{}  // a call has come to its hold
	closed  chan time.Time // and when it saw the other side go
}

func newUpstream(t testing.TB, s script) *upstream {
	u := &upstream{script: s, holding: make(chan struct{}, 1), closed: make(chan time.Time, 1)}
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.calls.Add(1)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		var req struct {
			Messages []struct {
				Content string `json:"content"`
			} `json:"messages"`
		}
		_ = json.Unmarshal(body, &req)
		prompt := ""
		if len(req.Messages) > 0 {
			prompt = req.Messages[len(req.Messages)-1].Content
		}
		u.script(u, w, r, prompt)
	}))
	t.Cleanup(u.Server.Close)
	return u
}

// hold waits until the caller goes, and notes when.
func (u *upstream) hold(r *http.Request) {
	u.holding <- struct{}{}
	select {
	case <-r.Context().Done():
		u.closed <- time.Now()
	case <-time.After(time.Minute):
	}
}

func chunk(delta, finish string) string {
	return fmt.Sprintf(`data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1760000000,"model":"m",`+
		`"choices":[{"index":0,"delta":%s,"finish_reason":%s}]}`+"\n\n", delta, finish)
}

func contentChunk(text string) string {
	quoted, _ := json.Marshal(text)
	return chunk(`{"content":`+string(quoted)+`}`, "null")
}

const (
	roleChunk  = `{"role":"assistant","content":""}`
	usageChunk = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1760000000,"model":"m","choices":[],` +
		`"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}` + "\n\n"
)

func begin(w http.ResponseWriter, parts ...string) {
	w.Header().Set("Content-Type", "text/event-stream")
	io.WriteString(w, strings.Join(parts, ""))
	http.NewResponseController(w).Flush()
}

// says answers with a text, one chunk a word.
func says(text string) script {
	return func(_ *upstream, w http.ResponseWriter, _ *http.Request, _ string) {
		begin(w, chunk(roleChunk, "null"))
		for _, word := range strings.SplitAfter(text, " ") {
			io.WriteString(w, contentChunk(word))
			http.NewResponseController(w).Flush()
		}
		io.WriteString(w, chunk("{}", `"stop"`)+usageChunk+"data: [DONE]\n\n")
	}
}

// status refuses with an HTTP status and an error in OpenAI's shape.
func status(code int, kind string, headers ...string) script {
	return func(_ *upstream, w http.ResponseWriter, _ *http.Request, _ string) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"error":{"message":"simulated","type":%q,"code":%q}}`, kind, kind)
	}
}

// sends writes these bytes as an event stream and ends.
func sends(parts ...string) script {
	return func(_ *upstream, w http.ResponseWriter, _ *http.Request, _ string) { begin(w, parts...) }
}

// holds sends these bytes and then waits for the caller to go.
func holds(parts ...string) script {
	return func(u *upstream, w http.ResponseWriter, r *http.Request, _ string) {
		if len(parts) > 0 {
			begin(w, parts...)
		}
		u.hold(r)
	}
}
