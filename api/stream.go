package api

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"gateway"
)

// sse writes one event stream. Every write is under its lock, because the comments
// that keep a silent stream alive come from a timer.
type sse struct {
	c     *gin.Context
	rc    *http.ResponseController
	wait  time.Duration
	every time.Duration
	form  *dialect

	mu    sync.Mutex
	open  bool // headers are written
	spoke bool // events are written
	ended bool
	err   error
	buf   []byte // written and not yet sent
	timer *time.Timer
	late  *time.Timer // sends buf if the next chunk is not as near as it seemed
	sent  time.Time   // when something was sent last
	bound time.Time   // a write may take until then
}

// A burst of chunks is sent together: up to so many bytes, and none of it later than
// this, should the provider not have been as far as it looked.
const (
	burstBytes = 4 << 10
	burstWait  = 2 * time.Millisecond
)

// newSSE makes a stream that is still closed: nothing is written until Open or until
// the client has waited so long that it must hear something.
func newSSE(c *gin.Context, every, wait time.Duration, form *dialect) *sse {
	s := &sse{c: c, rc: http.NewResponseController(c.Writer), wait: wait, every: every, form: form, sent: time.Now(), buf: make([]byte, 0, 512)}
	s.timer = time.AfterFunc(every, s.comment) // stopped by end
	s.late = time.AfterFunc(time.Hour, s.sendLate)
	s.late.Stop()
	return s
}

// start writes the headers, once. The lock is held.
func (s *sse) start() {
	if s.open {
		return
	}
	s.open = true
	h := s.c.Writer.Header()
	h["Content-Type"] = []string{or(s.form.media, "text/event-stream")}
	h["Cache-Control"] = []string{"no-cache"}
	h["X-Accel-Buffering"] = []string{"no"}
	s.c.Writer.WriteHeader(http.StatusOK)
}

// comment keeps a silent stream open. The timer is not moved with each chunk: when it
// fires it looks how long the silence is, and comes again when that is long enough.
func (s *sse) comment() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	if silent := time.Since(s.sent); silent < s.every {
		s.timer.Reset(s.every - silent)
		return
	}
	s.start()
	if s.spoke {
		s.buf = append(s.buf, s.form.alive...)
	} else {
		s.buf = append(s.buf, or(s.form.silence, ": keep-alive\n\n")...)
	}
	s.flush()
	s.timer.Reset(s.every)
}

func (s *sse) sendLate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.flush()
	}
}

// flush sends what is written. The lock is held.
func (s *sse) flush() {
	if s.err == nil && len(s.buf) > 0 {
		s.sent = time.Now()
		s.deadline()
		if _, s.err = s.c.Writer.Write(s.buf); s.err == nil {
			s.err = s.rc.Flush()
		}
	}
	s.buf = s.buf[:0]
}

// deadline bounds the next write. It is moved when a twentieth of it has passed, not with
// each write. The lock is held.
func (s *sse) deadline() {
	if s.bound.Sub(s.sent) < s.wait {
		s.bound = s.sent.Add(s.wait + s.wait/20)
		s.rc.SetWriteDeadline(s.bound)
	}
}

// send writes what fill appends, at once unless more follows without waiting. It
// returns the client's failure to read.
func (s *sse) send(more bool, fill func(b []byte) []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.start()
	s.spoke = true
	first := len(s.buf) == 0
	s.buf = fill(s.buf)
	if more && len(s.buf) < burstBytes {
		if first {
			s.late.Reset(burstWait)
		}
		return s.err
	}
	s.flush()
	return s.err
}

// end stops the comments; it says whether the headers had been written.
func (s *sse) end() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.timer.Stop()
	s.late.Stop()
	return s.open
}

// begun says whether the status line is gone.
func (s *sse) begun() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// stream answers a streaming client. Nothing goes out before there is content,
// unless the client has waited so long that a comment had to keep the line open.
func (s *Server) stream(c *gin.Context, d *dialect, req *gateway.Request) {
	out := newSSE(c, s.cfg.KeepAlive, s.cfg.WriteWait, d)
	defer out.end() // after a panic too: c is another client's soon, and the comments would be his
	answer, err := s.route(c, req)
	if err != nil {
		if !out.end() {
			s.fail(c, err)
			return
		}
		s.inBand(c, out, d.events(req, nil), err, nil)
		return
	}
	defer answer.Stream.Close()
	defer out.end() // closing may take its time
	ev := event(c)
	ev.answer = answer
	out.mu.Lock()
	if !out.open {
		answerHeaders(c, answer)
		d.called(c.Writer.Header(), answer.CallID, protocolOf(answer).Passes(req))
	}
	out.mu.Unlock()
	s.relay(c, out, d.events(req, answer), req, answer)
}

