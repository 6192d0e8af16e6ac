package actors

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"gateway"
	"gateway/breaker"
)

// attempt is one call to one provider. The router makes it, the provider actor admits
// it, one goroutine makes the call; whoever holds it last ends it through finish.
type attempt struct {
	job   *job
	n     int
	cand  int
	role  gateway.Role
	model *gateway.Model
	queue time.Time // may wait for a place until then

	ctx    context.Context
	cancel context.CancelCauseFunc
	won    chan win // capacity 1: the router's word that this attempt has the client

	sys    *System
	host   *actor.PID
	permit *breaker.Permit
	up     Upstream
	begun  time.Time
	first  time.Duration // first content after begun

	over    time.Time // when it ended, and how; set before its provider's actor hears of it
	outcome breaker.Outcome

	to      *actor.PID // its provider's actor
	bound   bound      // of its bill; zero without a budget
	hold    gateway.Hold
	round   int // in the line for room in its budgets
	unwatch func() bool

	waiting bool        // in a provider's queue; its actor's own
	expiry  *time.Timer // of that wait, or of the one for its budgets
	gate    *breaker.Gate

	mu   sync.Mutex
	sent bool
	name string   // that the provider gave the call
	lost []string // what of the conversation the adapter left out, each thing once
	once sync.Once
}

// win is what the router tells the attempt that has the client.
type win struct {
	attempts int
	hedged   bool
}

// run makes the call. It ends with the attempt's context at the latest.
func (a *attempt) run() {
	defer a.sys.attempts.Done()
	defer func() {
		if p := recover(); p != nil {
			a.sys.log.Error("attempt panicked", "request", a.job.req.ID, "provider", a.model.Provider, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			a.fail(&tally{}, gateway.Errorf(gateway.Internal, "internal error"))
		}
	}()
	if a.job.req.Embed != nil {
		a.embed()
		return
	}
	stream, err := a.up.Open(a.ctx, a.call())
	if err != nil {
		a.fail(&tally{}, a.cause(err))
		return
	}
	l := &live{attempt: a, stream: stream}
	l.tally.plain = a.plain()
	if a.job.rules.Resume {
		l.script = &script{}
		l.script.text.WriteString(a.prefill()) // what the client has seen before this attempt
	}
	l.watch()
	if err := l.untilContent(); err != nil {
		l.lose(err)
		return
	}
	a.first = time.Since(a.begun)
	if a.permit.Probe {
		a.sys.root.Send(a.host, answers{a})
	}
	if !a.job.rules.Whole || !a.plain() { // the first content of a plain answer is all of it
		a.sys.tell(content{a})
	}
	if a.job.rules.Whole {
		a.gather(l)
		return
	}
	select {
	case w := <-a.won:
		answer := a.answer(w)
		answer.Stream = l
		l.attempts = w.attempts
		if !a.job.deliver(result{answer: answer}) {
			l.lose(gateway.Errorf(gateway.Canceled, "the client left"))
		}
	case <-a.ctx.Done():
		l.lose(a.cause(a.ctx.Err()))
	}
}

// gather reads the answer to its end before the client sees any of it.
func (a *attempt) gather(l *live) {
	var fold gateway.Fold
	var c gateway.Chunk
	for {
		err := l.pull(&c)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			l.lose(err)
			return
		}
		fold.Add(&c)
	}
	completion := fold.Completion()
	if err := a.judge(completion, l.tally.usage); err != nil {
		l.lose(err)
		return
	}
	a.sys.tell(whole{a})
	select {
	case w := <-a.won:
		if down := a.finish(&l.tally, nil, true); down != nil {
			a.job.deliver(result{err: down})
			break
		}
		answer := a.answer(w)
		if a.job.req.Stream {
			answer.Stream = completion.Replay()
		} else {
			answer.Completion = completion
		}
		a.job.deliver(result{answer: answer})
	case <-a.ctx.Done():
		l.lose(a.cause(a.ctx.Err()))
	}
	l.stop()
}

// judge refuses an answer that is none, by what the provider counted itself, and one that
// the caller's own check refuses.
func (a *attempt) judge(c *gateway.Completion, counted gateway.Usage) *gateway.Error {
	asCounted := *c
	if asCounted.Usage = counted; asCounted.Empty() {
		return emptyAnswer(counted)
	}
	if check := a.job.req.Check; check != nil {
		if err := check(c); err != nil {
			e := gateway.Errorf(gateway.BadAnswer, "%v", err)
			e.Readable, e.Sent, e.Text = true, true, cut(c.Choices[0].Text, 500)
			if e.Text == "" {
				e.Text = " "
			}
			return e
		}
	}
	return nil
}

