package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"gateway/internal/fakeupstream"
)

// A provider takes max_tokens for each of n choices and bills them all: under a budget it
// hears no number above the client's, and its bill is within the hold.
func TestABudgetCountsChoices(t *testing.T) {
	const n, most = 4, 50
	up, err := fakeupstream.Start(fakeupstream.Config{Kind: fakeupstream.OpenAI, Tokens: 400, Plain: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { up.Close() })
	at, err := url.Parse(up.URL())
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan int, 10)
	proxy := httputil.NewSingleHostReverseProxy(at)
	proxy.FlushInterval = -1
	wire := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		var body struct {
			Most  int `json:"max_tokens"`
			Newer int `json:"max_completion_tokens"`
		}
		if err := json.Unmarshal(raw, &body); err != nil {
			t.Error(err)
		}
		asked <- max(body.Most, body.Newer)
		r.Body = io.NopCloser(bytes.NewReader(raw))
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(wire.Close)
	data := t.TempDir()
	key := func(alias, dollars string) string {
		out := keysCmd(t, data, "create", "--alias", alias, "--budget", dollars)
		return out[strings.LastIndexAny(out, " \n")+1:]
	}
	poor, rich := key("poor", "0.000001"), key("rich", "1")
	base := serveGateway(t, configFile(t, entry{name: "only", url: wire.URL, price: 10}), nil, "--data-dir", data)
	client := newClient(t)
	for _, stream := range []string{"false", "true"} {
		body := `{"model":"auto","n":4,"max_tokens":50,"stream":` + stream + `,"messages":[{"role":"user","content":"hi"}]}`
		status, text := chatStatus(t, client, base, poor, body)
		var no struct {
			Error struct{ Needed int64 }
		}
		if err := json.Unmarshal([]byte(text), &no); err != nil || status != http.StatusPaymentRequired || no.Error.Needed == 0 {
			t.Fatalf("%d %s", status, text)
		}
		if status, text = chatStatus(t, client, base, rich, body); status != http.StatusOK || !strings.Contains(text, `"index":3`) {
			t.Fatalf("%d %s", status, text)
		}
		if got := <-asked; got != most {
			t.Errorf("stream %s: each choice was asked for %d tokens, want %d", stream, got, most)
		}
		bills := up.Bill()
		u := bills[len(bills)-1].Usage
		// 10 dollars per million tokens are 1,000 microcents for each.
		if cost := int64(u.Prompt+u.Output) * 1000; u.Output != n*most || cost > no.Error.Needed {
			t.Errorf("stream %s: billed %+v, %d microcents, with %d held", stream, u, cost, no.Error.Needed)
		}
	}
}
