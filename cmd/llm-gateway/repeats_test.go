package main

import (
	"net/http"
	"strings"
	"testing"

	"gateway/internal/fakeupstream"
)

// A request that comes a second time with its Idempotency-Key is made once, on every
// route that spends; the same key with anything else in it is refused.
func TestIdempotencyKeyOnEveryRoute(t *testing.T) {
	up, err := fakeupstream.Start(fakeupstream.Config{Kind: fakeupstream.OpenAI, Plain: true})
	if err != nil {
		t.Fatal(err)
	}
	defer up.Close()
	price := map[string]any{"input_usd_per_mtok": 1, "output_usd_per_mtok": 1}
	config := configFileWith(t, map[string]any{"default_embedding": "only/embedder"}, entry{name: "only", url: up.URL(), price: 1, extras: map[string]any{
		"models": []map[string]any{{"name": "only-model", "pricing": price}, {"name": "other-model", "pricing": price}, {"name": "embedder", "embeddings": true, "pricing": price}}}})
	const one, two = "key-of-the-first", "key-of-the-second"
	data := t.TempDir()
	env := map[string]string{"GATEWAY_API_KEYS": "one:" + one + ",two:" + two}
	base, stop := startGateway(t, config, env, "--data-dir", data)
	defer func() { stop() }()
	client := newClient(t)
	for _, r := range []struct{ path, body, other string }{
		{"/v1/chat/completions", chatBody(false), chatBody(true)},
		{"/v1/chat/completions", chatBody(true), chatBody(false)},
		{"/v1/responses", `{"model":"auto","input":"hi"}`, `{"model":"auto","input":"ho"}`},
		{"/v1/messages", `{"model":"auto","max_tokens":50,"messages":[{"role":"user","content":"hi"}]}`, `{"model":"auto","max_tokens":51,"messages":[{"role":"user","content":"hi"}]}`},
		{"/v1beta/models/auto:generateContent", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`, `{"contents":[{"role":"user","parts":[{"text":"ho"}]}]}`},
		{"/v1/embeddings", `{"model":"embedder","input":"hi"}`, `{"model":"embedder","input":"ho"}`},
		{"/embed", `{"text":"hi","model":"embedder"}`, `{"text":"ho","model":"embedder"}`},
		{"/classify", `{"prompt":"hi"}`, `{"prompt":"ho"}`},
		{"/classify", `{"prompt":"hi"}`, `{"prompt":"hi","model":"other-model"}`},
		{"/plan", `{"context":{"a":1},"system_prompt":"plan"}`, `{"context":{"a":2},"system_prompt":"plan"}`},
	} {
		name := "once" + r.path + r.other
		before := up.Counts().Requests
		status, text := runCall(t, client, "POST", base+r.path, one, r.body, "Idempotency-Key", name)
		if status != http.StatusOK || up.Counts().Requests != before+1 {
			t.Errorf("%s: %d %s after %d calls", r.path, status, text, up.Counts().Requests-before)
			continue
		}
		if status, text = runCall(t, client, "POST", base+r.path, one, r.body, "Idempotency-Key", name); status != http.StatusConflict {
			t.Errorf("%s again: %d %s", r.path, status, text)
		}
		if status, text = runCall(t, client, "POST", base+r.path, one, r.other, "Idempotency-Key", name); status != 400 && status != 422 || !strings.Contains(text, "another body") {
			t.Errorf("%s with another body: %d %s", r.path, status, text)
		}
		if up.Counts().Requests != before+1 {
			t.Errorf("%s was made %d times", r.path, up.Counts().Requests-before)
		}
		if status, text = runCall(t, client, "POST", base+r.path, two, r.body, "Idempotency-Key", name); status != http.StatusOK {
			t.Errorf("%s of another client: %d %s", r.path, status, text)
		}
	}
	stop()
	base, stop = startGateway(t, config, env, "--data-dir", data)
	const classify = `{"prompt":"hi"}`
	if status, text := runCall(t, client, "POST", base+"/classify", one, classify, "Idempotency-Key", "once/classify"+`{"prompt":"ho"}`); status != http.StatusConflict {
		t.Errorf("after a restart: %d %s", status, text)
	}
}
