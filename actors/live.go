package actors

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"gateway"
)

// live is the stream of one attempt, with what the ledger must know of it. The
// attempt's goroutine pulls it until the first content; then the client's handler
// does. Every way it can end goes through finish exactly once.
type live struct {
	attempt *attempt
	stream  gateway.Stream
	tally   tally

	held []gateway.Chunk // pulled before the winner was known
	at   int
	eof  bool // no more chunks come than those held
	err  error

	counted bool // the usage that the provider did not tell has been given

	attempts int      // made for the request when this one won
	script   *script  // what the client has seen; nil unless a break may be continued
	next     *resumed // what took over after a break

	idle   *time.Timer   // nil until somebody waits for the provider
	most   time.Duration // of silence
	gap    silence       // of who pulls
	begun  time.Time
	quick  bool         // the last wait was too short to make less of the stack for it
	asked  atomic.Int64 // since when somebody waits for the provider, after begun; 0: nobody does
	armed  atomic.Bool  // idle will fire
	closed sync.Once
	mu     sync.Mutex // Next and Close may come from two goroutines
}

// tally is what the ledger needs to know of an answer.
type tally struct {
	usage   gateway.Usage
	text    gateway.TokenCount // of text, reasoning and tool calls seen
	bytes   int                // of the same
	thought int                // bytes of reasoning among them
	tier    string             // that the provider served it at
	finish  string
	calls   []string // ids of tool calls
	signed  bool     // came with state that only its maker can read
	mused   bool     // came with reasoning, which some models must be given back
	plain   bool     // it was asked for as one body
	billed  bool     // usage came after the reason of the end: it is that of the whole answer
}

func (t *tally) add(c *gateway.Chunk) {
	t.text.Add(c.Reasoning)
	t.text.Add(c.Text)
	t.text.Add(c.Refusal)
	t.bytes += len(c.Reasoning) + len(c.Text) + len(c.Refusal)
	t.thought += len(c.Reasoning)
	if c.Meta != nil {
		t.tier = c.Meta.Tier
	}
	t.signed = t.signed || len(c.Thinking) > 0
	t.mused = t.mused || c.Reasoning != ""
	for i := range c.Tools {
		if c.Tools[i].ID != "" {
			t.calls = append(t.calls, c.Tools[i].ID)
		}
		t.signed = t.signed || c.Tools[i].Signature != ""
		t.text.Add(c.Tools[i].Name)
		t.text.Add(c.Tools[i].Arguments)
		t.bytes += len(c.Tools[i].Name) + len(c.Tools[i].Arguments)
	}
	if c.Usage != nil {
		t.usage = *c.Usage
	}
	if c.Finish != "" {
		t.finish = string(c.Finish)
		if c.Native != "" {
			t.finish = c.Native
		}
	}
	t.billed = t.billed || c.Usage != nil && t.finish != ""
}

// watch makes the limit on silence in the middle of an answer. Before the first content
// only the walk's limits count. It runs only while somebody waits for the provider: a
// client that reads slowly is no silence of the provider's. The timer is not moved with
// each chunk: when it fires it looks how long the silence is and comes again if need be.
func (l *live) watch() {
	l.begun = time.Now()
	l.most, l.gap.worth = l.attempt.sys.idle(l.attempt.model), l.attempt.sys.cfg.Times.LongGap()
}

func (l *live) look() {
	a := l.attempt
	l.armed.Store(false)
	asked := l.asked.Load()
	if asked == 0 {
		return // whoever asks next arms it again
	}
	if left := l.left(asked); left > 0 {
		l.arm(left)
		return
	}
	e := &gateway.Error{Kind: gateway.Timeout, Provider: a.model.Provider, Model: a.model.Name,
		Message: "nothing for " + l.most.String() + " in the middle of the answer", Sent: true}
	if !time.Now().Before(a.job.rules.Deadline) {
		e = gateway.Errorf(gateway.Deadline, "the answer was not whole within the time allowed")
	}
	a.cancel(e)
}

