package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"gateway"
	"gateway/actors"
	"gateway/api"
	"gateway/providers"
)

// slowBooks write a row when they are told to.
type slowBooks struct {
	rows chan func(error) // of each row: makes it durable
}

func (b *slowBooks) Begin(context.Context, *gateway.Outset) error { return nil }
func (b *slowBooks) Failing() error                               { return nil }
func (b *slowBooks) Full() error                                  { return nil }

func (b *slowBooks) Submit(_ gateway.Entry, _ gateway.Hold, _ gateway.Microcents, done func(error)) {
	b.rows <- done
}

func (b *slowBooks) Request(context.Context, string) ([]gateway.Entry, error) { return nil, nil }
func (b *slowBooks) Spend(context.Context, gateway.SpendQuery) ([]gateway.SpendLine, error) {
	return nil, nil
}

// listener is what a client has read so far.
type listener struct {
	mu     sync.Mutex
	status int
	text   strings.Builder
	ended  bool
}

func (h *listener) ask(client *http.Client, req *http.Request, over chan<- error) {
	res, err := client.Do(req)
	if err != nil {
		over <- err
		return
	}
	defer res.Body.Close()
	h.mu.Lock()
	h.status = res.StatusCode
	h.mu.Unlock()
	buffer := make([]byte, 4096)
	for {
		n, err := res.Body.Read(buffer)
		h.mu.Lock()
		h.text.Write(buffer[:n])
		h.ended = err != nil
		h.mu.Unlock()
		if err == io.EOF {
			over <- nil
			return
		}
		if err != nil {
			over <- err
			return
		}
	}
}

func (h *listener) now() (status int, text string, ended bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.status, h.text.String(), h.ended
}

// lastBytes are the ways to ask, each with the mark of a whole stream.
var lastBytes = []struct {
	format, path, body, mark string
	stream                   bool
}{
	{"chat", "/v1/chat/completions", `{"model":"MODEL","messages":[{"role":"user","content":"hi"}]}`, "", false},
	{"chat", "/v1/chat/completions", `{"model":"MODEL","stream":true,"messages":[{"role":"user","content":"hi"}]}`, "[DONE]", true},
	{"messages", "/v1/messages", `{"model":"MODEL","max_tokens":100,"messages":[{"role":"user","content":"hi"}]}`, "", false},
	{"messages", "/v1/messages", `{"model":"MODEL","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"hi"}]}`, "event: message_stop", true},
	{"responses", "/v1/responses", `{"model":"MODEL","input":"hi"}`, "", false},
	{"responses", "/v1/responses", `{"model":"MODEL","stream":true,"input":"hi"}`, "event: response.completed", true},
	{"gemini", "/v1beta/models/MODEL:generateContent", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`, "", false},
	{"gemini", "/v1beta/models/MODEL:streamGenerateContent?alt=sse", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`, "finishReason", true},
	{"gemini array", "/v1beta/models/MODEL:streamGenerateContent", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`, "finishReason", true},
}

// The end of an answer does not reach its client before its row is durable: in every
// format, of every kind of provider, streamed or not, translated or relayed.
func TestTheLastByteWaitsForTheRow(t *testing.T) {
	config, names := allKinds(t)
	books := &slowBooks{rows: make(chan func(error), 1)}
	base := serveOver(t, config, books)
	client := newClient(t)
	for _, name := range names {
		for _, c := range lastBytes {
			t.Run(name+"/"+c.format+map[bool]string{true: " stream"}[c.stream], func(t *testing.T) {
				model := name + "/" + name + "-model"
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+strings.Replace(c.path, "MODEL", model, 1), strings.NewReader(strings.Replace(c.body, "MODEL", model, 1)))
				if err != nil {
					t.Fatal(err)
				}
				var h listener
				over := make(chan error, 1)
				go h.ask(client, req, over) // ends with the answer, or with the test's context
				var durable func(error)
				select {
				case durable = <-books.rows:
				case err := <-over:
					status, text, _ := h.now()
					t.Fatalf("nothing was booked: %d %s %v", status, text, err)
				}
				time.Sleep(30 * time.Millisecond) // what was sent before the row must have come
				status, text, ended := h.now()
				if ended || c.stream && strings.Contains(text, c.mark) || !c.stream && status != 0 {
					t.Errorf("before its row is durable the client has %d %q, ended %v", status, text, ended)
				}
				if c.stream && text == "" && c.format != "gemini" && c.format != "gemini array" { // whose tail may be all of it
					t.Error("nothing of a stream has come")
				}
				durable(nil)
				if err := <-over; err != nil {
					t.Fatal(err)
				}
				if status, text, _ = h.now(); status != http.StatusOK || !strings.Contains(text, c.mark) || text == "" {
					t.Errorf("afterwards the client has %d %q", status, text)
				}
			})
		}
	}
}

// serveOver serves a providers.json over other books, and gives the URL.
func serveOver(t *testing.T, config string, books *slowBooks) string {
	t.Helper()
	data, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	conf, err := load(config, data, only(map[string]string{"TEST_API_KEY": "test"}))
	if err != nil {
		t.Fatal(err)
	}
	upstream := providers.NewClient()
	all, err := conf.build(upstream, providers.NewState(100, time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	cfg := actors.Config{Providers: all, Catalog: conf.models, Books: books, Log: quiet,
		Estimate: actors.Estimate{Prompt: func(n, _, _ int) int { return n / 4 }}}
	route(&cfg, conf.routing)
	system, err := actors.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	edge, err := api.New(api.Config{Log: quiet}, system, conf.models, books)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(edge)
	t.Cleanup(func() {
		server.Close()
		system.Stop(context.Background())
		upstream.CloseIdleConnections()
	})
	return server.URL
}
