package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"gateway/internal/grammar"
)

// cutting is a provider that sends so many events of a recorded stream and then cuts
// the line. cut < 0 sends all of them and ends as it should.
func cutting(t *testing.T, file, kind string) (url string, events int, cut *atomic.Int64) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("../../providers/testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	end := []byte("\n\n")
	if bytes.Contains(raw, []byte("\r\n\r\n")) {
		end = []byte("\r\n\r\n")
	}
	if kind == "application/x-ndjson" {
		end = []byte("\n")
	}
	pieces := bytes.SplitAfter(raw, end)
	if len(bytes.TrimSpace(pieces[len(pieces)-1])) == 0 {
		pieces = pieces[:len(pieces)-1]
	}
	cut = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", kind)
		n := int(cut.Load())
		if n < 0 {
			n = len(pieces)
		}
		for _, p := range pieces[:n] {
			w.Write(p)
		}
		w.(http.Flusher).Flush()
		if n < len(pieces) {
			panic(http.ErrAbortHandler)
		}
	}))
	server.Config.ErrorLog = nil
	t.Cleanup(server.Close)
	return server.URL, len(pieces), cut
}

// whole is how many of the last events a stream may lose and be whole all the same: what
// follows the reason of its end. Source: wire reference section 11.2.
var cuts = []struct {
	name, file, media, wire, path string
	whole                         int
}{
	{"openai", "openai/chat.stream.tools.sse", "text/event-stream", "openai_compatible", "/v1", 2},
	{"deepseek", "deepseek/chat.stream.thinking_tools.sse", "text/event-stream", "openai_compatible", "", 1},
	{"anthropic", "anthropic/stream.tools.sse", "text/event-stream", "anthropic", "/v1", 1},
	{"anthropic thinking", "anthropic/stream.thinking.sse", "text/event-stream", "anthropic", "/v1", 1},
	{"gemini", "gemini/stream.tools.sse", "text/event-stream", "gemini", "/v1beta", 0},
	{"gemini text", "gemini/stream.text.sse", "text/event-stream", "gemini", "/v1beta", 0},
	{"ollama", "ollama/chat.stream.tools.ndjson", "application/x-ndjson", "ollama", "", 0},
	{"responses", "openai-responses/stream.text.sse", "text/event-stream", "openai_responses", "/v1", 0},
	{"responses tools", "openai-responses/stream.tools.sse", "text/event-stream", "openai_responses", "/v1", 0},
}

// Every stream, cut after every event, in every format of the edge that has a grammar of
// its own here: nobody is told that a cut answer is whole.
func TestStreamsCutAtEveryEvent(t *testing.T) {
	for _, c := range cuts {
		t.Run(c.name, func(t *testing.T) {
			url, events, cut := cutting(t, c.file, c.media)
			config := configFile(t, entry{name: "p", price: 1, extras: map[string]any{"kind": c.wire, "base_url": url + c.path, "breaker": "off"}})
			base := serveGateway(t, config, nil)
			for n := range events + 1 {
				cut.Store(int64(n))
				if n == events {
					cut.Store(-1)
				}
				whole := n >= events-c.whole
				status, body := postTo(t, base+"/v1/responses", `{"stream":true,"input":"Hi","tools":[{"type":"function","name":"get_weather"}]}`)
				if status == http.StatusOK {
					got, err := grammar.Responses(body)
					if err != nil || (got.Ending == grammar.Completed) != whole || got.Ending == grammar.Cut {
						t.Errorf("responses, %d of %d events: %v: %+v\n%s", n, events, err, got, body)
					}
				} else if whole || !strings.Contains(body, `"error"`) {
					t.Errorf("responses, %d of %d events: %d %s", n, events, status, body)
				}
				for _, alt := range []string{"?alt=sse", ""} {
					status, body = postTo(t, base+"/v1beta/models/auto:streamGenerateContent"+alt, `{"contents":[{"parts":[{"text":"Hi"}]}],"tools":[{"functionDeclarations":[{"name":"get_weather"}]}]}`)
					if status == http.StatusOK {
						got, err := grammar.Gemini(body)
						if err != nil || (got.Ending == grammar.Completed) != whole || got.Ending == grammar.Cut {
							t.Errorf("gemini%s, %d of %d events: %v: %+v\n%s", alt, n, events, err, got, body)
						}
					} else if whole || !strings.Contains(body, `"status"`) {
						t.Errorf("gemini%s, %d of %d events: %d %s", alt, n, events, status, body)
					}
				}
			}
		})
	}
}