// left is what is left of the limit on silence and of the request's time.
func (l *live) left(asked int64) time.Duration {
	return min(l.most-(time.Since(l.begun)-time.Duration(asked)), time.Until(l.attempt.job.rules.Deadline))
}

func (l *live) arm(d time.Duration) {
	if !l.armed.CompareAndSwap(false, true) {
		return
	}
	if l.idle == nil { // most short answers are there before anybody has to wait
		l.idle = time.AfterFunc(time.Hour, l.look)
	}
	l.idle.Reset(max(d, 0))
}

// calm ends the limit on silence.
func (l *live) calm() {
	if l.idle != nil {
		l.idle.Stop()
	}
}

// ask pulls from the provider under the limit on silence and the request's deadline. It
// and pull fill a chunk that their caller has: a stream that waits for its next token
// waits in them, and what lies on its stack until then is what it costs in memory.
func (l *live) ask(c *gateway.Chunk) (err error) {
	if l.attempt.plain() {
		if b, ok := l.stream.(gateway.Buffered); ok && b.Buffered() { // read as one body: there is no silence in it
			*c, err = l.stream.Next()
			return err
		}
	}
	asked := l.sinceWhen()
	*c, err = l.stream.Next()
	l.asked.Store(0)
	waited := time.Since(l.begun) - time.Duration(asked)
	l.quick = waited < quickWait
	if err == nil {
		l.gap.heard(c, waited)
	} else if !errors.Is(err, io.EOF) {
		l.gap.broke(waited)
	}
	return err
}

// sinceWhen notes that somebody waits for the provider, and since when.
func (l *live) sinceWhen() int64 {
	asked := l.asked.Load()
	if asked == 0 {
		asked = max(int64(time.Since(l.begun)-l.gap.soFar), 1)
		l.asked.Store(asked)
	}
	if !l.armed.Load() {
		l.arm(l.left(asked))
	}
	return asked
}

// quickWait is a gap between chunks that is not worth a look at the connection before
// reading it, which costs about a microsecond: that is for streams that lie still.
const quickWait = 20 * time.Millisecond

// Wait implements gateway.Waiter for the goroutine that calls Next.
func (l *live) Wait() {
	if w := l.waiter(); w != nil {
		w.Wait()
	}
}

// waiter begins a wait for the provider; it is nil if Next need not wait or must do it.
func (l *live) waiter() gateway.Waiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.quick || l.err != nil || l.next != nil || l.eof || l.at < len(l.held) {
		return nil
	}
	l.held, l.at = nil, 0 // delivered
	w, ok := l.stream.(gateway.Waiter)
	if ok {
		l.sinceWhen()
	}
	return w
}

// untilContent pulls until there is something a client can see, and holds what came.
func (l *live) untilContent() *gateway.Error {
	for {
		c, err := l.stream.Next()
		if errors.Is(err, io.EOF) {
			l.eof = true
			if l.saysNothing() {
				return emptyAnswer(l.tally.usage)
			}
			return nil
		}
		if err != nil {
			return l.attempt.cause(err)
		}
		l.tally.add(&c)
		if c.HasContent() {
			l.held = append(l.held, c) // valid until the next pull, which comes after it is delivered
			return nil
		}
		l.held = append(l.held, keep(c))
	}
}

// saysNothing: the answer ended without content and without a reason for that, as
// gateway.Completion.Empty has them.
func (l *live) saysNothing() bool {
	if l.tally.finish != "" && l.tally.usage.Silence() {
		return false
	}
	for i := range l.held {
		if f := l.held[i].Finish; f == gateway.FinishLength || f == gateway.FinishFilter {
			return false
		}
	}
	return true
}

// keep copies what a chunk only lends.
func keep(c gateway.Chunk) gateway.Chunk {
	c.Raw = append([]byte(nil), c.Raw...)
	c.Thinking = append([]gateway.Thinking(nil), c.Thinking...)
	c.Logprobs = append([]byte(nil), c.Logprobs...)
	c.Annotations = append([]byte(nil), c.Annotations...)
	if len(c.Raw) == 0 {
		c.Raw = nil
	}
	if len(c.Logprobs) == 0 {
		c.Logprobs = nil
	}
	if len(c.Annotations) == 0 {
		c.Annotations = nil
	}
	return c
}

