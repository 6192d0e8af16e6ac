package api

import (
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"gateway"
)

// wide is the one log line of a request.
type wide struct {
	id, client string // ours, and the client's own request id
	key        string
	sent       []byte   // the body, to leave it out of what is logged
	caller     *caller  // nil: nobody was asked for a key
	running    *running // nil as caller is, and on routes that spend nothing
	charged    int      // tokens taken from the key's limit
	begun      time.Time
	model      string // as asked
	stream     bool
	answer     *gateway.Answer
	first      time.Duration // first byte of content to the client
	usage      *gateway.Usage
	cost       gateway.Microcents
	kind       gateway.Kind
	err        *gateway.Error
	ends       []func()
	hold       hold  // of the memory budget
	gate       *gate // that let it in
	quiet      bool  // no line of its own
}

// end lets go of what bounded the request. Middlewares leave it to this rather than to a
// defer of their own: their frames would lie on the stack of every open stream.
func (ev *wide) end() {
	if ev.running != nil {
		ev.caller.settle(ev)
		ev.caller.leave(ev.running)
		ev.running.cancel(nil)
	}
	ev.hold.release()
	if ev.gate != nil {
		ev.gate.ended()
	}
	for _, end := range ev.ends {
		end()
	}
}

const eventKey = "event"

func event(c *gin.Context) *wide { return c.MustGet(eventKey).(*wide) }

var saneID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)

// observe catches the panics of a request and writes its one line.
func (s *Server) observe(c *gin.Context) {
	ev := s.noted(c)
	defer s.line(c, ev)
	defer ev.end()
	defer s.recovered(c, ev)
	c.Next()
}

// noted gives the request its id.
func (s *Server) noted(c *gin.Context) *wide {
	id, err := uuid.NewV7()
	if err != nil {
		id = uuid.New()
	}
	ev := &wide{id: id.String(), begun: time.Now()}
	if own := c.GetHeader("x-request-id"); saneID.MatchString(own) {
		ev.client = own
	}
	c.Set(eventKey, ev)
	h := c.Writer.Header()
	named := []string{ev.id}
	h["X-Gateway-Request-Id"] = named
	h["X-Request-Id"] = named
	h["Request-Id"] = named // Anthropic's name
	if ev.client != "" {
		h["X-Request-Id"] = []string{ev.client}
	}
	return ev
}

// recovered turns a panic into a 500, or cuts the connection if bytes have gone out: a
// clean end would pass a cut answer off as a whole one.
func (s *Server) recovered(c *gin.Context, ev *wide) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler {
		panic(p)
	}
	s.log.Error("handler panicked", "request", ev.id, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	if c.Writer.Written() {
		panic(http.ErrAbortHandler)
	}
	s.fail(c, gateway.Errorf(gateway.Internal, ""))
}

func (s *Server) line(c *gin.Context, ev *wide) {
	level := slog.LevelInfo
	status := c.Writer.Status()
	if status >= 500 {
		level = slog.LevelWarn
	}
	if ev.quiet || !s.log.Enabled(c.Request.Context(), level) {
		return
	}
	attrs := make([]slog.Attr, 0, 20)
	attrs = append(attrs, slog.String("request", ev.id), slog.String("method", c.Request.Method), slog.String("route", c.FullPath()),
		slog.Int("status", status), slog.Duration("took", time.Since(ev.begun)))
	for _, a := range []slog.Attr{slog.String("client_request", ev.client), slog.String("key", ev.key)} {
		if a.Value.String() != "" {
			attrs = append(attrs, a)
		}
	}
	if a := ev.answer; a != nil {
		attrs = append(attrs, slog.String("provider", a.Provider), slog.String("model", a.Model), slog.Int("attempts", a.Attempts),
			slog.Bool("hedged", a.Hedged), slog.Bool("stream", ev.stream), slog.Duration("ttft", ev.first))
		if a.CallID != "" {
			attrs = append(attrs, slog.String("provider_request", a.CallID))
		}
		if ev.usage != nil {
			attrs = append(attrs, slog.Int("prompt_tokens", ev.usage.Prompt()), slog.Int("completion_tokens", ev.usage.Output))
		}
		attrs = append(attrs, slog.Int64("cost_microcents", int64(ev.cost)))
	}
	if ev.err != nil {
		attrs = append(attrs, slog.String("kind", ev.kind.String()), slog.String("err", scrub(ev.err.Error(), ev.sent)))
		for _, n := range ev.err.Attempts {
			attrs = append(attrs, slog.String("attempt_"+n.Provider, n.Outcome))
		}
	}
	s.log.LogAttrs(c.Request.Context(), level, "request", attrs...)
}
