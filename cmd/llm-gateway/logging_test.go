package main

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// counted counts the writes.
type counted struct {
	mu     sync.Mutex
	text   bytes.Buffer
	writes int
}

func (c *counted) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes++
	return c.text.Write(p)
}

func TestRequestLinesAreGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &counted{}
		log, err := newLog(out, "json", "info")
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			log.Info(requestLine, "n", 1)
		}
		if out.writes != 0 {
			t.Fatalf("%d writes at once", out.writes)
		}
		time.Sleep(linesWait)
		synctest.Wait()
		if n := strings.Count(out.text.String(), "\n"); out.writes != 1 || n != 100 {
			t.Errorf("%d writes, %d lines; want one of 100", out.writes, n)
		}
		log.Info(requestLine)
		log.With("a", 1).Info("listening")
		log.Info(requestLine)
		log.Log(t.Context(), slog.LevelWarn, requestLine)
		if n := strings.Count(out.text.String(), "\n"); n != 104 {
			t.Errorf("%d lines; what is no request's and what warns goes out at once, in order", n)
		}
		time.Sleep(linesWait)
	})
}
