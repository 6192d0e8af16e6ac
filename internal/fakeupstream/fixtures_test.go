package fakeupstream

import (
	"bytes"
	"net/http"
	"net/http/httptest"
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
		Anthropic: "/v1/messages", OpenAIResponses: "/v1/responses", Gemini: "/v1beta/models/gemini-3.8-flash:generateContent"}
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

// No body makes a server panic, or answer with neither an answer nor an error.
func FuzzRead(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for kind := range wires {
			f.Add(uint8(kind), body)
		}
	}
	paths := map[Kind]string{OpenAI: "/v1/chat/completions", DeepSeek: "/chat/completions", Ollama: "/api/chat",
		Anthropic: "/v1/messages", OpenAIResponses: "/v1/responses", Gemini: "/v1beta/models/gemini-3.8-flash:streamGenerateContent?alt=sse"}
	f.Fuzz(func(t *testing.T, kind uint8, body []byte) {
		s, err := New(Config{Kind: Kind(kind)})
		if err != nil {
			return
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, paths[Kind(kind)], bytes.NewReader(body))
		r.Header.Set("Anthropic-Version", "2023-06-01")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		bill := s.Bill()
		if len(bill) != 1 || bill[0].Status != w.Code || (w.Code != 200) != (bill[0].Usage == Usage{}) || w.Body.Len() == 0 {
			t.Errorf("%d, bill %+v: %s", w.Code, bill, w.Body)
		}
	})
}
