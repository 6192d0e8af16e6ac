package api

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"gateway"
)

// TestPanicLeavesNoTimer: the comments of a stream that ended in a panic do not go into
// the answers of those who come after it.
func TestPanicLeavesNoTimer(t *testing.T) {
	srv := serve(t, func(_ context.Context, req *gateway.Request) (*gateway.Answer, error) {
		if req.Stream {
			panic("on purpose")
		}
		time.Sleep(150 * time.Millisecond)
		return nil, gateway.Errorf(gateway.Invalid, "no")
	}, func(c *Config) { c.KeepAlive = 50 * time.Millisecond })
	for range 8 {
		resp, err := http.Post(srv.URL+"/v1/chat/completions", "application/json", strings.NewReader(`{"stream":true,"messages":[{"role":"user","content":"x"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != 500 {
			t.Errorf("a panic was answered with %d", resp.StatusCode)
		}
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if resp, body := post(t, srv, "/v1/chat/completions", ask); resp.StatusCode != 400 || strings.Contains(body, "keep-alive") {
				t.Errorf("another's answer: %d %s", resp.StatusCode, body)
			}
		})
	}
	all.Wait()
}
