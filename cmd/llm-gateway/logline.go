package main

import (
	"log/slog"
	"strconv"
	"time"
)

// logLine appends the line that slog.JSONHandler writes of a record, if it is one of those
// that a request has: of short plain texts, numbers and durations. False if it is not, and
// then that handler writes it. It is there because every request has such a line, and slog
// takes three times as long (go test ./cmd/llm-gateway -run xxx -bench LogLine).
func logLine(b []byte, r *slog.Record) ([]byte, bool) {
	if r.Time.IsZero() || r.Level != slog.LevelInfo || !plain(r.Message) {
		return b, false
	}
	b = append(b, `{"time":"`...)
	b = r.Time.AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","level":"INFO","msg":"`...)
	b = append(b, r.Message...)
	b = append(b, '"')
	ok := true
	r.Attrs(func(a slog.Attr) bool {
		if ok = plain(a.Key) && a.Key != ""; ok {
			b = append(b, `,"`...)
			b = append(b, a.Key...)
			b = append(b, `":`...)
			b, ok = logValue(b, a.Value)
		}
		return ok
	})
	return append(b, "}\n"...), ok
}

func logValue(b []byte, v slog.Value) ([]byte, bool) {
	switch v.Kind() {
	case slog.KindString:
		text := v.String()
		b = append(b, '"')
		b = append(b, text...)
		return append(b, '"'), plain(text)
	case slog.KindInt64:
		return strconv.AppendInt(b, v.Int64(), 10), true
	case slog.KindDuration:
		return strconv.AppendInt(b, int64(v.Duration()), 10), true
	case slog.KindBool:
		return strconv.AppendBool(b, v.Bool()), true
	}
	return b, false
}

// plain says whether a text stands in JSON as it is.
func plain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
