package main

import (
	"bytes"
	"log/slog"
	"testing"
	"time"
)

// What logLine writes is what slog writes, and what it does not take is left to slog.
func TestLogLineIsSlogs(t *testing.T) {
	usual := []slog.Attr{slog.String("request", "01a20ee7-8afd-7392-aa0d-acddd8090875"), slog.String("method", "POST"),
		slog.String("route", "/v1/models/*id"), slog.Int("status", 200), slog.Duration("took", 1234567*time.Microsecond),
		slog.Bool("hedged", false), slog.Int64("cost_microcents", -5), slog.String("empty", ""), slog.String("odd", "<a&b>'~ ")}
	for name, c := range map[string]struct {
		level slog.Level
		attrs []slog.Attr
		takes bool
	}{
		"usual":             {slog.LevelInfo, usual, true},
		"nothing":           {slog.LevelInfo, nil, true},
		"a quote":           {slog.LevelInfo, []slog.Attr{slog.String("err", `says "no"`)}, false},
		"a backslash":       {slog.LevelInfo, []slog.Attr{slog.String("err", `\`)}, false},
		"a line":            {slog.LevelInfo, []slog.Attr{slog.String("err", "a\nb")}, false},
		"delete":            {slog.LevelInfo, []slog.Attr{slog.String("err", "\x7f")}, false},
		"beyond ASCII":      {slog.LevelInfo, []slog.Attr{slog.String("err", "für")}, false},
		"not UTF-8":         {slog.LevelInfo, []slog.Attr{slog.String("err", "\xff")}, false},
		"a name":            {slog.LevelInfo, []slog.Attr{slog.String(`a"b`, "x")}, false},
		"no name":           {slog.LevelInfo, []slog.Attr{slog.String("", "x")}, false},
		"a float":           {slog.LevelInfo, []slog.Attr{slog.Float64("f", 1.5)}, false},
		"a group":           {slog.LevelInfo, []slog.Attr{slog.Group("g", "a", 1)}, false},
		"an empty one":      {slog.LevelInfo, []slog.Attr{{}}, false},
		"of another level":  {slog.LevelWarn, usual, false},
		"the usual and odd": {slog.LevelInfo, append(usual[:len(usual):len(usual)], slog.Any("e", bytes.ErrTooLarge)), false},
	} {
		for _, at := range []time.Time{time.Now(), time.Date(2026, 11, 24, 1, 2, 3, 40, time.UTC), time.Date(2026, 1, 2, 3, 4, 5, 600_000_000, time.FixedZone("", 5*3600+45*60))} {
			var want bytes.Buffer
			r := slog.NewRecord(at, c.level, requestLine, 0)
			r.AddAttrs(c.attrs...)
			if err := slog.NewJSONHandler(&want, nil).Handle(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			got, ok := logLine(nil, &r)
			if ok != c.takes || ok && string(got) != want.String() {
				t.Errorf("%s: %v\n%s%s", name, ok, got, want.String())
			}
		}
	}
}

func BenchmarkLogLine(b *testing.B) {
	r := slog.NewRecord(time.Now(), slog.LevelInfo, requestLine, 0)
	r.AddAttrs(slog.String("request", "01a20ee7-8afd-7392-aa0d-acddd8090875"), slog.String("method", "POST"), slog.String("route", "/v1/chat/completions"),
		slog.Int("status", 200), slog.Duration("took", 6*time.Millisecond), slog.String("key", "bench"), slog.String("provider", "first"),
		slog.String("model", "bench-model"), slog.Int("attempts", 1), slog.Bool("hedged", false), slog.Bool("stream", false),
		slog.Duration("ttft", 6*time.Millisecond), slog.Int("prompt_tokens", 80), slog.Int("completion_tokens", 40), slog.Int64("cost_microcents", 2400))
	b.Run("ours", func(b *testing.B) {
		var room [1 << 10]byte
		for b.Loop() {
			logLine(room[:0], &r)
		}
	})
	b.Run("slog", func(b *testing.B) {
		var out bytes.Buffer
		h := slog.NewJSONHandler(&out, nil)
		for b.Loop() {
			out.Reset()
			if err := h.Handle(b.Context(), r); err != nil {
				b.Fatal(err)
			}
		}
	})
}
