package rules

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Adding a wire format is a file in providers and, if clients speak it, a file in api. The
// real program is built with two such files of an invented format laid over the source, and
// nothing else; then its clients, and its providers, are as good as any others.
func TestANewFormatIsAFileInProvidersAndAFileInAPI(t *testing.T) {
	binary := builtWith(t, "providers/toy.go", "api/toy.go")
	toy, openai := &told{answer: toyAnswers}, &told{answer: openAIAnswers}
	base := served(t, binary, map[string]string{
		"toyland": kindOn("toy", toy.serve(t)), "known": kindOn("openai_compatible", openai.serve(t)+"/v1"),
	})
	for _, c := range []struct {
		what, path, body string
		from             *told
		sent             string // to the provider
		got              string
	}{
		{"its client of its provider, as it came", "/toy", `{ "model":"toyland/m", "extra":1e2, "most":20,"lines":[{"from":"me","text":"Hi"},{"from":"it","text":"Yo","knot":"k0"}]}`,
			toy, `{ "model":"m", "extra":1e2, "most":20,"lines":[{"from":"me","text":"Hi"},{"from":"it","text":"Yo","knot":"k0"}]}`, toyWhole},
		{"the same, as a stream", "/toy", `{"model":"toyland/m","stream":true,"lines":[{"from":"me","text":"Hi"}]}`,
			toy, `{"model":"m","stream":true,"lines":[{"from":"me","text":"Hi"}]}`, toyEvents},
		{"its client of another provider", "/toy", `{"model":"known/m","most":20,"lines":[{"from":"me","text":"Hi"}]}`,
			openai, `{"model":"m","messages":[{"role":"user","content":"Hi"}],"max_tokens":20,"stream":false}`, `{"text":"Hello","why":"stop","spent":[3,2]}`},
		{"its client of another provider, as a stream", "/toy", `{"model":"known/m","stream":true,"lines":[{"from":"me","text":"Hi"}]}`,
			openai, `{"messages":[{"role":"user","content":"Hi"}],"model":"m","stream":true,"stream_options":{"include_usage":true}}`,
			"data: {\"text\":\"Hel\"}\n\ndata: {\"text\":\"lo\"}\n\ndata: {\"why\":\"stop\",\"spent\":[3,2]}\n\n"},
		{"its provider's state, from a client of another format", "/v1/chat/completions",
			`{"model":"toyland/m","max_tokens":20,"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Yo","thinking_blocks":[{"type":"thinking","thinking":"","signature":"k1","maker":"toy","model":"m"}]},{"role":"user","content":"And?"}]}`,
			toy, `{"lines":[{"from":"me","text":"Hi"},{"from":"it","text":"Yo","knot":"k1"},{"from":"me","text":"And?"}],"model":"m"}`, `"signature":"k2"`},
		{"a stream of its provider for a client of another format", "/v1/messages",
			`{"model":"toyland/m","max_tokens":20,"stream":true,"thinking":{"type":"adaptive"},"messages":[{"role":"user","content":"Hi"}]}`,
			toy, `{"lines":[{"from":"me","text":"Hi"}],"model":"m","stream":true}`, `{"type":"text_delta","text":"Hel"}`},
		{"its provider's refusal, as it came", "/toy", `{"model":"toyland/m","lines":[{"from":"me","text":"nonsense"}]}`,
			toy, `{"model":"m","lines":[{"from":"me","text":"nonsense"}]}`, toyRefusal},
		{"an error of its own form", "/toy", `{"model":"toyland/m"}`, nil, "", `{"oops":"lines must be an array."}`},
	} {
		t.Run(c.what, func(t *testing.T) {
			got := posted(t, base+c.path, c.body)
			if strings.Contains(c.path, "/v1/") && strings.Contains(got, c.got) {
				got = c.got // a part is enough: the rest has ids and dates
			}
			if got != c.got {
				t.Errorf("got\n%s\nwant\n%s", got, c.got)
			}
			if c.from == nil {
				return
			}
			if sent := c.from.last(); sent != c.sent && !sameJSON(sent, c.sent) || c.from == toy && c.path == "/toy" && sent != c.sent {
				t.Errorf("sent\n%s\nwant\n%s", sent, c.sent)
			}
		})
	}
	schema, err := exec.Command(binary, "schema").Output()
	if err != nil || !bytes.Contains(schema, []byte(`"toy"`)) {
		t.Errorf("the schema of providers.json does not have the kind: %v", err)
	}
}

