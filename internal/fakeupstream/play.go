package fakeupstream

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// play carries one request through.
type play struct {
	server *Server
	w      http.ResponseWriter
	r      *http.Request
	talk   *talk
	step   Step
	bill   Bill  // of what has happened until now
	full   Usage // of the whole answer, once there is one
	struck bool  // a stall is over

	watch func() bool // ends the watch on the caller
}

// begin watches the caller from now on, so that the moment it leaves is known whatever
// the handler is busy with.
func (p *play) begin() {
	id, books := p.bill.ID, p.server.books
	books.note(id, Arrived, time.Now())
	p.watch = context.AfterFunc(p.r.Context(), func() { books.note(id, Closed, time.Now()) })
}

func (p *play) end() {
	ended := p.watch()
	p.bill.Cut = !ended || p.r.Context().Err() != nil
	if ended && p.bill.Cut { // the watch was ended in the very moment between the two
		p.server.books.note(p.bill.ID, Closed, time.Now())
	}
	if p.bill.Cut && p.server.config.BillsInFull {
		p.bill.Usage = p.full
	}
	p.bill.Fault = p.step.Fault
	p.server.books.charge(p.bill)
}

func (p *play) refuse(no refusal) {
	p.bill.Status = p.server.refuse(p.w, no)
}

func (p *play) run() {
	if p.step.Raw != nil {
		p.replay(p.step.Raw)
		return
	}
	if p.failsAtOnce() {
		return
	}
	a := p.answer()
	if p.step.Fault == Empty {
		a.text, a.calls, a.reasoning = nil, nil, nil
		a.usage.Output, a.usage.Reasoning = 0, 0
	}
	// From here on the model reads the prompt, and whoever leaves has used it.
	p.full = a.usage
	p.bill.Usage.Prompt, p.bill.Usage.Cached = a.usage.Prompt, a.usage.Cached
	if p.step.Fault == SlowHeaders || p.step.Fault == BlackHole {
		p.hold()
	}
	if p.step.Fault == BlackHole || p.r.Context().Err() != nil {
		return
	}
	p.bill.Status = http.StatusOK
	if p.talk.stream {
		p.stream(a)
	} else {
		p.whole(a)
	}
}

func (p *play) answer() answer {
	a := answer{}
	if p.step.Say != nil {
		a = p.server.scripted(p.talk, *p.step.Say)
	} else {
		a = p.server.answerTo(p.talk)
	}
	a.usage.Output *= max(1, p.talk.choices) // all of them are charged for
	a.usage.Reasoning *= max(1, p.talk.choices)
	return a
}

// failsAtOnce plays the faults that need no answer.
func (p *play) failsAtOnce() bool {
	switch p.step.Fault {
	case Reset:
		p.reset()
	case HTML502:
		p.bill.Status = http.StatusBadGateway
		p.w.Header().Set("Content-Type", "text/html")
		p.w.WriteHeader(http.StatusBadGateway)
		p.write([]byte("<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"))
	case EmptyBody, Garbage:
		p.bill.Status = http.StatusOK
		p.w.Header().Set("Content-Type", p.contentType())
		p.w.WriteHeader(http.StatusOK)
		if p.step.Fault == Garbage {
			p.write([]byte("\x00\xff\x17 not what you expected\n\n\n"))
		}
	case ErrorFirst:
		p.bill.Status = http.StatusOK
		p.w.Header().Set("Content-Type", p.contentType())
		no := p.server.wire.adjust(faultRefusal(Overloaded, p.step, p.talk))
		if p.talk.stream {
			p.write(p.server.wire.failed(no))
		} else {
			p.write(p.server.wire.refusal(no))
		}
	default:
		no := faultRefusal(p.step.Fault, p.step, p.talk)
		if no.status == 0 {
			return false
		}
		p.refuse(no)
	}
	return true
}

func (p *play) contentType() string {
	if p.talk.stream {
		return p.server.wire.contentType()
	}
	return "application/json"
}

// reset ends the connection without an answer.
func (p *play) reset() {
	conn, _, err := http.NewResponseController(p.w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // the same, by net/http
	}
	if tcp, is := conn.(interface{ SetLinger(int) error }); is {
		_ = tcp.SetLinger(0) // RST rather than FIN
	}
	conn.Close()
}

// hold keeps silent for as long as the step says.
func (p *play) hold() {
	p.server.books.note(p.bill.ID, Holding, time.Now())
	if p.step.Wait <= 0 {
		<-p.r.Context().Done()
		return
	}
	p.pause(p.step.Wait)
}

// pause is false when the caller left meanwhile.
func (p *play) pause(d time.Duration) bool {
	if d <= 0 {
		return p.r.Context().Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.r.Context().Done():
		return false
	}
}

func (p *play) write(data []byte) bool {
	if _, err := p.w.Write(data); err != nil {
		return false
	}
	return http.NewResponseController(p.w).Flush() == nil
}

// whole answers at once, after the time that streaming would have taken. Who leaves
// meanwhile pays for all of it: OpenRouter, which lists the providers that stop when a
// stream is cut, says that nobody stops for a call that is not one ("For non-streaming
// requests [...] you will be billed for the complete response", API reference, streaming).
func (p *play) whole(a answer) {
	c := p.server.config
	p.bill.Usage = a.usage
	if !p.pause(c.First.draw(c.Seed, p.bill.Number) + time.Duration(a.usage.Output)*c.Gap) {
		return
	}
	body := p.server.wire.whole(p.talk, a)
	p.w.Header().Set("Content-Type", "application/json")
	length := len(body)
	switch p.step.Fault {
	case WrongLength:
		length += 100
	case Truncated, CutBeforeUsage, ErrorMidway:
		body = body[:len(body)/2]
		length = len(body)
	case Malformed:
		body = bytes.Replace(body, []byte(":"), []byte("="), 1)
	case StallFirst, StallMidway:
		p.w.Header().Set("Content-Length", fmt.Sprint(length))
		p.write(body[:len(body)/2])
		p.hold()
		p.write(body[len(body)/2:])
		return
	}
	p.w.Header().Set("Content-Length", fmt.Sprint(length))
	p.write(body)
	if p.step.Fault == WrongLength {
		panic(http.ErrAbortHandler) // net/http would only close too, but log
	}
}

// faultRefusal is the answer of faults that are a status. Others give status 0.
func faultRefusal(f Fault, step Step, t *talk) refusal {
	const simulated = " This failure is simulated."
	switch f {
	case ServerError:
		return refusal{status: 500, code: "server_error", message: "The server had an error while processing your request." + simulated}
	case Overloaded:
		return refusal{status: 503, code: "server_is_overloaded", message: "The server is overloaded or not ready yet." + simulated}
	case RateLimited:
		after := step.RetryAfter
		if after <= 0 {
			after = time.Second
		}
		return refusal{status: 429, code: "rate_limit_exceeded", message: "Rate limit reached." + simulated, retryAfter: after}
	case RateLimitedMute:
		return refusal{status: 429, code: "rate_limit_exceeded", message: "Rate limit reached." + simulated}
	case Unauthorized:
		return wrongKey
	case NoModel:
		return refusal{status: 404, code: "model_not_found", message: fmt.Sprintf("The model `%s` does not exist.", t.model)}
	case ContextLength:
		n, _ := t.promptTokens()
		return refusal{status: 400, code: "context_length_exceeded", message: strings.TrimSpace(fmt.Sprintf(
			"This model's maximum context length is %d tokens. However, your messages resulted in %d tokens.", n-1, n))}
	}
	return refusal{}
}
