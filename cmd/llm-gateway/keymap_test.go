package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// The models that an agent asks for by fixed names are another's for each key: its own map
// comes before that of providers.json, which holds for keys without one.
func TestModelMapOfAKey(t *testing.T) {
	dir := t.TempDir()
	one, two := newUpstream(t, says("one answers")), newUpstream(t, says("two answers"))
	config := configFileWith(t, map[string]any{"model_map": map[string]string{"claude-*": "one/one-model"}},
		entry{name: "one", url: one.URL, price: 1}, entry{name: "two", url: two.URL, price: 2})
	own := keysCmd(t, dir, "create", "--alias", "own", "--model-map", "claude-*=two/two-model")
	none := keysCmd(t, dir, "create", "--alias", "none")
	base := serveGateway(t, config, nil, "--data-dir", dir)
	for secret, want := range map[string]string{own: "two answers", none: "one answers"} {
		for _, stream := range []string{"false", "true"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/v1/messages", strings.NewReader(
				`{"model":"claude-sonnet-5-5","max_tokens":50,"stream":`+stream+`,"messages":[{"role":"user","content":"hi"}]}`))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Api-Key", secret)
			req.Header.Set("Anthropic-Version", "2023-06-01")
			res, err := newClient(t).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(body), want[:3]) {
				t.Errorf("streamed %s: %s %s, %v; want %q", stream, res.Status, body, err, want)
			}
		}
	}
	if one.calls.Load() != 2 || two.calls.Load() != 2 {
		t.Errorf("%d and %d calls, want 2 each", one.calls.Load(), two.calls.Load())
	}
}
