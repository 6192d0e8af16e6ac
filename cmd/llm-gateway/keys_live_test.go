package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// keysCmd runs a keys command as another process would, and gives its standard output.
func keysCmd(t *testing.T, dir string, args ...string) string {
	t.Helper()
	var out, complaint strings.Builder
	args = append(append([]string{"keys"}, args...), "--data-dir", dir)
	if code := run(t.Context(), t.Context(), args, only(nil), &out, &complaint); code != 0 {
		t.Fatalf("%v: exit %d %s", args, code, complaint.String())
	}
	return strings.TrimSpace(out.String())
}

// chatStatus asks once and gives status and body.
func chatStatus(t *testing.T, client *http.Client, base, secret, body string) (int, string) {
	t.Helper()
	res, err := chatAs(t.Context(), client, base, secret, body)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(text)
}

func chatAs(ctx context.Context, client *http.Client, base, secret, body string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if secret != "" {
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	return client.Do(req)
}

// within waits until something is so, at most the second that is promised.
func within(t *testing.T, what string, so func() bool) {
	t.Helper()
	for begun := time.Now(); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Since(begun) > time.Second {
			t.Fatalf("not within a second: %s", what)
		}
	}
}

const plainAsk = `{"model":"auto","messages":[{"role":"user","content":"hi"}]}`

// Keys are made, changed and revoked beside the running gateway; it follows within a second.
func TestKeysActWithinASecond(t *testing.T) {
	dir := t.TempDir()
	up := newUpstream(t, says("An answer."))
	base := serveGateway(t, configFile(t, entry{name: "one", url: up.URL, price: 1}), nil, "--data-dir", dir)
	client := newClient(t)
	status := func(secret string) int {
		code, _ := chatStatus(t, client, base, secret, plainAsk)
		return code
	}
	if got := status(""); got != 200 {
		t.Fatalf("without keys: %d", got)
	}
	first := keysCmd(t, dir, "create", "--alias", "first")
	within(t, "everybody needs a key", func() bool { return status("") == 401 })
	if got := status(first); got != 200 {
		t.Errorf("the first key: %d", got)
	}
	second := keysCmd(t, dir, "rotate", "first", "--overlap", "0s")
	within(t, "a rotated secret", func() bool { return status(second) == 200 })
	if got := status(first); got != 401 {
		t.Errorf("the secret that was replaced: %d", got)
	}
	keysCmd(t, dir, "set", "first", "--models", "other/*")
	within(t, "the list of models", func() bool { return status(second) == 403 })
	keysCmd(t, dir, "set", "first", "--models", "one/*", "--rpm", "1")
	within(t, "a lower limit", func() bool { return status(second) == 429 })
	keysCmd(t, dir, "revoke", "first")
	within(t, "the revocation", func() bool { return status(second) == 401 })
	if got := status(""); got != 401 {
		t.Errorf("with the last key gone everybody is let in: %d", got)
	}
}

func TestRevokedKeysEndTheirStreams(t *testing.T) {
	dir := t.TempDir()
	secret, other := keysCmd(t, dir, "create", "--alias", "a"), keysCmd(t, dir, "create", "--alias", "b")
	up := newUpstream(t, holds(chunk(roleChunk, "null"), contentChunk("Half")))
	base := serveGateway(t, configFile(t, entry{name: "one", url: up.URL, price: 1}), nil, "--data-dir", dir)
	client := newClient(t)
	open := func(secret string) (*http.Response, *bufio.Reader) {
		res, err := chatAs(t.Context(), client, base, secret, `{"stream":true,`+plainAsk[1:])
		if err != nil || res.StatusCode != 200 {
			t.Fatal(res, err)
		}
		t.Cleanup(func() { res.Body.Close() })
		lines := bufio.NewReader(res.Body)
		if line, err := lines.ReadString('\n'); err != nil || !strings.Contains(line, "data:") {
			t.Fatal(line, err)
		}
		return res, lines
	}
	_, lines := open(secret)
	<-up.holding
	otherRes, otherLines := open(other)
	<-up.holding
	begun := time.Now()
	keysCmd(t, dir, "revoke", "a")
	rest, err := io.ReadAll(lines)
	if took := time.Since(begun); took > time.Second+200*time.Millisecond { // the command itself takes some of it
		t.Errorf("ended after %v", took)
	}
	if text := string(rest); err != nil || !strings.Contains(text, "The API key was revoked.") || !strings.Contains(text, "invalid_api_key") || strings.Contains(text, "[DONE]") {
		t.Errorf("%q, %v", text, err)
	}
	<-up.closed // and the provider's connection with it
	if otherLines.Buffered() > 64 {
		t.Errorf("another key's stream ended too")
	}
	otherRes.Body.Close()
	<-up.closed
}

// A budget that is lowered below what is spent and held ends what runs on it, of a team
// the streams of its keys.
func TestLoweredBudgetsEndTheirStreams(t *testing.T) {
	dir := t.TempDir()
	keysCmd(t, dir, "create", "--team", "--alias", "red", "--budget", "100")
	secret := keysCmd(t, dir, "create", "--alias", "a", "--parent", "red")
	up := newUpstream(t, holds(chunk(roleChunk, "null"), contentChunk("Half")))
	base := serveGateway(t, configFile(t, entry{name: "one", url: up.URL, price: 1}), nil, "--data-dir", dir)
	res, err := chatAs(t.Context(), newClient(t), base, secret, `{"stream":true,"max_tokens":100,`+plainAsk[1:])
	if err != nil || res.StatusCode != 200 {
		t.Fatal(res, err)
	}
	defer res.Body.Close()
	<-up.holding
	begun := time.Now()
	keysCmd(t, dir, "set", "red", "--budget", "0")
	text, err := io.ReadAll(res.Body)
	if took := time.Since(begun); err != nil || took > 1200*time.Millisecond {
		t.Errorf("ended after %v, %v", took, err)
	}
	if s := string(text); !strings.Contains(s, "Half") || !strings.Contains(s, "budget_exceeded") || !strings.Contains(s, `"limit":0`) || strings.Contains(s, "[DONE]") {
		t.Errorf("%s", s)
	}
	if code, body := chatStatus(t, newClient(t), base, secret, plainAsk); code != 402 {
		t.Errorf("%d %s", code, body)
	}
}

// Without a key in the environment, one in the store is enough to listen for others.
func TestStoreKeysOpenTheAddress(t *testing.T) {
	dir := t.TempDir()
	up := newUpstream(t, says("An answer."))
	config := configFile(t, entry{name: "one", url: up.URL, price: 1})
	var out, complaint strings.Builder
	args := []string{"serve", "--providers", config, "--addr", "0.0.0.0:0", "--data-dir", dir}
	if code := run(t.Context(), t.Context(), args, only(map[string]string{"TEST_API_KEY": "test"}), &out, &complaint); code == 0 || !strings.Contains(complaint.String(), "keys create") {
		t.Errorf("exit %d %s", code, complaint.String())
	}
	secret := keysCmd(t, dir, "create")
	base := serveGateway(t, config, nil, "--data-dir", dir, "--addr", "0.0.0.0:0")
	if code, body := chatStatus(t, newClient(t), base, secret, plainAsk); code != 200 {
		t.Errorf("%d %s", code, body)
	}
}
