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

// seen gives how many writes and lines there were.
func (c *counted) seen() (writes, lines int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writes, strings.Count(c.text.String(), "\n")
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
		if writes, _ := out.seen(); writes != 0 {
			t.Fatalf("%d writes at once", writes)
		}
		time.Sleep(linesWait + time.Millisecond)
		if writes, lines := out.seen(); writes != 1 || lines != 100 {
			t.Errorf("%d writes, %d lines; want one of 100", writes, lines)
		}
		log.Info(requestLine)
		log.With("a", 1).Info("listening")
		log.Info(requestLine)
		log.Log(t.Context(), slog.LevelWarn, requestLine)
		if _, lines := out.seen(); lines != 104 {
			t.Errorf("%d lines; what is no request's and what warns goes out at once, in order", lines)
		}
		time.Sleep(linesWait + time.Millisecond)
	})
}
