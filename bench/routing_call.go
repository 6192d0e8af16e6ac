package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"gateway/internal/fakeupstream"
)

// seen is what a client saw of one request. Times are real and count from when it was
// sent: the arrivals do not wait for answers, and how late this program itself was on a
// busy machine says nothing about the gateway. It is reported beside.
type seen struct {
	due    time.Duration // after the begin of the run
	first  time.Duration // first content
	whole  time.Duration
	late   time.Duration // how late the load generator sent it
	hedged bool
	err    error
}

// bytesPerToken is how long the prompts are. Source: routing reference section 5.
const bytesPerToken = 3.2

// ask makes one call. A client that does not stream learns from the receipt when the
// content began.
func ask(ctx context.Context, client *http.Client, base string, number int, a arrival, due time.Time) seen {
	prompt := fakeupstream.WeatherPrompt(number, a.prompt, a.output, int(bytesPerToken*float64(a.prompt)))
	s := seen{due: a.due}
	var body strings.Builder
	body.Grow(len(prompt) + 100)
	fmt.Fprintf(&body, `{"model":"auto","stream":%v,"messages":[{"role":"user","content":"%s"}]}`, a.stream, prompt)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/v1/chat/completions", strings.NewReader(body.String()))
	if err != nil {
		s.err = err
		return s
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Gateway-Receipt", "1")
	sent := time.Now()
	s.late = sent.Sub(due)
	res, err := client.Do(req)
	if err != nil {
		s.err = err
		return s
	}
	defer res.Body.Close()
	s.hedged = res.Header.Get("X-Gateway-Hedged") == "true"
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 300))
		s.err = fmt.Errorf("HTTP %d: %s", res.StatusCode, bytes.TrimSpace(text))
		return s
	}
	if a.stream {
		sample := readStream(res.Body, sent)
		s.first, s.err = sample.first, sample.err
	} else {
		s.first, s.err = readReceipt(res.Body)
	}
	s.whole = time.Since(sent)
	return s
}

// readReceipt gives the moment of the first content of the attempt that was answered with.
func readReceipt(body io.Reader) (time.Duration, error) {
	var answer struct {
		Choices []json.RawMessage
		Gateway struct {
			Attempts []struct {
				Outcome string
				First   int64 `json:"first_content_ms"`
			}
		}
	}
	if err := json.NewDecoder(bufio.NewReader(body)).Decode(&answer); err != nil {
		return 0, fmt.Errorf("reading the answer: %w", err)
	}
	for _, a := range answer.Gateway.Attempts {
		if a.Outcome == "ok" && len(answer.Choices) > 0 {
			return time.Duration(a.First) * time.Millisecond, nil
		}
	}
	return 0, errors.New("the answer names no attempt that was ok")
}
