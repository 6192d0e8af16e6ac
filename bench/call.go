package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// target is what every call of a run has in common.
type target struct {
	url    string // of /v1/chat/completions
	key    string // sent as a bearer token; "" for none
	stream bool
	body   []byte
	client *http.Client
}

// newTarget makes a target whose prompt has so many bytes.
func newTarget(base, key, model string, stream bool, promptBytes int) (*target, error) {
	type message struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}
	body, err := json.Marshal(struct {
		Model    string    `json:"model"`
		Messages []message `json:"messages"`
		Stream   bool      `json:"stream,omitempty"`
	}{model, []message{{"user", prompt(promptBytes)}}, stream})
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		MaxIdleConnsPerHost: 20_000, // a closed loop of any size keeps its connections
		IdleConnTimeout:     time.Minute,
		DisableCompression:  true,
	}
	return &target{
		url: strings.TrimRight(base, "/") + "/v1/chat/completions", key: key, stream: stream, body: body,
		client: &http.Client{Transport: transport},
	}, nil
}

func prompt(size int) string {
	const words = "The quick brown fox jumps over the lazy dog. "
	return strings.Repeat(words, size/len(words)+1)[:max(size, 1)]
}

// sample is what one call came to. Times count from the moment it was due.
type sample struct {
	first, whole time.Duration
	bytes        int64
	err          error
}

// do makes one call. due is when it should have left: an open loop counts the wait
// of a late start as part of the latency, as its users would.
func (t *target) do(ctx context.Context, due time.Time) sample {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url, bytes.NewReader(t.body))
	if err != nil {
		return sample{err: err}
	}
	req.Header.Set("Content-Type", "application/json")
	if t.key != "" {
		req.Header.Set("Authorization", "Bearer "+t.key)
	}
	res, err := t.client.Do(req)
	if err != nil {
		return sample{err: err}
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 300))
		return sample{err: fmt.Errorf("HTTP %d: %s", res.StatusCode, bytes.TrimSpace(text))}
	}
	read := readWhole
	if t.stream {
		read = readStream
	}
	s := read(res.Body, due)
	if s.err == nil {
		s.whole = time.Since(due)
	}
	return s
}

func readWhole(body io.Reader, due time.Time) sample {
	data, err := io.ReadAll(body)
	if err != nil {
		return sample{err: err}
	}
	if !bytes.Contains(data, []byte(`"choices"`)) {
		return sample{err: errors.New("the answer has no choices")}
	}
	return sample{first: time.Since(due), bytes: int64(len(data))}
}

// readStream counts a stream as answered only when it ends with [DONE].
func readStream(body io.Reader, due time.Time) (s sample) {
	lines := bufio.NewReaderSize(body, 4096)
	for {
		line, err := lines.ReadSlice('\n')
		s.bytes += int64(len(line))
		if err != nil {
			s.err = fmt.Errorf("stream ended without [DONE]: %w", err)
			return s
		}
		switch {
		case bytes.HasPrefix(line, []byte("data: [DONE]")):
			return s
		case s.first == 0 && bytes.Contains(line, []byte(`"content":"`)) && !bytes.Contains(line, []byte(`"content":""`)):
			s.first = time.Since(due)
		case bytes.Contains(line, []byte(`"error"`)):
			s.err = fmt.Errorf("error in the stream: %.200s", line)
			return s
		}
	}
}