// pull gives the held chunks and then those of the provider.
func (l *live) pull(c *gateway.Chunk) error {
	if l.at < len(l.held) {
		l.at++
		*c = l.held[l.at-1]
		return nil
	}
	if l.eof {
		return l.end(c)
	}
	err := l.ask(c)
	switch {
	case err == nil:
		l.tally.add(c)
		return nil
	case errors.Is(err, io.EOF):
		l.calm()
		l.eof = true
		return l.end(c)
	default:
		l.calm()
		return l.attempt.cause(err)
	}
}

// end is io.EOF, after a chunk with the usage that is booked where the provider told none:
// agents tell by it how full their window is, and zeros would say that it is empty.
func (l *live) end(c *gateway.Chunk) error {
	if l.counted {
		return io.EOF
	}
	l.counted = true
	*c = gateway.Chunk{Usage: l.attempt.untold(&l.tally)}
	if c.Usage == nil {
		return io.EOF
	}
	return nil
}

// Next implements gateway.Stream for the client's handler. io.EOF comes only after
// the ledger row is durable, or has been waited for if the request need not be booked.
func (l *live) Next() (c gateway.Chunk, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.err != nil:
		return c, l.err
	case l.next != nil:
		c, err = l.next.Next()
		l.err = err
		return c, err
	}
	if err = l.pull(&c); err == nil {
		l.script.saw(&c)
		return c, nil
	}
	c = gateway.Chunk{}
	err = l.over(err, &c)
	return c, err
}

// Buffered implements gateway.Buffered for the goroutine that calls Next.
func (l *live) Buffered() bool {
	if l.next != nil || l.err != nil {
		return false
	}
	if l.at < len(l.held) {
		return true
	}
	b, ok := l.stream.(gateway.Buffered)
	return ok && !l.eof && b.Buffered()
}

// over books the end of the stream, and lets another attempt continue a broken one if
// the request chose that.
func (l *live) over(err error, c *gateway.Chunk) error {
	if errors.Is(err, io.EOF) {
		l.err = io.EOF
		if down := l.attempt.finish(&l.tally, nil, true); down != nil {
			l.err = down
		}
		l.stop()
		l.leave()
		return l.err
	}
	broke := asError(err)
	l.attempt.finish(&l.tally, broke, true)
	l.stop()
	if l.script.resumable() && broke.Kind != gateway.Canceled {
		if l.next = l.attempt.sys.resume(l, broke); l.next != nil {
			*c, l.err = l.next.Next()
			return l.err
		}
	}
	l.err = broke
	return broke
}

// Close ends the call; an answer that was not read to its end is booked as cut.
func (l *live) Close() error {
	left := gateway.Errorf(gateway.Canceled, "the client left")
	l.attempt.cancel(left) // frees a Next that is waiting
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.leave()
	if l.next != nil {
		l.next.Close()
	}
	if l.err == nil {
		l.err = left
		l.attempt.end(&l.tally, left, true, nil)
	}
	l.stop()
	return nil
}

// leave: what comes now cannot be ended any more.
func (l *live) leave() {
	if j := l.attempt.job; j.parent == nil {
		l.attempt.sys.crowd.leave(j)
	}
}

// lose ends an attempt that does not have the client, and tells the router why.
func (l *live) lose(err error) {
	e := asError(err)
	l.stop()
	l.attempt.finish(&l.tally, e, false)
	l.attempt.failed(e)
}

func (l *live) stop() {
	l.closed.Do(func() {
		l.calm()
		l.stream.Close()
		l.attempt.sys.gaps.add(l.attempt.model, time.Now(), l.gap.short, l.gap.long)
		l.attempt.cancel(nil)
	})
}

func asError(err error) *gateway.Error {
	var e *gateway.Error
	if errors.As(err, &e) {
		return e
	}
	return &gateway.Error{Kind: gateway.Internal, Message: "unclassified failure", Err: err}
}
