package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// diary notes what happened in which order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

func (d *diary) read() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.lines)
}

// running is a lifecycle under test with one request in flight.
type running struct {
	*lifecycle
	isReady atomic.Bool
	diary   diary
	release chan struct{} // lets the request end by itself
	answer  chan string
	stopped chan error
}

func runOne(t *testing.T, ctx, hurry context.Context, timeout time.Duration) *running {
	t.Helper()
	r := &running{release: make(chan struct{}), answer: make(chan string, 1), stopped: make(chan error, 1)}
	cut := make(chan struct{})
	arrived := make(chan struct{})
	log := slog.New(slog.DiscardHandler)
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		select {
		case <-r.release:
			r.diary.note("request ended")
			io.WriteString(w, "whole")
		case <-cut:
			r.diary.note("request was cut")
			io.WriteString(w, "cut")
		}
	})
	r.lifecycle = &lifecycle{
		server: newServer(handler, log), ready: r.isReady.Store, timeout: timeout, log: log,
		stopWaiting: func() { r.diary.note("nobody waits") },
		stopRouting: func(ctx context.Context) {
			if ctx.Err() != nil {
				close(cut)
			}
			r.diary.note("routing stopped")
		},
		closeBooks: func() error { r.diary.note("books closed"); return nil },
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { r.stopped <- r.serveUntil(ctx, hurry, l) }()
	go func() {
		res, err := http.Get("http://" + l.Addr().String())
		if err != nil {
			r.answer <- err.Error()
			return
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		r.answer <- string(body)
	}()
	<-arrived
	if !r.isReady.Load() {
		t.Fatal("not ready while serving")
	}
	return r
}

func (r *running) waitUnready(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); r.isReady.Load(); {
		if time.Now().After(end) {
			t.Fatal("still ready after the signal")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestDrainLetsRequestsEndAndClosesBooksLast(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	r := runOne(t, ctx, t.Context(), time.Minute)
	stop()
	r.waitUnready(t)
	for end := time.Now().Add(5 * time.Second); len(r.diary.read()) == 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond) // who waits is sent away a moment later
	}
	close(r.release)
	if err := <-r.stopped; err != nil {
		t.Fatal(err)
	}
	if got := <-r.answer; got != "whole" {
		t.Errorf("the running request got %q", got)
	}
	want := []string{"nobody waits", "request ended", "routing stopped", "books closed"}
	if got := r.diary.read(); !slices.Equal(got, want) {
		t.Errorf("order %q, want %q", got, want)
	}
}

func TestDrainCutsWhatDoesNotEndInTime(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	r := runOne(t, ctx, t.Context(), 20*time.Millisecond)
	stop()
	if err := <-r.stopped; err != nil {
		t.Fatal(err)
	}
	if got := <-r.answer; got != "cut" {
		t.Errorf("the running request got %q", got)
	}
	if got := r.diary.read(); got[len(got)-1] != "books closed" {
		t.Errorf("order %q, want the books last", got)
	}
}

func TestSecondSignalDoesNotWaitForRequests(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	hurry, second := context.WithCancel(t.Context())
	r := runOne(t, ctx, hurry, time.Hour)
	stop()
	r.waitUnready(t)
	second()
	select {
	case err := <-r.stopped:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("still waiting for requests after the second signal")
	}
	if got := r.diary.read(); got[len(got)-1] != "books closed" {
		t.Errorf("order %q, want the books last", got)
	}
}

func TestABrokenLedgerIsReported(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	r := runOne(t, ctx, t.Context(), time.Minute)
	r.closeBooks = func() error { return errors.New("disk full") }
	stop()
	close(r.release)
	if err := <-r.stopped; err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("err = %v, want the ledger's", err)
	}
	<-r.answer
}
