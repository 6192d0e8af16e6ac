package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"
)

// newLog makes the process's logger.
func newLog(out io.Writer, format, level string) (*slog.Logger, error) {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("LOG_LEVEL %q is not a level: debug, info, warn or error", level)
	}
	options := &slog.HandlerOptions{Level: least}
	switch format {
	case "json":
		lines := &lineBuffer{out: out}
		return slog.New(&gathering{slog.NewJSONHandler(lines, options), lines, true}), nil
	case "text":
		lines := &lineBuffer{out: out}
		return slog.New(&gathering{slog.NewTextHandler(lines, options), lines, false}), nil
	}
	return nil, fmt.Errorf("--log-format %q is not known: json or text", format)
}

// gathering writes the lines of requests several at a time, since a system call for each
// is a good part of what a request costs. Every other line goes out at once, with those
// before it. A process that is killed loses the lines of its last moments.
type gathering struct {
	slog.Handler
	lines *lineBuffer
	plain bool // JSON without attributes of the logger's: lines that logLine can write
}

// requestLine is the message of the one line that a request has.
const requestLine = "request"

// Handle implements slog.Handler.
func (g *gathering) Handle(ctx context.Context, r slog.Record) error {
	if g.plain && r.Message == requestLine && r.Level < slog.LevelWarn {
		var room [1 << 10]byte
		if line, ok := logLine(room[:0], &r); ok {
			_, err := g.lines.Write(line)
			return err
		}
	}
	err := g.Handler.Handle(ctx, r)
	if r.Message != requestLine || r.Level >= slog.LevelWarn {
		g.lines.flush()
	}
	return err
}

// WithAttrs implements slog.Handler.
func (g *gathering) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &gathering{g.Handler.WithAttrs(attrs), g.lines, false}
}

// WithGroup implements slog.Handler.
func (g *gathering) WithGroup(name string) slog.Handler {
	return &gathering{g.Handler.WithGroup(name), g.lines, false}
}

// lineBuffer keeps what is written for a moment.
type lineBuffer struct {
	out io.Writer

	mu    sync.Mutex
	lines []byte
	due   bool // a flush is on its way
}

const (
	linesWait = 50 * time.Millisecond
	linesMost = 32 << 10
)

// Write implements io.Writer; what fails later is lost, as a log's lines are.
func (b *lineBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, p...)
	if len(b.lines) >= linesMost {
		b.flushLocked()
	} else if !b.due {
		b.due = true
		time.AfterFunc(linesWait, b.flush) // ends by itself
	}
	return len(p), nil
}

func (b *lineBuffer) flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.due = false
	b.flushLocked()
}

func (b *lineBuffer) flushLocked() {
	if len(b.lines) > 0 {
		_, _ = b.out.Write(b.lines) // nobody is left to be told
		b.lines = b.lines[:0]
	}
}
