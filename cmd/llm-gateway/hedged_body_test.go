package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A body of 10 MiB that is raced between two providers of its own format is in memory
// once: the race costs less than a copy of it. All of this process is counted, the
// client and both providers included, so that nothing is left out.
func TestRacedLargeBodyIsNotCopied(t *testing.T) {
	const large = 10<<20 - 1<<10 // with what is around it, just under the limit
	var silent atomic.Bool
	var whole [2]atomic.Int64         // bodies that came whole
	firstHasIt := make(chan struct{}) // the silent first provider has its whole body
	provider := func(n int) string {
		answer := says("Hello.")
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			buffer := make([]byte, 64<<10)
			got, _ := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r.Body, buffer)
			if got >= large/5*5 {
				whole[n].Add(1)
			}
			switch {
			case n == 0 && silent.Load():
				close(firstHasIt)
				<-r.Context().Done()
				return
			case n == 1: // an answer ends the first's call, so it waits for the first to have read its body
				select {
				case <-firstHasIt:
				case <-time.After(30 * time.Second):
				}
			}
			answer(nil, w, r, "")
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	base := serveGateway(t, configFile(t,
		entry{name: "first", url: provider(0), price: 1}, entry{name: "second", url: provider(1), price: 1.1}), nil)
	client := newClient(t)
	body := `{"model":"auto","stream":true,"messages":[{"role":"user","content":"` + strings.Repeat("word ", large/5) + `"}]}`
	ask := func(hedge string) (allocated int64, hedged string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/v1/chat/completions", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Gateway-Hedge", hedge)
		req.Header.Set("X-Gateway-Hedge-After", "300ms")
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := foldText(res.Body)
		runtime.ReadMemStats(&after)
		if err != nil || text != "Hello." {
			t.Fatalf("%s: %q, %v", res.Status, text, err)
		}
		return int64(after.TotalAlloc - before.TotalAlloc), res.Header.Get("X-Gateway-Hedged")
	}
	ask("off") // connections and pools
	alone, _ := ask("off")
	silent.Store(true)
	raced, hedged := ask("force")
	if hedged != "true" || whole[0].Load() != 3 || whole[1].Load() != 1 {
		t.Fatalf("hedged %q; the first had %d whole bodies, the second %d", hedged, whole[0].Load(), whole[1].Load())
	}
	t.Logf("alone %d KiB, raced %d KiB", alone>>10, raced>>10)
	if more := raced - alone; more > large/2 {
		t.Errorf("the race cost %d bytes more than the request alone", more)
	}
}
