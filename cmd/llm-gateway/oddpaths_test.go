package main

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"gateway/internal/fakeupstream"
)

// oddPaths are request targets that have been ways around a check of keys somewhere.
var oddPaths = []string{
	"/v1/chat/completions", "/v1/chat/completions/", "//v1/chat/completions", "/v1//chat/completions", "/v1/chat//completions",
	"/./v1/chat/completions", "/v1/./chat/completions", "/v1/../v1/chat/completions", "/health/../v1/chat/completions", "/livez/../v1/chat/completions",
	"/livez/..%2fv1/chat/completions", "/livez%2f..%2fv1/chat/completions", "/%2e%2e/v1/chat/completions", "/v1/%2e/chat/completions",
	"/v1/chat/completions%00", "/v1/chat/completions%20", "/v1/chat/completions%0a", "/v1/chat/completions%2f", "/v1/chat/completions%3f",
	"/v1/chat/completions;a=b", "/v1;/chat/completions", "/v1/chat/completions.json", "/v1/chat/completions/..;/", "/V1/chat/completions",
	"/v1/CHAT/completions", "/v1/chat%2fcompletions", "/%76%31/chat/completions", "/v1/chat/completion%73", "/v1%2fchat%2fcompletions",
	"/v1/chat/completions?key=livez", "/v1/chat/completions?/health", "/v1/chat/completions#/health", "/health;/v1/chat/completions", "/health%2f..%2fv1/models",
	"/api/v1.0/chat/completions", "/api/v1.0/../v1/chat/completions", "/api/v1.0/health/../chat/completions", "/api//v1.0/chat/completions", "/api/v1.0/classify/",
	"/classify", "/classify/", "//classify", "/plan", "/embed", "/embed%2f", "/v1/embeddings", "/v1/models", "/v1/models/", "/v1/models/a%2fb",
	"/v1/models/../../livez/../v1/models", "/v1/spend", "/v1/spend?by=key", "/v1/providers", "/v1/requests/x", "/v1/requests/..%2f..%2flivez",
	"/v1/responses", "/v1/responses/x", "/v1/messages", "/admin/keys", "/admin", "/debug/pprof/", "/debug/vars", "/metrics",
	"http://livez/v1/chat/completions", "http://127.0.0.1/v1/models", "\\v1\\chat\\completions", "/..\\v1\\chat\\completions",
}

// oddHosts are hosts that nothing must be decided by.
var oddHosts = []string{"127.0.0.1", "localhost", "livez", "gateway/livez", "127.0.0.1:9090", "admin", "x?/health", "[::1]", "a@localhost"}

// Without a key no path and no host leads anywhere but to a refusal.
func TestOddPathsAndHostsNeedAKey(t *testing.T) {
	var reached atomic.Int64
	fake, err := fakeupstream.Start(fakeupstream.Config{Kind: fakeupstream.OpenAI, Script: func(fakeupstream.Seen) fakeupstream.Step {
		reached.Add(1)
		return fakeupstream.Step{}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fake.Close() })
	base := serveGateway(t, configFile(t, entry{name: "p", url: fake.URL(), price: 1}), map[string]string{"GATEWAY_API_KEYS": smuggleKey})
	addr := strings.TrimPrefix(base, "http://")
	body := chatWith("odd")
	check := func(method, target, host, more string) {
		got := sayRaw(t, addr, method+" "+target+" HTTP/1.1\r\nHost: "+host+"\r\n"+more+lengthOf(body)+"\r\n\r\n"+body)
		if !containsWord("401|404|400|405", got) {
			t.Errorf("%s %q, Host %q, %q: %s", method, target, host, more, got)
		}
	}
	for _, path := range oddPaths {
		check("POST", path, "gateway", "")
		check("GET", path, "gateway", "")
	}
	for _, host := range oddHosts {
		check("POST", "/v1/chat/completions", host, "")
	}
	for _, header := range []string{
		"X-Forwarded-For: 127.0.0.1", "X-Forwarded-Host: localhost", "X-Forwarded-Prefix: /livez", "X-Original-URL: /livez", "X-Rewrite-URL: /livez",
		"Forwarded: for=127.0.0.1;host=localhost", "X-HTTP-Method-Override: GET", "X-Real-IP: 127.0.0.1", "Authorization: Bearer", "Authorization: Bearer ",
		"Authorization: Basic " + smuggleKey, "Authorization: Bearer null", "Authorization: Bearer undefined", "x-api-key:", "Cookie: key=" + smuggleKey,
		"Authorization: Bearer x\r\nAuthorization: Bearer " + smuggleKey, "api-key: x",
	} {
		check("POST", "/v1/chat/completions", "gateway", header+"\r\n")
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("%d requests without a key reached the provider", n)
	}
}

// What a client says to us of itself is not for the provider.
func TestClientHeadersStayHere(t *testing.T) {
	got := make(chan http.Header, 1)
	u := newUpstream(t, func(_ *upstream, w http.ResponseWriter, r *http.Request, _ string) {
		got <- r.Header.Clone()
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`)
	})
	base := serveGateway(t, configFile(t, entry{name: "p", url: u.URL, price: 1, extras: map[string]any{"stream_upstream": "false"}}), map[string]string{"GATEWAY_API_KEYS": smuggleKey})
	mine := map[string]string{
		"x-api-key": smuggleKey, "Cookie": "session=secret-1", "X-Goog-Api-Key": "secret-2", "Proxy-Authorization": "Basic secret-3", "X-Custom": "secret-4",
		"Connection": "X-Custom, keep-alive", "Keep-Alive": "timeout=secret-5", "TE": "trailers", "Upgrade": "secret-6", "Proxy-Connection": "secret-7",
		"X-Forwarded-For": "secret-8", "Forwarded": "for=secret-9", "OpenAI-Organization": "secret-10", "anthropic-beta": "secret-11", "Via": "secret-12",
		"Referer": "secret-13", "Origin": "http://secret-14", "User-Agent": "secret-15",
	}
	headers := []string{"Authorization: Bearer " + smuggleKey}
	for name, value := range mine {
		headers = append(headers, name+": "+value)
	}
	body := chatWith("front")
	addr := strings.TrimPrefix(base, "http://")
	status := sayRaw(t, addr, "POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\n"+strings.Join(append(headers, lengthOf(body)), "\r\n")+"\r\n\r\n"+body)
	if status != "200" {
		t.Fatalf("status %s", status)
	}
	sent := <-got
	for name, values := range sent {
		text := strings.Join(values, ",")
		if strings.Contains(text, "secret-") || strings.Contains(text, smuggleKey) {
			t.Errorf("the provider got %s: %s", name, text)
		}
	}
	if key := sent.Get("Authorization"); key != "Bearer test" {
		t.Errorf("the provider got the key %q, want its own", key)
	}
}
