package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"
)

// readStream counts a stream as answered only when it ends with [DONE].
func readStream(body io.Reader, due time.Time) (s sample) {
	var last time.Duration
	s.err = events(body, func(data []byte) error {
		s.bytes += int64(len(data))
		if !hasContent(data) {
			return nil
		}
		now := time.Since(due)
		if s.first == 0 {
			s.first = now
		} else {
			s.gaps = append(s.gaps, now-last)
		}
		last = now
		return nil
	})
	return s
}

// events gives each event's data to f. It ends well only at [DONE]; a longer line than
// 1 MiB, an error in the stream, or f's own, ends it before.
func events(body io.Reader, f func(data []byte) error) error {
	lines := bufio.NewReaderSize(body, 4096)
	var long []byte
	for {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) && len(long) < 1<<20 {
			long = append(long, line...)
			continue
		}
		if err != nil {
			return fmt.Errorf("stream ended without [DONE]: %w", plainly(err))
		}
		if len(long) > 0 {
			line, long = append(long, line...), nil
		}
		data, found := bytes.CutPrefix(line, []byte("data: "))
		if !found {
			continue
		}
		switch data = bytes.TrimRight(data, "\r\n"); {
		case bytes.Equal(data, []byte("[DONE]")):
			return nil
		case bytes.HasPrefix(data, []byte(`{"error"`)):
			return errors.New("error in the stream: " + inBandCode(data))
		}
		if err := f(data); err != nil {
			return err
		}
	}
}

// inBandCode is the code of an error in a stream.
func inBandCode(data []byte) string {
	_, rest, _ := bytes.Cut(data, []byte(`"code":"`))
	code, _, found := bytes.Cut(rest, []byte(`"`))
	if !found {
		return "without code"
	}
	return string(code)
}

// hasContent says whether an event carries text, reasoning or a part of a tool call.
// It looks for the fields rather than decoding, since the load must cost little.
func hasContent(data []byte) bool {
	for _, name := range [...]string{`"content":"`, `"reasoning_content":"`, `"arguments":"`} {
		if at := bytes.Index(data, []byte(name)); at >= 0 {
			if rest := data[at+len(name):]; len(rest) > 0 && rest[0] != '"' {
				return true
			}
		}
	}
	return bytes.Contains(data, []byte(`"tool_calls":[{`))
}
