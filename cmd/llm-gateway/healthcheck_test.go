package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHealthcheckAsksLivez(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/livez" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.WriteHeader(status)
	}))
	defer server.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	ask := func() (int, string) {
		var out, complaint strings.Builder
		env := only(map[string]string{"PORT": port})
		// Listening on all interfaces, it is still asked on loopback.
		code := run(t.Context(), t.Context(), []string{"healthcheck", "--addr", "0.0.0.0"}, env, &out, &complaint)
		return code, complaint.String()
	}
	if code, complaint := ask(); code != 0 {
		t.Errorf("alive: exit %d, %s", code, complaint)
	}
	status = http.StatusServiceUnavailable
	if code, complaint := ask(); code != 1 || !strings.Contains(complaint, "503") {
		t.Errorf("dead: exit %d, %q", code, complaint)
	}
	server.Close()
	if code, _ := ask(); code != 1 {
		t.Errorf("gone: exit %d", code)
	}
}
