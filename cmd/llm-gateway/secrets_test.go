package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// What must be seen nowhere but where it belongs.
const (
	plantedProviderKey = "sk-planted-provider-key-1f7e"
	plantedEnvKey      = "planted-client-key-of-the-environment-2b9c"
	plantedPrompt      = "planted prompt about the merger 3d4a"
	plantedAnswer      = "planted answer about the merger 4e5b"
	plantedToken       = "planted-token-of-the-administration-5c6d"
)

// indiscreet is a provider that repeats in its errors what it was sent, key and prompt.
func indiscreet(t *testing.T) *httptest.Server {
	var calls int
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if !strings.Contains(r.Header.Get("Authorization"), plantedProviderKey) {
			t.Errorf("the provider was not given its key")
		}
		switch calls++; {
		case bytes.Contains(body, []byte("refuse")):
			w.WriteHeader([]int{400, 401, 429, 500}[calls%4])
			fmt.Fprintf(w, `{"error":{"message":"Incorrect API key provided: %s. You said: %s","type":"invalid_request_error","code":"x"}}`, plantedProviderKey, plantedPrompt)
		case bytes.Contains(body, []byte("break")):
			begin(w, chunk(roleChunk, "null"), contentChunk(plantedAnswer), `data: {"error":{"message":"`+plantedProviderKey+" "+plantedPrompt+`"}}`+"\n\n")
		default:
			begin(w, chunk(roleChunk, "null"), contentChunk(plantedAnswer), chunk("{}", `"stop"`), usageChunk, "data: [DONE]\n\n")
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// The real program, in a process of its own, with everything that it writes and says
// searched for what was planted.
func TestPlantedSecretsAreNowhere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	storeKey := keysCmd(t, dir, "create", "--alias", "stored", "--budget", "5", "--tag", "env=test")
	config := configFile(t, entry{name: "one", url: indiscreet(t).URL, price: 1})
	var log safeBuffer
	cmd := exec.Command("llm-gateway", "serve", "--providers", config, "--addr", "127.0.0.1:0", "--data-dir", dir, "--pprof")
	cmd.Dir, cmd.Stdout, cmd.Stderr = t.TempDir(), &log, &log
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TEST_API_KEY=" + plantedProviderKey, "GATEWAY_API_KEYS=env:" + plantedEnvKey,
		"LLM_GATEWAY_ADMIN_TOKEN=" + plantedToken, "LOG_LEVEL=debug"}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	base, admin := said(t, &log, `"url":"(http://[^"]+)"`), said(t, &log, `"at":"(http://[^"]+)"`)
	client := newClient(t)
	var errorsSeen strings.Builder
	for _, secret := range []string{storeKey, plantedEnvKey, storeKey + "x", plantedEnvKey[1:]} {
		for _, words := range []string{"", "refuse ", "refuse ", "refuse ", "refuse ", "break "} {
			for _, stream := range []string{"", `"stream":true,`} {
				code, body := chatStatus(t, client, base, secret, `{`+stream+`"messages":[{"role":"user","content":"`+words+plantedPrompt+`"}]}`)
				if code != 200 {
					errorsSeen.WriteString(body + "\n")
				} else if i := strings.Index(body, `{"error"`); i >= 0 {
					errorsSeen.WriteString(body[i:] + "\n")
				}
			}
		}
		_, body := chatStatus(t, client, base, secret, `{"messages":[{"role":"user","content":"`+plantedPrompt+`"}`)
		errorsSeen.WriteString(body)
	}
	var told strings.Builder
	for _, path := range []string{"/admin/keys?all=1", "/admin/keys/stored", "/admin/spend?by=key", "/admin/spend?by=tag", "/admin/providers", "/admin/room",
		"/debug/pprof/cmdline", "/admin/keys/" + storeKey} {
		_, body := call(t, "GET", admin+path, plantedToken, "")
		told.WriteString(body)
	}
	for _, path := range []string{"/v1/spend?by=provider", "/v1/providers", "/v1/models", "/health"} {
		_, body := call(t, "GET", base+path, storeKey, "")
		told.WriteString(body)
	}
	for _, args := range [][]string{{"export", "--form", "jsonl"}, {"export", "--form", "focus"}, {"summary", "--by", "key"}, {"query"}} {
		out, err := exec.Command("llm-gateway", append(append([]string{"ledger"}, args...), "--data-dir", dir)...).CombinedOutput()
		if err != nil {
			t.Errorf("%v: %v %s", args, err, out)
		}
		told.Write(out)
	}
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, log.String())
	}
	if errorsSeen.Len() == 0 || !strings.Contains(told.String(), "stored") {
		t.Fatalf("the test saw nothing: %s", told.String())
	}
	// A client may read in an error what it wrote itself; nobody else may, and no log.
	search := func(where, text string, planted ...string) {
		for _, p := range planted {
			if at := strings.Index(text, p); at >= 0 {
				t.Errorf("%s holds %q: …%.200s", where, p, text[max(0, at-80):])
			}
		}
	}
	planted := []string{plantedProviderKey, plantedEnvKey, plantedEnvKey[1:], storeKey[14:], plantedAnswer, plantedToken}
	search("an error", errorsSeen.String(), planted...)
	planted = append(planted, plantedPrompt)
	search("what was told", strings.ReplaceAll(told.String(), storeKey, "(as asked)"), planted...)
	search("the log", log.String(), planted...)
	files := 0
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		search(d.Name(), string(text), planted...)
		return nil
	})
	if files < 2 {
		t.Errorf("%d files in the data directory: the test saw nothing", files)
	}
}

// said waits until the log says something.
func said(t *testing.T, log *safeBuffer, pattern string) string {
	t.Helper()
	find := regexp.MustCompile(pattern)
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if m := find.FindStringSubmatch(log.String()); m != nil {
			return m[1]
		}
	}
	t.Fatalf("the log does not say %s: %s", pattern, log.String())
	return ""
}

// safeBuffer is written by one goroutine and read by another.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
