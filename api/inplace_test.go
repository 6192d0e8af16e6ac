package api

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"gateway"
)

// A large body is read where it lies: neither looking it over nor beginning to answer it
// makes another one.
func TestLargeBodiesAreNotCopied(t *testing.T) {
	const size = 4 << 20
	long := strings.Repeat("word ", size/5)
	for name, c := range map[string]struct {
		path, body string
		scan       func(*http.Request, []byte, *gateway.Request) *gateway.Error
		begin      func(*gateway.Request)
	}{
		"gemini": {"/v1beta/models/auto:generateContent", `{"contents":[{"role":"user","parts":[{"text":"` + long + `"}]}]}`, scanGemini,
			func(r *gateway.Request) { newGeminiWriter(r, nil) }},
		"responses": {"/v1/responses", `{"model":"auto","input":"` + long + `"}`, func(_ *http.Request, raw []byte, req *gateway.Request) *gateway.Error {
			return scanResponses(raw, req, func(*gateway.Request) bool { return false })
		},
			func(r *gateway.Request) { newResponsesEvents(r, nil) }},
		"messages": {"/v1/messages", `{"model":"auto","max_tokens":9,"messages":[{"role":"user","content":"` + long + `"}]}`, scanMessagesBody,
			func(r *gateway.Request) { newMessageWriter(r, nil) }},
	} {
		raw, r := []byte(c.body), httptest.NewRequest("POST", c.path, nil)
		ask := func() {
			req := &gateway.Request{ID: "r"}
			if err := c.scan(r, raw, req); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			c.begin(req)
		}
		ask()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		ask()
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > size/4 {
			t.Errorf("%s: %d bytes for a body of %d", name, n, len(raw))
		}
	}
}

// What a provider counts with each event costs nothing to remember.
func TestUsageOfEachEventIsNotAllocated(t *testing.T) {
	w := newMessageWriter(&gateway.Request{ID: "r", Raw: []byte(`{}`)}, nil)
	c := &gateway.Chunk{Text: "a", Usage: &gateway.Usage{Fresh: 3, Output: 1, Reported: true}}
	if n := testing.AllocsPerRun(100, func() { w.silent(c) }); n != 0 {
		t.Errorf("%v allocations for each event", n)
	}
}
