package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"google.golang.org/genai"

	"gateway/internal/grammar"
)

// recordedGemini is a Gemini with recorded bytes; it keeps what it was asked.
func recordedGemini(t *testing.T, stream, whole string) (url string, asked func() (path, body string)) {
	t.Helper()
	read := func(name string) []byte {
		raw, err := os.ReadFile("../../api/testdata/gemini/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	events, answer := read(stream), read(whole)
	var mu sync.Mutex
	var path, body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		mu.Lock()
		path, body = r.URL.Path, string(raw)
		mu.Unlock()
		if strings.HasSuffix(r.URL.Path, ":generateContent") {
			w.Header().Set("Content-Type", "application/json")
			w.Write(answer)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		w.Write(events)
	}))
	t.Cleanup(server.Close)
	return server.URL, func() (string, string) {
		mu.Lock()
		defer mu.Unlock()
		return path, body
	}
}

// Between a client and a provider of the same format nothing is changed, so that
// signatures stand where they stood and what only Google can do works.
func TestGeminiIsRelayedToItsOwnKind(t *testing.T) {
	url, asked := recordedGemini(t, "stream.tools.sse", "generate.tools.response.json")
	config := configFile(t, entry{name: "google", url: url, price: 1, extras: map[string]any{"kind": "gemini", "base_url": url + "/v1beta", "default_model": "gemini-3.8-flash"}})
	base := serveGateway(t, config, nil)
	const body = `{"contents":[{"role":"user","parts":[{"text":"Hi"}]}], "tools":[{"googleSearch":{}},{"functionDeclarations":[{"name":"get_weather"}]}],` +
		`"safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE"}],"generationConfig":{"maxOutputTokens":100,"mediaResolution":"MEDIA_RESOLUTION_LOW"}}`
	raw, err := os.ReadFile("../../api/testdata/gemini/stream.tools.sse")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll(string(raw), "\r\n", "\n")
	for _, mode := range []string{"error", "atomic"} {
		status, got := postTo(t, base+"/v1beta/models/google/gemini-3.8-flash:streamGenerateContent?alt=sse", body, "x-gateway-stream-failure", mode)
		if status != 200 || got != want {
			t.Errorf("%s: %d\n%s\nwant\n%s", mode, status, got, want)
		}
		if path, sent := asked(); path != "/v1beta/models/gemini-3.8-flash:streamGenerateContent" || sent != body {
			t.Errorf("%s: sent to %s was\n%s\nwant\n%s", mode, path, sent, body)
		}
	}
	status, got := postTo(t, base+"/v1beta/models/google/gemini-3.8-flash:generateContent", body)
	whole, err := grammar.Gemini("[" + got + "]")
	if status != 200 || err != nil || len(whole.Calls) != 2 || whole.Calls[0].Signature != "CpwBAVSoXO5maXh0dXJlLXNpZ25hdHVyZQ==" || whole.In == 0 {
		t.Errorf("%d %v\n%s", status, err, got)
	}
	// Another format cannot have it, and says why.
	other, _ := recordedResponses(t, "stream.text.sse", "response.text.json")
	config = configFile(t, entry{name: "openai", url: other, price: 1, extras: map[string]any{"kind": "openai_responses"}})
	if status, got := postTo(t, serveGateway(t, config, nil)+"/v1beta/models/auto:generateContent", body); status != 400 || !strings.Contains(got, "googleSearch") || !strings.Contains(got, "INVALID_ARGUMENT") {
		t.Errorf("%d %s", status, got)
	}
}

// The events of a text answer are one answer when the client does not stream.
func TestGeminiEventsAreJoined(t *testing.T) {
	url, _ := recordedGemini(t, "stream.text.sse", "generate.text.response.json")
	config := configFile(t, entry{name: "google", url: url, price: 1, extras: map[string]any{"kind": "gemini", "base_url": url + "/v1beta", "default_model": "gemini-3.8-flash"}})
	client, err := geminiClient(t.Context(), serveGateway(t, config, nil), "none")
	if err != nil {
		t.Fatal(err)
	}
	contents := []*genai.Content{genai.NewContentFromText("Why is the sky blue?", genai.RoleUser)}
	streamed := ""
	for r, err := range client.Models.GenerateContentStream(t.Context(), "auto", contents, nil) {
		if err != nil {
			t.Fatal(err)
		}
		streamed += r.Text()
	}
	whole, err := client.Models.GenerateContent(t.Context(), "auto", contents, nil)
	if err != nil || whole.Text() != streamed || streamed == "" || whole.UsageMetadata.CachedContentTokenCount != 1024 {
		t.Errorf("%v: %q, streamed %q", err, whole.Text(), streamed)
	}
	for range 2 {
		n, err := client.Models.CountTokens(t.Context(), "auto", contents, nil)
		if err != nil || n.TotalTokens <= 0 {
			t.Errorf("%v, %v", n, err)
		}
	}
	page, err := client.Models.List(t.Context(), nil)
	if err != nil || len(page.Items) != 2 || page.Items[1].Name != "models/google/gemini-3.8-flash" {
		t.Errorf("%v, %+v", err, page)
	}
	one, err := client.Models.Get(t.Context(), "google/gemini-3.8-flash", nil)
	if err != nil || one.Name != "models/google/gemini-3.8-flash" {
		t.Errorf("%v, %+v", err, one)
	}
}
