package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Under a budget the longest answer is always sent upstream, also to the provider that is
// fallen back to: a hold is worth no more than the limit that it was computed with.
func TestABudgetAlwaysBoundsTheAnswer(t *testing.T) {
	asked := make(chan int, 10)
	provider := func(answer script) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var body struct {
				Most  int `json:"max_tokens"`
				Newer int `json:"max_completion_tokens"`
			}
			if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
				t.Error(err)
			}
			asked <- max(body.Most, body.Newer)
			answer(nil, w, r, "")
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	data := t.TempDir()
	key := func(args ...string) string {
		out := keysCmd(t, data, append([]string{"create"}, args...)...)
		return out[strings.LastIndexAny(out, " \n")+1:]
	}
	bounded, free := key("--alias", "bounded", "--budget", "100"), key("--alias", "free")
	base := serveGateway(t, configFile(t, entry{name: "first", url: provider(status(http.StatusServiceUnavailable, "overloaded")), price: 1},
		entry{name: "second", url: provider(says("ok")), price: 2}), nil, "--data-dir", data)
	client := newClient(t)
	for secret, most := range map[string]func(n int) bool{bounded: func(n int) bool { return n > 0 }, free: func(n int) bool { return n == 0 }} {
		for _, stream := range []bool{false, true} {
			res, err := chatAs(t.Context(), client, base, secret, chatBody(stream))
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if res.StatusCode != http.StatusOK || len(asked) < 2 {
				t.Fatalf("%s %s after %d calls", res.Status, text, len(asked))
			}
			for len(asked) > 0 {
				if n := <-asked; !most(n) {
					t.Errorf("a call of key %s, stream %v: asked for at most %d tokens", secret[:8], stream, n)
				}
			}
		}
	}
}
