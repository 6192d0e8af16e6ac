package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// entry is a provider of a test's providers.json. Its price per million tokens, in
// dollars, sets its place in the order.
type entry struct {
	name   string
	url    string
	price  float64
	extras map[string]any
}

// configFile writes a providers.json of these entries.
func configFile(t testing.TB, entries ...entry) string {
	t.Helper()
	return configFileWith(t, map[string]any{}, entries...)
}

// configFileWith is configFile with more at the top level.
func configFileWith(t testing.TB, top map[string]any, entries ...entry) string {
	t.Helper()
	all := map[string]any{}
	for _, e := range entries {
		one := map[string]any{
			"kind": "openai_compatible", "env_key": "TEST_API_KEY", "base_url": e.url + "/v1",
			"default_model": e.name + "-model",
			"pricing":       map[string]any{"input_usd_per_mtok": e.price, "output_usd_per_mtok": e.price},
		}
		for field, value := range e.extras {
			one[field] = value
		}
		all[e.name] = one
	}
	top["providers"] = all
	data, err := json.MarshalIndent(top, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "providers.json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// serveGateway runs the whole program on a free port until the test ends, and gives its base URL.
func serveGateway(t testing.TB, config string, env map[string]string, flags ...string) string {
	t.Helper()
	base, stop := startGateway(t, config, env, flags...)
	t.Cleanup(stop)
	return base
}

// startGateway is serveGateway for tests that end it themselves. stop may be called twice.
func startGateway(t testing.TB, config string, env map[string]string, flags ...string) (base string, stop func()) {
	t.Helper()
	vars := map[string]string{"TEST_API_KEY": "test", "LOG_LEVEL": "info"}
	for name, value := range env {
		vars[name] = value
	}
	// Clients and providers run in this process too, so a wait for a processor says
	// nothing of the gateway here.
	args := append([]string{"serve", "--overload-wait", "0", "--providers", config, "--addr", "127.0.0.1:0", "--data-dir", t.TempDir(),
		"--ledger-sync", "normal", "--drain-timeout", "5s"}, flags...)
	ctx, cancel := context.WithCancel(context.Background())
	logged, writer := io.Pipe()
	exit := make(chan int, 1)
	go func() { // ends with ctx
		exit <- run(ctx, context.Background(), args, only(vars), io.Discard, writer)
		writer.Close()
	}()
	url := make(chan string, 1)
	tail := make(chan string, 1)
	go watch(logged, url, tail)
	ended := false
	stop = func() {
		if ended {
			return
		}
		ended = true
		cancel()
		select {
		case code := <-exit:
			if code != 0 {
				t.Errorf("the gateway ended with status %d: %s", code, <-tail)
			}
		case <-time.After(30 * time.Second):
			t.Error("the gateway did not end")
		}
	}
	select {
	case base = <-url:
		return base, stop
	case code := <-exit:
		cancel()
		t.Fatalf("the gateway ended at once with status %d: %s", code, <-tail)
	case <-time.After(30 * time.Second):
		cancel()
		t.Fatal("the gateway did not start")
	}
	return "", nil
}

// watch reads the log to its end: it sends the URL when the gateway says it, and the
// last lines of the log at the end.
func watch(log io.Reader, url, tail chan<- string) {
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	last := ""
	for lines.Scan() {
		last = lines.Text()
		var line struct {
			URL string `json:"url"`
		}
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.URL != "" {
			select {
			case url <- line.URL:
			default:
			}
		}
	}
	io.Copy(io.Discard, log) // a line that was too long must not block the gateway
	tail <- last
}

// newClient is a client whose connections end with the test.
func newClient(t testing.TB) *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 2000}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}
