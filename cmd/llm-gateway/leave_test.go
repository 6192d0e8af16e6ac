package main

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// When the client leaves, the provider's connection closes at once, whatever phase
// the request is in; a provider that goes on generating would go on billing.
func TestProviderSeesTheClientLeave(t *testing.T) {
	times := 200
	if testing.Short() {
		times = 20
	}
	failing := newUpstream(t, status(http.StatusInternalServerError, "server_error"))
	for name, c := range map[string]struct {
		script   script
		fallback bool
	}{
		"before headers": {script: holds()},
		"before content": {script: holds(chunk(roleChunk, "null"))},
		"mid-stream":     {script: holds(chunk(roleChunk, "null"), contentChunk("Hel"))},
		"in a fallback":  {script: holds(), fallback: true},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUpstream(t, c.script)
			entries := []entry{{name: "second", url: u.URL, price: 2}}
			if c.fallback {
				// Its breaker is off: the case is the walk past it, each time.
				entries = append(entries, entry{name: "first", url: failing.URL, price: 1})
			}
			base := serveGateway(t, configFile(t, entries...), nil)
			client := newClient(t)
			var delays []time.Duration
			for range times {
				delays = append(delays, leaveOnce(t, client, base, u))
			}
			slices.Sort(delays)
			if p99 := delays[len(delays)*99/100]; p99 > 100*time.Millisecond {
				t.Errorf("p99 of %d: %v, want at most 100ms (median %v)", times, p99, delays[len(delays)/2])
			}
		})
	}
}

func leaveOnce(t *testing.T, client *http.Client, base string, u *upstream) time.Duration {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	gone := make(chan struct{})
	go func() { // ends when the client leaves
		defer close(gone)
		res, err := post(ctx, client, base, `{"model":"auto","stream":true,"messages":[{"role":"user","content":"hi"}]}`)
		if err == nil {
			io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
	}()
	select {
	case <-u.holding:
	case <-gone:
		t.Fatal("answered before the provider was asked")
	case <-time.After(20 * time.Second):
		t.Fatal("the provider was not asked")
	}
	left := time.Now()
	leave()
	select {
	case at := <-u.closed:
		<-gone
		return at.Sub(left)
	case <-time.After(5 * time.Second):
		t.Fatal("the provider did not see the close within 5s")
	}
	return 0
}

func post(ctx context.Context, client *http.Client, base, body string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	return client.Do(req)
}