const (
	toyRefusal = `{"oops":"that is nonsense", "code":7}`
	toyWhole   = `{"text":"Hello", "knot":"k2","why":"done","spent":[3,2],"more":[1.50]}`
	toyEvents  = "data: {\"text\":\"Hel\" }\n\ndata: {\"text\":\"lo\"}\n\ndata: {\"why\":\"done\",\"spent\":[3,2],\"knot\":\"k2\"}\n\n"
)

func toyAnswers(w http.ResponseWriter, stream bool) {
	if stream {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, toyEvents)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, toyWhole)
}

func openAIAnswers(w http.ResponseWriter, stream bool) {
	if !stream {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2}}`)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	for _, data := range []string{`{"choices":[{"index":0,"delta":{"content":"Hel"}}]}`, `{"choices":[{"index":0,"delta":{"content":"lo"}}]}`,
		`{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2}}`, "[DONE]"} {
		io.WriteString(w, "data: "+data+"\n\n")
	}
}

// told is a provider that keeps what it was sent.
type told struct {
	answer func(w http.ResponseWriter, stream bool)
	mu     sync.Mutex
	body   []byte
}

func (p *told) serve(t *testing.T) string {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		p.mu.Lock()
		p.body = body
		p.mu.Unlock()
		var asked struct{ Stream bool }
		if json.Unmarshal(body, &asked) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if bytes.Contains(body, []byte("nonsense")) {
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, toyRefusal)
			return
		}
		p.answer(w, asked.Stream)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func (p *told) last() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return string(p.body)
}

func kindOn(kind, url string) string {
	return fmt.Sprintf(`{"kind":%q,"env_key":"TEST_API_KEY","base_url":%q,"default_model":"m"}`, kind, url)
}

// builtWith builds the program with files of testdata laid over the source.
func builtWith(t *testing.T, files ...string) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	over := map[string]map[string]string{"Replace": {}}
	for _, file := range files {
		over["Replace"][filepath.Join(root, file)] = filepath.Join(root, "internal", "rules", "testdata", "newformat", file)
	}
	text, err := json.Marshal(over)
	if err != nil {
		t.Fatal(err)
	}
	overlay, binary := filepath.Join(t.TempDir(), "overlay.json"), filepath.Join(t.TempDir(), "llm-gateway")
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-overlay", overlay, "-o", binary, "./cmd/llm-gateway")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// served runs the program with these providers until the test ends, and gives its URL.
func served(t *testing.T, binary string, entries map[string]string) string {
	t.Helper()
	var all []string
	for name, entry := range entries {
		all = append(all, fmt.Sprintf("%q:%s", name, entry))
	}
	file := filepath.Join(t.TempDir(), "providers.json")
	if err := os.WriteFile(file, []byte(`{"providers":{`+strings.Join(all, ",")+`}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	run := exec.CommandContext(ctx, binary, "serve", "--overload-wait", "0", "--providers", file, "--addr", "127.0.0.1:0", "--data-dir", t.TempDir())
	run.Env = append(os.Environ(), "TEST_API_KEY=test", "LOG_LEVEL=info", "LLM_PROVIDER=")
	logged, err := run.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		run.Wait()
	})
	lines, text := bufio.NewScanner(logged), ""
	for lines.Scan() {
		text += lines.Text() + "\n"
		var line struct{ URL string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.URL != "" {
			go io.Copy(io.Discard, logged) // ends with the program
			return line.URL
		}
	}
	t.Fatalf("the program did not start: %s", text)
	return ""
}

func posted(t *testing.T, url, body string) string {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

func sameJSON(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	one, _ := json.Marshal(x)
	two, _ := json.Marshal(y)
	return bytes.Equal(one, two)
}
