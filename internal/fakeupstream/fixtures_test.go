package fakeupstream

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Requests that are known to be right must be accepted: a server that is stricter than
// the provider proves nothing.
func TestProperRequestsAreAccepted(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	kinds := map[string]Kind{"openai": OpenAI, "deepseek": DeepSeek, "ollama": Ollama, "anthropic": Anthropic,
		"anthropic-no-sampling": Anthropic, "gemini": Gemini}
	paths := map[Kind]string{OpenAI: "/v1/chat/completions", DeepSeek: "/chat/completions", Ollama: "/api/chat",
		Anthropic: "/v1/messages", Gemini: "/v1beta/models/gemini-3.8-flash:generateContent"}
	for _, file := range files {
		name := strings.Split(filepath.Base(file), ".")[2]
		kind, known := kinds[name]
		if !known {
			t.Fatalf("%s is of no kind", file)
		}
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s := start(t, Config{Kind: kind})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+paths[kind], strings.NewReader(string(body)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Anthropic-Version", "2023-06-01")
		if status, answer := do(t, req); status != http.StatusOK {
			t.Errorf("%s: %d %s", file, status, answer)
		}
	}
}