// relay copies the winner's chunks to the client. A broken stream is never ended
// quietly: it gets an error and no mark of a whole answer.
func (s *Server) relay(c *gin.Context, out *sse, w eventWriter, req *gateway.Request, answer *gateway.Answer) {
	r := &relaying{s: s, c: c, ev: event(c), out: out, w: w, req: req, answer: answer}
	r.buffered, _ = answer.Stream.(gateway.Buffered)
	r.write = func(b []byte) []byte { return w.chunk(b, &r.chunk) }
	wait := func() {}
	if waiter, ok := answer.Stream.(gateway.Waiter); ok {
		wait = waiter.Wait
	}
	for r.step() {
		if !r.more {
			wait() // here and not in Next: what lies on the stack meanwhile is what an open stream costs
		}
	}
}

// relaying is one stream on its way to the client.
type relaying struct {
	s        *Server
	c        *gin.Context
	ev       *wide
	out      *sse
	w        eventWriter
	req      *gateway.Request
	answer   *gateway.Answer
	buffered gateway.Buffered

	chunk gateway.Chunk // one for all: each would be an allocation of its own
	usage gateway.Usage // likewise
	write func(b []byte) []byte
	more  bool // the next chunk is at hand
}

// step copies one chunk; false ends the stream.
func (r *relaying) step() bool {
	var err error
	if r.chunk, err = r.answer.Stream.Next(); err != nil {
		r.s.close(r.c, r.out, r.w, r.req, r.answer, err)
		return false
	}
	if r.ev.first == 0 && r.chunk.HasContent() {
		r.ev.first = time.Since(r.ev.begun)
	}
	if r.chunk.Usage != nil {
		r.usage = *r.chunk.Usage
		r.ev.usage = &r.usage
	}
	r.more = r.buffered != nil && r.buffered.Buffered()
	if r.w.silent(&r.chunk) {
		return true
	}
	if r.out.send(r.more, r.write) != nil {
		r.s.gone(r.c)
		return false
	}
	return true
}

// close ends the client's stream as the winner's ended.
func (s *Server) close(c *gin.Context, out *sse, w eventWriter, req *gateway.Request, answer *gateway.Answer, err error) {
	ev := event(c)
	s.total(ev, answer)
	if errors.Is(err, io.EOF) {
		out.send(false, func(b []byte) []byte { return w.end(b, ev.usage, receiptOf(req, answer)) })
		return
	}
	var notes []gateway.AttemptNote
	if answer.Receipt != nil {
		notes = answer.Receipt()
	}
	s.inBand(c, out, w, s.orCause(c, err), notes)
}

func receiptOf(req *gateway.Request, a *gateway.Answer) []gateway.AttemptNote {
	if !req.Options.Receipt || a.Receipt == nil {
		return nil
	}
	return a.Receipt()
}

func (s *Server) total(ev *wide, a *gateway.Answer) {
	if a.Receipt == nil {
		return
	}
	ev.cost = 0
	for _, n := range a.Receipt() {
		ev.cost += n.Cost
	}
}

// inBand tells a client of a failure after the status line is gone.
func (s *Server) inBand(c *gin.Context, out *sse, w eventWriter, err error, notes []gateway.AttemptNote) {
	p := problemOf(err)
	if p.tries == nil {
		p.tries = failedOnly(notes)
	}
	ev := event(c)
	ev.kind, ev.err = p.err.Kind, p.err
	if p.err.Kind != gateway.Canceled {
		out.send(false, func(b []byte) []byte { return w.fail(b, &p) })
	}
}

// failedOnly leaves out attempts that were cut because another was better.
func failedOnly(notes []gateway.AttemptNote) []gateway.AttemptNote {
	var out []gateway.AttemptNote
	for _, n := range notes {
		if n.Outcome != "ok" && n.Outcome != gateway.Canceled.String() {
			out = append(out, n)
		}
	}
	return out
}

// gone notes that the client did not take what was written.
func (s *Server) gone(c *gin.Context) {
	ev := event(c)
	ev.kind, ev.err = gateway.Canceled, gateway.Errorf(gateway.Canceled, "the client left")
}
