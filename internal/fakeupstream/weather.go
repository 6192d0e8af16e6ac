package fakeupstream

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Weather makes a server behave as a Climate says. It answers in OpenAI's format, with a
// few large pieces instead of one for each token, so that the server itself costs little
// while it plays a whole incident; like Canned it is for load and is not strict.
type Weather struct {
	Climate Climate
	Seed    uint64
	Site    int     // the provider's number in the seed's draws
	Scale   float64 // of all times; 0.1: ten times as fast

	mu     sync.Mutex
	begun  time.Time
	tries  map[int]int // by request
	visits []Visit
}

// Visit is one call as its provider saw it and bills it.
type Visit struct {
	Request, Try int
	At           time.Time // its body was read
	Late         time.Duration
	Status       int // 0: reset or never answered
	Prompt       int // tokens billed; 0 for a failure
	Output       int
	Whole        bool // all of the answer went out
	Cut          bool // the caller left before the end
}

// WeatherPrompt is a prompt of so many bytes that tells a Weather what it is: the
// request's number, and the tokens of prompt and answer to bill.
func WeatherPrompt(request, prompt, output, size int) string {
	b := fmt.Appendf(make([]byte, 0, size+64), "[[weather:%d:%d:%d]]", request, prompt, output)
	for len(b) < size {
		b = append(b, " light travels slowly through glass"...)
	}
	return string(b)
}

func readWeather(body []byte) (request, prompt, output int, ok bool) {
	at := bytes.Index(body, []byte("[[weather:"))
	if at < 0 {
		return 0, 0, 0, false
	}
	text := body[at+len("[[weather:"):]
	end := bytes.Index(text, []byte("]]"))
	if end < 0 {
		return 0, 0, 0, false
	}
	parts := bytes.Split(text[:end], []byte(":"))
	if len(parts) != 3 {
		return 0, 0, 0, false
	}
	numbers := [3]int{}
	for i, p := range parts {
		n, err := strconv.Atoi(string(p))
		if err != nil {
			return 0, 0, 0, false
		}
		numbers[i] = n
	}
	return numbers[0], numbers[1], numbers[2], true
}

// Begin lets the weather's time begin. Before, the climate is at its first moment.
func (w *Weather) Begin(at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begun = at
}

// Visits are the calls so far, in the order in which they ended.
func (w *Weather) Visits() []Visit {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Visit(nil), w.visits...)
}

func (w *Weather) try(request int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.tries == nil {
		w.tries = map[int]int{}
	}
	w.tries[request]++
	return w.tries[request]
}

func (w *Weather) note(v Visit) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.visits = append(w.visits, v)
}

func (w *Weather) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) * w.Scale)
}

// Since is the age of the weather in the climate's own time.
func (w *Weather) Since(at time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.begun.IsZero() {
		return 0
	}
	return time.Duration(float64(at.Sub(w.begun)) / w.Scale)
}

func (w *Weather) serve(out http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(out, r.Body, bodyLimit))
	if err != nil {
		return
	}
	request, prompt, output, ok := readWeather(body)
	if !ok {
		http.Error(out, `{"error":{"message":"the prompt does not say its weather","type":"invalid_request_error"}}`, http.StatusBadRequest)
		return
	}
	v := Visit{Request: request, Try: w.try(request), At: time.Now()}
	fate := w.Climate.Draw(Attempt{w.Seed, request, w.Site, v.Try, prompt, output}, w.Since(v.At))
	p := &passage{w: w, out: out, ctx: r.Context(), fate: fate, output: output, stream: cannedStreams(OpenAI, r, body), visit: &v}
	defer func() { w.note(v) }()
	p.run(prompt)
}

// passage carries one call through the weather.
type passage struct {
	w      *Weather
	out    http.ResponseWriter
	ctx    context.Context
	fate   Fate
	output int
	stream bool
	visit  *Visit
}

func (p *passage) run(prompt int) {
	if p.fate.Status == http.StatusOK { // whoever leaves from now on has used the prompt
		p.visit.Prompt = prompt
	}
	if p.fate.Never {
		<-p.ctx.Done()
		p.visit.Cut = true
		return
	}
	due := p.visit.At.Add(p.w.scaled(p.fate.Wait))
	if !p.until(due) {
		return
	}
	p.visit.Late = time.Since(due)
	p.visit.Status = p.fate.Status
	switch p.fate.Status {
	case 0:
		(&play{w: p.out}).reset()
	case http.StatusTooManyRequests:
		p.out.Header().Set("Retry-After-Ms", strconv.FormatInt(p.w.scaled(p.fate.RetryAfter).Milliseconds(), 10))
		p.refuse("rate_limit_exceeded")
	case http.StatusOK:
		p.answer(due)
	default:
		p.refuse("server_error")
	}
}

func (p *passage) refuse(code string) {
	p.out.Header().Set("Content-Type", "application/json")
	p.out.WriteHeader(p.fate.Status)
	fmt.Fprintf(p.out, `{"error":{"message":"this failure is simulated","type":%q,"code":%q}}`, code, code)
}

// until waits for a moment; false when the caller left before.
func (p *passage) until(at time.Time) bool {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.ctx.Done():
		p.visit.Cut = true
		return false
	}
}

// parcels is how many parts an answer comes in.
const parcels = 5

func (p *passage) answer(first time.Time) {
	if p.stream {
		p.out.Header().Set("Content-Type", "text/event-stream")
		p.send(`{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}`, "")
	}
	span := p.w.scaled(p.fate.Decode)
	for i := range parcels {
		share := float64(i) / (parcels - 1)
		if p.fate.Breaks > 0 && share >= p.fate.Breaks {
			panic(http.ErrAbortHandler) // breaks the connection, and does not log
		}
		if i > 0 && !p.until(first.Add(time.Duration(share*float64(span)))) {
			p.visit.Output = int(float64(p.output) * min(1, float64(time.Since(first))/float64(max(span, 1))))
			return
		}
		p.visit.Output = int(float64(p.output) * share)
		if p.stream && !p.send(fmt.Sprintf(`{"index":0,"delta":{"content":"part %d "},"finish_reason":null}`, i), "") {
			return
		}
	}
	p.visit.Output, p.visit.Whole = p.output, true
	usage := fmt.Sprintf(`,"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}`,
		p.visit.Prompt, p.output, p.visit.Prompt+p.output)
	if !p.stream {
		p.out.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(p.out, `{%s,"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"whole"},"finish_reason":"stop"}]%s}`, weatherMeta, usage)
		return
	}
	p.send(`{"index":0,"delta":{},"finish_reason":"stop"}`, "")
	p.send("", usage)
	_, _ = io.WriteString(p.out, "data: [DONE]\n\n") // the caller may have left
}

const weatherMeta = `"id":"chatcmpl-weather","created":1760000000,"model":"weather"`

func (p *passage) send(choices, more string) bool {
	if _, err := fmt.Fprintf(p.out, `data: {%s,"object":"chat.completion.chunk","choices":[%s]%s}`+"\n\n", weatherMeta, choices, more); err != nil {
		return false
	}
	return http.NewResponseController(p.out).Flush() == nil
}
