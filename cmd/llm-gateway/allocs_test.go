//go:build !race

package main // not with the race detector, which allocates for itself

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
)

// What a request may allocate: unlike its time this is the same on every machine. The
// bounds are what was measured and a tenth more; they cover gateway, client and provider
// together, which share this process, and the ledger's rows. A change that needs more
// raises its bound and says why; one that needs less lowers it.
func TestAllocationsPerRequest(t *testing.T) {
	const tokens = 50
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if !bytes.Contains(body, []byte(`"stream":true`)) {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, wholeOf(tokens))
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, chunk(roleChunk, "null"))
		for range tokens {
			io.WriteString(w, chunk(`{"content":"token "}`, "null"))
			w.(http.Flusher).Flush()
		}
		io.WriteString(w, chunk("{}", `"stop"`)+usageChunk+"data: [DONE]\n\n")
	}))
	defer up.Close()
	base := serveGateway(t, configFile(t, entry{name: "first", url: up.URL, price: 1}, entry{name: "second", url: up.URL, price: 2}),
		nil, "--overload-wait", "1.5s")
	client := newClient(t)
	for name, c := range map[string]struct {
		more string
		most int
	}{
		"whole":  {`,"max_tokens":60`, 235},
		"stream": {`,"stream":true`, 405},
	} {
		send := func(n int) {
			for range n {
				body := strings.NewReader(`{"messages":[{"role":"user","content":"Say something."}]` + c.more + `}`)
				resp, err := client.Post(base+"/v1/chat/completions", "application/json", body)
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode != http.StatusOK || !bytes.Contains(text, []byte("token ")) {
					t.Fatalf("%d %.200s %v", resp.StatusCode, text, err)
				}
			}
		}
		send(100) // pools, connections and what is learned once
		var before, after runtime.MemStats
		const n = 400
		runtime.ReadMemStats(&before)
		send(n)
		runtime.ReadMemStats(&after)
		if each := int(after.Mallocs-before.Mallocs) / n; each > c.most {
			t.Errorf("%s: %d allocations per request, at most %d are allowed", name, each, c.most)
		} else {
			t.Logf("%s: %d allocations per request", name, each)
		}
	}
}

func wholeOf(tokens int) string {
	return fmt.Sprintf(`{"id":"x","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":%q},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":%d,"total_tokens":%d}}`,
		strings.Repeat("token ", tokens), tokens, 10+tokens)
}