// emptyAnswer is the error for an answer with nothing to show. One that no token was
// counted for is no work of a model, and speaks against its server.
func emptyAnswer(u gateway.Usage) *gateway.Error {
	e := gateway.Errorf(gateway.BadAnswer, "the answer is empty")
	e.Readable, e.Sent = u.Reported && u.Output > 0, true
	return e
}

func cut(s string, runes int) string {
	n := 0
	for i := range s {
		if n == runes {
			return s[:i]
		}
		n++
	}
	return s
}

func (a *attempt) embed() {
	e, err := a.up.Embed(a.ctx, a.call())
	t := tally{finish: "stop"}
	if err != nil {
		a.fail(&t, a.cause(err))
		return
	}
	if len(e.Vectors) == 0 {
		bad := gateway.Errorf(gateway.BadAnswer, "the answer has no vectors")
		bad.Sent = true // it was reached
		a.fail(&t, bad)
		return
	}
	a.first = time.Since(a.begun)
	t.usage = e.Usage
	a.sys.tell(whole{a})
	select {
	case w := <-a.won:
		if down := a.finish(&t, nil, true); down != nil {
			a.job.deliver(result{err: down})
			return
		}
		answer := a.answer(w)
		answer.Embeddings = e
		a.job.deliver(result{answer: answer})
	case <-a.ctx.Done():
		a.finish(&t, a.cause(a.ctx.Err()), false)
	}
}

// plain says whether the answer is asked for as one body.
func (a *attempt) plain() bool { return a.job.cands[a.cand].Plain }

func (a *attempt) call() *gateway.Call {
	return &gateway.Call{
		Request: a.job.req, Model: a.model, Attempt: a.n, Plain: a.plain(), MaxTokens: a.mostTokens(), Prefill: a.prefill(),
		OnReady:     a.setOut,
		OnSent:      func() { a.mu.Lock(); a.sent = true; a.mu.Unlock() },
		OnRate:      func(r gateway.RateInfo) { a.permit.Heard(time.Now(), &r) },
		OnDowngrade: a.loses,
		OnNamed:     func(id string) { a.mu.Lock(); a.name = id; a.mu.Unlock() },
	}
}

// loses notes what of the conversation could not be used.
func (a *attempt) loses(what string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !slices.Contains(a.lost, what) {
		a.lost = append(a.lost, what)
	}
}

// mostTokens is the limit that is sent upstream; 0: none. Under a budget there is one
// always: the hold was computed with it. An agent asks for as many as its maker's models
// give; another that gives fewer would refuse the number. What is relayed stays as it is.
func (a *attempt) mostTokens() int {
	req := a.job.req
	if a.hold.Amount > 0 && req.Embed == nil {
		return a.bound.answer
	}
	p := &a.model.Protocol
	if most := a.model.MaxOutput; most > 0 && req.MaxTokens > most && !p.Passes(req) {
		return most
	}
	return req.MaxTokens
}

func (a *attempt) prefill() string {
	if a.model.Can.Prefill {
		return a.job.prefill
	}
	return ""
}

// answer is what the client's handler gets; cost and receipt are filled by what has ended.
func (a *attempt) answer(w win) *gateway.Answer {
	var cost gateway.Microcents
	guess := false
	if a.job.rules.Whole {
		cost, guess = a.job.spent()
	}
	a.mu.Lock()
	name := a.name
	a.mu.Unlock()
	return &gateway.Answer{
		CallID:   name,
		Provider: a.model.Provider, Model: a.model.Name, Protocol: &a.model.Protocol,
		Attempts: w.attempts, Hedged: w.hedged,
		Cost: cost, Estimated: guess, HasCost: a.job.rules.Whole,
		Took: time.Since(a.job.begun), Receipt: a.job.receipt, Prompt: a.job.rules.PromptTokens,
	}
}

// cause turns a failure into the reason that we ourselves had for ending the call, if
// it was us who ended it.
func (a *attempt) cause(err error) *gateway.Error {
	if a.ctx.Err() != nil {
		return whyEnded(a.ctx)
	}
	var e *gateway.Error
	if errors.As(err, &e) {
		return e
	}
	return &gateway.Error{Kind: gateway.Internal, Message: "unclassified failure", Err: err}
}

// fail ends an attempt that has no stream and tells the router.
func (a *attempt) fail(t *tally, err *gateway.Error) {
	a.finish(t, err, false)
	a.failed(err)
}

// failed tells the router. Whoever waits for the answer may be making this attempt, and
// cannot have said before that its client left: then nobody is asked instead.
func (a *attempt) failed(err *gateway.Error) {
	if a.job.ctx.Err() != nil {
		a.sys.tell(gone{a.job})
	}
	a.sys.tell(failed{a, err})
}
