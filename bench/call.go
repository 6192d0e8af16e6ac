package main

import (
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
	url     string // of /v1/chat/completions
	key     string // sent as a bearer token; "" for none
	stream  bool
	body    []byte
	header  http.Header   // sent besides; nil: nothing
	timeout time.Duration // of one call; 0: none
	client  *http.Client
}

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// newTarget makes a target whose prompt has so many bytes.
func newTarget(base, key, model string, stream bool, promptBytes int) (*target, error) {
	body, err := json.Marshal(struct {
		Model    string    `json:"model"`
		Messages []message `json:"messages"`
		Stream   bool      `json:"stream,omitempty"`
	}{model, []message{{"user", prompt(promptBytes)}}, stream})
	if err != nil {
		return nil, err
	}
	return &target{
		url: chatURL(base), key: key, stream: stream, body: body, client: newClient(),
	}, nil
}

// chatURL takes a base URL with or without the /v1 that SDKs are given.
func chatURL(base string) string {
	return strings.TrimSuffix(strings.TrimRight(base, "/"), "/v1") + "/v1/chat/completions"
}

func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		MaxIdleConnsPerHost: 20_000, // a closed loop of any size keeps its connections
		IdleConnTimeout:     time.Minute,
		DisableCompression:  true,
		ForceAttemptHTTP2:   true, // over TLS, where it is offered
	}}
}

func prompt(size int) string {
	const words = "The quick brown fox jumps over the lazy dog. "
	return strings.Repeat(words, size/len(words)+1)[:max(size, 1)]
}

// sample is what one call came to. Times count from the moment it was due.
type sample struct {
	first, whole time.Duration
	late         time.Duration   // it left so much later than it was due
	gaps         []time.Duration // between one piece of content and the next
	bytes        int64
	err          error
}

// refused is an answer that is no answer: its status and the error's code.
type refused struct {
	status int
	code   string
	tries  string // whom the gateway asked, and what came of it: "first circuit_open, second timeout"
}

func (r *refused) Error() string {
	return strings.TrimSpace(fmt.Sprintf("HTTP %d %s", r.status, r.code))
}

// do makes one call. due is when it should have left: an open loop counts the wait
// of a late start as part of the latency, as its users would.
func (t *target) do(ctx context.Context, due time.Time) sample {
	if t.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t.timeout)
		defer cancel()
	}
	res, err := t.post(ctx, t.body)
	if err != nil {
		return sample{err: err}
	}
	defer res.Body.Close()
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

// post sends a body and gives the answer if its status is 200.
func (t *target) post(ctx context.Context, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	for name, values := range t.header {
		req.Header[name] = values
	}
	if t.key != "" {
		req.Header.Set("Authorization", "Bearer "+t.key)
	}
	res, err := t.client.Do(req)
	if err != nil {
		return nil, plainly(err)
	}
	if res.StatusCode != http.StatusOK {
		defer res.Body.Close()
		return nil, refusalOf(res)
	}
	return res, nil
}

// refusalOf keeps the code of an error and not its text, which may name the request
// and so be different each time.
func refusalOf(res *http.Response) *refused {
	text, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10)) // a cut answer has no code
	var body struct {
		Error json.RawMessage `json:"error"`
	}
	var inner struct {
		Code  string `json:"code"`
		Type  string `json:"type"`
		Tries []struct {
			Provider string `json:"provider"`
			Outcome  string `json:"outcome"`
		} `json:"attempts"`
	}
	if json.Unmarshal(text, &body) == nil && json.Unmarshal(body.Error, &inner) == nil && inner.Code == "" {
		inner.Code = inner.Type
	}
	tries := make([]string, len(inner.Tries))
	for i, t := range inner.Tries {
		tries[i] = t.Provider + " " + t.Outcome
	}
	return &refused{res.StatusCode, inner.Code, strings.Join(tries, ", ")}
}

// plainly leaves the URL and the client's port out of an error, so that equal
// failures read the same.
func plainly(err error) error {
	var dial *net.OpError
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &dial):
		return fmt.Errorf("%s: %w", dial.Op, dial.Err)
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return err
}

func readWhole(body io.Reader, due time.Time) sample {
	data, err := io.ReadAll(body)
	if err != nil {
		return sample{err: plainly(err)}
	}
	if !bytes.Contains(data, []byte(`"choices"`)) {
		return sample{err: errors.New("the answer has no choices")}
	}
	return sample{first: time.Since(due), bytes: int64(len(data))}
}
