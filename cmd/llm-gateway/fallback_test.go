package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Whatever the cheap provider does before its first content, the next one answers and
// the client notices nothing.
func TestNextProviderAnswersForEachFault(t *testing.T) {
	refused := newUpstream(t, says(""))
	refused.Server.Close()
	quick := map[string]any{"ttft_timeout": "200ms"}
	uncounted := strings.NewReplacer(`"completion_tokens":5,"total_tokens":15`, `"completion_tokens":0,"total_tokens":10`).Replace(usageChunk)
	for name, c := range map[string]struct {
		script script
		extras map[string]any
	}{
		"connection refused":          {},
		"500":                         {script: status(500, "server_error")},
		"503":                         {script: status(503, "overloaded")},
		"429":                         {script: status(429, "rate_limit_exceeded", "Retry-After", "30")},
		"401":                         {script: status(401, "invalid_api_key")},
		"402":                         {script: status(402, "insufficient_quota")},
		"404 for the model":           {script: status(404, "model_not_found")},
		"silent":                      {script: holdsQuietly(), extras: quick},
		"silent after the role":       {script: holdsQuietly(chunk(roleChunk, "null")), extras: quick},
		"empty body":                  {script: sends()},
		"not an event stream":         {script: sends("<html>Bad gateway</html>")},
		"broken JSON":                 {script: sends("data: {\"choices\":[{\n\n")},
		"cut before content":          {script: sends(chunk(roleChunk, "null"))},
		"empty answer":                {script: sends(chunk(roleChunk, "null"), chunk("{}", `"stop"`), uncounted, "data: [DONE]\n\n")},
		"error inside a 200":          {script: sends(`data: {"error":{"message":"overloaded","type":"server_error","code":503}}` + "\n\n")},
		"error after the role":        {script: sends(chunk(roleChunk, "null"), `data: {"error":{"message":"x","type":"server_error"}}`+"\n\n")},
		"connection cut before bytes": {script: hangsUp},
	} {
		t.Run(name, func(t *testing.T) {
			url := refused.URL
			if c.script != nil {
				url = newUpstream(t, c.script).URL
			}
			good := newUpstream(t, says("Hello from the second."))
			base := serveGateway(t, configFile(t,
				entry{name: "first", url: url, price: 1, extras: c.extras}, entry{name: "second", url: good.URL, price: 2}), nil)
			client := newClient(t)
			for _, stream := range []bool{false, true} {
				text, header := mustAnswer(t, client, base, stream)
				if text != "Hello from the second." {
					t.Errorf("stream %v: %q", stream, text)
				}
				if by := header.Get("X-Gateway-Provider"); by != "second" {
					t.Errorf("stream %v: answered by %q", stream, by)
				}
			}
		})
	}
}

// The client's own mistake is told once, not tried everywhere.
func TestClientsOwnMistakeIsNotTriedElsewhere(t *testing.T) {
	first := newUpstream(t, status(400, "invalid_request_error"))
	second := newUpstream(t, says("no"))
	base := serveGateway(t, configFile(t,
		entry{name: "first", url: first.URL, price: 1}, entry{name: "second", url: second.URL, price: 2}), nil)
	res, err := post(t.Context(), newClient(t), base, chatBody(false))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusBadRequest || second.calls.Load() != 0 {
		t.Errorf("status %d, second was asked %d times; want 400 and never", res.StatusCode, second.calls.Load())
	}
}

// A stream that breaks after its first content cannot be taken over: it ends with an
// error and without [DONE]. A client that does not stream is still served.
func TestCutAnswerIsNeverPassedOffAsWhole(t *testing.T) {
	first := newUpstream(t, sends(chunk(roleChunk, "null"), contentChunk("Half an ans")))
	second := newUpstream(t, says("A whole answer."))
	base := serveGateway(t, configFile(t,
		entry{name: "first", url: first.URL, price: 1}, entry{name: "second", url: second.URL, price: 2}), nil)
	client := newClient(t)
	res, err := post(t.Context(), client, base, chatBody(true))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := foldText(res.Body)
	var inBand errInBand
	if !errors.As(err, &inBand) || text != "Half an ans" {
		t.Errorf("streamed %q, %v; want the half and an error in the stream", text, err)
	}
	if text, _ := mustAnswer(t, client, base, false); text != "A whole answer." {
		t.Errorf("not streamed: %q", text)
	}
}

// When all fail, the error says what each came to, and no secret.
func TestFinalErrorNamesEachAttempt(t *testing.T) {
	first := newUpstream(t, status(500, "server_error"))
	second := newUpstream(t, status(401, "invalid_api_key"))
	base := serveGateway(t, configFile(t,
		entry{name: "first", url: first.URL, price: 1}, entry{name: "second", url: second.URL, price: 2}),
		map[string]string{"TEST_API_KEY": "sk-very-secret"})
	res, err := post(t.Context(), newClient(t), base, chatBody(false))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	text := string(body)
	if res.StatusCode < 500 || !strings.Contains(text, "first") || !strings.Contains(text, "second") {
		t.Errorf("%s: %s", res.Status, text)
	}
	for _, secret := range []string{"sk-very-secret", first.URL, second.URL} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in the error: %s", secret, text)
		}
	}
}

func holdsQuietly(parts ...string) script {
	return func(_ *upstream, w http.ResponseWriter, r *http.Request, _ string) {
		if len(parts) > 0 {
			begin(w, parts...)
		}
		<-r.Context().Done()
	}
}

func hangsUp(_ *upstream, w http.ResponseWriter, _ *http.Request, _ string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		conn.Close()
	}
}

func chatBody(stream bool) string {
	if stream {
		return `{"model":"auto","stream":true,"messages":[{"role":"user","content":"hi"}]}`
	}
	return `{"model":"auto","messages":[{"role":"user","content":"hi"}]}`
}

func mustAnswer(t *testing.T, client *http.Client, base string, stream bool) (string, http.Header) {
	t.Helper()
	res, err := post(t.Context(), client, base, chatBody(stream))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(res.Body)
		t.Fatalf("stream %v: %s: %s", stream, res.Status, body)
	}
	if stream {
		text, err := foldText(res.Body)
		if err != nil {
			t.Fatalf("stream: %v after %q", err, text)
		}
		return text, res.Header
	}
	var answer struct {
		Choices []struct{ Message struct{ Content string } }
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || len(answer.Choices) == 0 {
		t.Fatalf("not an answer: %v", err)
	}
	return answer.Choices[0].Message.Content, res.Header
}

// An empty answer that the provider counts tokens for is the model's own, and the client's.
func TestACountedEmptyAnswerIsDelivered(t *testing.T) {
	first := newUpstream(t, sends(chunk(roleChunk, "null"), chunk("{}", `"stop"`), usageChunk, "data: [DONE]\n\n"))
	second := newUpstream(t, says("no"))
	base := serveGateway(t, configFile(t,
		entry{name: "first", url: first.URL, price: 1}, entry{name: "second", url: second.URL, price: 2}), nil)
	client := newClient(t)
	for _, stream := range []bool{false, true} {
		text, header := mustAnswer(t, client, base, stream)
		if by := header.Get("X-Gateway-Provider"); text != "" || by != "first" {
			t.Errorf("stream %v: %q by %q", stream, text, by)
		}
	}
	if n := second.calls.Load(); n != 0 {
		t.Errorf("the second was asked %d times", n)
	}
}
