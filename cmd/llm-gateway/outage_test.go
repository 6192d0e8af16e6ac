package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gateway"
	"gateway/ledger"
)

// A full disk under the running gateway: a key with a budget gets 503, one without goes
// on, and /health says since when and why. When there is room it is all well again by
// itself, and the rows of the meantime are in the books.
func TestFullDiskIsToldAndGotOver(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("a small disk cannot be mounted here, which needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	bounded := keysCmd(t, dir, "create", "--alias", "bounded", "--budget", "100")
	free := keysCmd(t, dir, "create", "--alias", "free")
	up := newUpstream(t, says("An answer."))
	base, stop := startGateway(t, configFile(t, entry{name: "one", url: up.URL, price: 1}), nil, "--data-dir", dir)
	defer stop()
	client := newClient(t)
	ask := func(secret string, want int) string {
		t.Helper()
		code, body := chatStatus(t, client, base, secret, plainAsk)
		if code != want {
			t.Errorf("%d %s, want %d", code, body, want)
		}
		return body
	}
	ask(bounded, 200)
	ask(free, 200)
	if h := healthOf(t, client, base); h.Status != "ok" || h.Ledger.State != "ok" || h.Ledger.Since != "" || h.Ledger.Why != "" {
		t.Errorf("at first %+v", h)
	}

	ballast, begun := filepath.Join(dir, "ballast"), time.Now()
	for {
		fillUp(t, ballast)
		ask(free, 200) // the last page of the journal may still have room
		if h := healthOf(t, client, base); h.Ledger.State == "failing" {
			since, err := time.Parse(time.RFC3339, h.Ledger.Since)
			if err != nil || since.Before(begun.Add(-time.Second)) || h.Status != "degraded" || h.Ledger.Why != "no space left on device" {
				t.Errorf("on a full disk %+v", h)
			}
			break
		}
		if time.Since(begun) > 10*time.Second {
			t.Fatal("the full disk is not told")
		}
	}
	if body := ask(bounded, 503); !strings.Contains(body, "ledger_unavailable") || strings.Contains(body, dir) {
		t.Errorf("%s", body)
	}
	ask(free, 200)

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	within(t, "the books go on", func() bool { return healthOf(t, client, base).Ledger.State == "ok" })
	ask(bounded, 200)
	stop()
	store, err := ledger.Open(dir, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if lines, err := store.Spend(t.Context(), gateway.SpendQuery{}); err != nil || lines[0].Attempts != up.calls.Load() {
		t.Errorf("%+v of %d calls, %v", lines, up.calls.Load(), err)
	}
}

type health struct {
	Status string
	Ledger struct{ State, Since, Why string }
}

func healthOf(t *testing.T, client *http.Client, base string) (h health) {
	t.Helper()
	res, err := client.Get(base + "/health")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err := errors.Join(err, json.Unmarshal(text, &h)); err != nil || res.StatusCode != 200 {
		t.Fatalf("/health: %d %s %v", res.StatusCode, text, err)
	}
	return h
}

// fillUp leaves no page of a disk free.
func fillUp(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}
