package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// runUpstream serves a provider that costs next to nothing itself: every answer is
// the same bytes, made beforehand.
func runUpstream(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("bench upstream", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:0", "where to listen")
	first := flags.Duration("ttft", 0, "time to first token")
	gap := flags.Duration("gap", 0, "time between tokens")
	tokens := flags.Int("tokens", 40, "tokens of an answer")
	certificate := flags.String("certificate", "", "file of the server's certificate; empty: no TLS")
	key := flags.String("key", "", "file of its key")
	if err := flags.Parse(args); err != nil {
		return err
	}
	handler := canned(*first, *gap, *tokens)
	if *certificate == "" {
		return listen(ctx, *addr, handler, out)
	}
	pair, err := tls.LoadX509KeyPair(*certificate, *key)
	if err != nil {
		return err
	}
	return listenTLS(ctx, *addr, handler, pair, out)
}

// canned answers with so many tokens, the first after first and the others a gap apart.
// A body may ask for others by "bench_tokens" and "bench_gap_us": gateways pass fields on
// that they do not know.
func canned(first, gap time.Duration, tokens int) http.Handler {
	var made answers
	made.of(tokens)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		tokens, gap := tokens, gap
		if n, ok := asked(body, `"bench_tokens":`); ok {
			tokens = min(n, 100_000)
		}
		if n, ok := asked(body, `"bench_gap_us":`); ok {
			gap = time.Duration(n) * time.Microsecond
		}
		answer := made.of(tokens)
		pause(r.Context(), first)
		if !bytes.Contains(body, []byte(`"stream":true`)) {
			pause(r.Context(), gap*time.Duration(tokens))
			w.Header().Set("Content-Type", "application/json")
			w.Write(answer.whole)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		flush := http.NewResponseController(w).Flush
		w.Write(answer.head)
		for range tokens {
			w.Write(answer.token)
			if flush() != nil || r.Context().Err() != nil {
				return
			}
			pause(r.Context(), gap)
		}
		w.Write(answer.tail)
	})
}

// asked reads a whole number that follows a name in the body.
func asked(body []byte, name string) (n int, ok bool) {
	_, rest, found := bytes.Cut(body, []byte(name))
	if !found {
		return 0, false
	}
	for _, c := range rest {
		if c < '0' || c > '9' || n > 1<<30 {
			break
		}
		n, ok = 10*n+int(c-'0'), true
	}
	return n, ok
}

// answer is the bytes of an answer.
type answer struct{ head, token, tail, whole []byte }

// answers keeps those that were made, by their number of tokens.
type answers struct{ made sync.Map }

func (a *answers) of(tokens int) *answer {
	if known, ok := a.made.Load(tokens); ok {
		return known.(*answer)
	}
	one := &answer{whole: cannedWhole(tokens)}
	one.head, one.token, one.tail = cannedStream(tokens)
	a.made.Store(tokens, one)
	return one
}

func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

const cannedMeta = `"id":"chatcmpl-bench","created":1760000000,"model":"bench-model"`

func cannedStream(tokens int) (head, token, tail []byte) {
	event := func(choices, more string) []byte {
		return fmt.Appendf(nil, `data: {%s,"object":"chat.completion.chunk","choices":[%s]%s}`+"\n\n", cannedMeta, choices, more)
	}
	head = event(`{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}`, "")
	token = event(`{"index":0,"delta":{"content":"token "},"finish_reason":null}`, "")
	tail = event(`{"index":0,"delta":{},"finish_reason":"stop"}`, "")
	tail = append(tail, event("", `,"usage":`+cannedUsage(tokens))...)
	tail = append(tail, "data: [DONE]\n\n"...)
	return head, token, tail
}

func cannedWhole(tokens int) []byte {
	text := bytes.Repeat([]byte("token "), tokens)
	return fmt.Appendf(nil, `{%s,"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"%s"},"finish_reason":"stop"}],"usage":%s}`,
		cannedMeta, text, cannedUsage(tokens))
}

func cannedUsage(tokens int) string {
	return fmt.Sprintf(`{"prompt_tokens":100,"completion_tokens":%d,"total_tokens":%d}`, tokens, 100+tokens)
}
