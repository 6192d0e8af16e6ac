package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// answered is what the demo's client saw of one request.
type answered struct {
	at       time.Time
	asked    string
	stream   bool
	provider string
	model    string
	attempts int
	hedged   bool
	first    time.Duration // to the first token; of a whole answer, to the answer
	whole    time.Duration
	cost     int64 // microcents
	priced   bool
	err      string
}

// ask is one of the things that the demo asks for.
type ask struct {
	model  string
	stream bool
	prompt string
}

// asks are drawn from at random: most leave the choice to the gateway, some pin a
// provider, so that every one of them is seen at work.
var asks = []ask{
	{"auto", true, "Explain in two sentences why the sky is blue."},
	{"auto", true, "Name three uses of a paper clip."},
	{"auto", false, "Translate 'good morning' into French."},
	{"auto", true, "What is a mutex?"},
	{"auto", false, "Give me a title for a talk about queues."},
	{"anthropic/", true, "Write a haiku about rain."},
	{"gemini/", true, "How far away is the moon?"},
	{"openai/", false, "What is 17 times 23?"},
}

// lastPatience is how long the demo's client waits for the last answers: the gateway
// drains for less.
const lastPatience = 5 * time.Second

// trickle sends a request about every gap until ctx ends, then waits for the answers
// that are still on their way, and hands what it saw to show. pinned makes provider/ into provider/model.
func trickle(ctx context.Context, base string, gap time.Duration, pinned map[string]string, show func(answered)) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	defer client.CloseIdleConnections()
	// Requests outlive ctx: it is the gateway that drains, and what it still answers counts.
	flight, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(lastPatience, cut) })()
	seen := make(chan answered)
	flying := 0
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil || flying > 0 {
		select {
		case a := <-seen:
			flying--
			show(a)
		case <-timer.C:
			if ctx.Err() != nil {
				continue
			}
			timer.Reset(gap/2 + rand.N(gap))
			next := asks[rand.IntN(len(asks))]
			if full := pinned[strings.TrimSuffix(next.model, "/")]; full != "" {
				next.model = full
			}
			flying++
			go func() { seen <- put(flight, client, base, next) }() // ends with flight at the latest
		case <-done(ctx, flying):
		}
	}
}

// done is closed when ctx has ended and nothing is left to wait for; while requests
// fly, they end themselves and are waited for instead.
func done(ctx context.Context, flying int) <-chan struct{} {
	if flying > 0 {
		return nil
	}
	return ctx.Done()
}

// put sends one request, as any OpenAI client would.
func put(ctx context.Context, client *http.Client, base string, a ask) answered {
	out := answered{at: time.Now(), asked: a.model, stream: a.stream}
	body, err := json.Marshal(map[string]any{
		"model": a.model, "stream": a.stream,
		"messages": []map[string]string{{"role": "user", "content": a.prompt}},
	})
	if err != nil {
		out.err = err.Error()
		return out
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/v1/chat/completions", bytes.NewReader(body))
	if err != nil {
		out.err = err.Error()
		return out
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Gateway-Receipt", "1")
	res, err := client.Do(req)
	if err != nil {
		out.err = err.Error()
		return out
	}
	defer res.Body.Close()
	out.header(res.Header)
	if a.stream && res.StatusCode == http.StatusOK {
		out.readStream(res.Body)
	} else {
		out.readWhole(res)
	}
	out.whole = time.Since(out.at)
	return out
}

func (a *answered) header(h http.Header) {
	a.provider, a.model = h.Get("X-Gateway-Provider"), h.Get("X-Gateway-Model")
	a.attempts, _ = strconv.Atoi(h.Get("X-Gateway-Attempts"))
	a.hedged = h.Get("X-Gateway-Hedged") == "true"
	if cost, err := strconv.ParseInt(h.Get("X-Gateway-Cost-Microcents"), 10, 64); err == nil {
		a.cost, a.priced = cost, true
	}
}

// piece is the part of an answer, or of a chunk, that the demo reads.
type piece struct {
	Error *struct {
		Message string `json:"message"`
	} `json:"error"`
	Choices []struct {
		Delta struct {
			Content   string `json:"content"`
			Reasoning string `json:"reasoning_content"`
		} `json:"delta"`
	} `json:"choices"`
	Gateway *struct {
		Cost *int64 `json:"cost_microcents"`
	} `json:"gateway"`
}

func (a *answered) take(p piece) {
	if p.Error != nil {
		a.err = p.Error.Message
	}
	if p.Gateway != nil && p.Gateway.Cost != nil {
		a.cost, a.priced = *p.Gateway.Cost, true
	}
	for _, c := range p.Choices {
		if a.first == 0 && c.Delta.Content+c.Delta.Reasoning != "" {
			a.first = time.Since(a.at)
		}
	}
}

func (a *answered) readWhole(res *http.Response) {
	data, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		a.err = err.Error()
		return
	}
	a.first = time.Since(a.at)
	var p piece
	if err := json.Unmarshal(data, &p); err != nil {
		a.err = fmt.Sprintf("HTTP %d: not JSON", res.StatusCode)
		return
	}
	a.take(p)
}

func (a *answered) readStream(body io.Reader) {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		data, isData := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		switch {
		case !isData:
		case bytes.Equal(data, []byte("[DONE]")):
			return
		default:
			var p piece
			if json.Unmarshal(data, &p) == nil {
				a.take(p)
			}
		}
	}
	if a.err == "" {
		a.err = "the stream ended before [DONE]"
	}
}
