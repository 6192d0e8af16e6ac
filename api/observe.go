package api

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"gateway"
)

// wide is all that the edge knows of one request, for its one log line at the end. It is
// the request's Writer too, so that handlers find it there.
type wide struct {
	gin.ResponseWriter
	ctx        context.Context // that ends with what bounds the request; nil: the connection's
	id, client string          // ours, and the client's own request id
	key        string
	sent       []byte   // the body, to leave it out of what is logged
	caller     *caller  // nil: nobody was asked for a key
	running    *running // nil as caller is, and on routes that spend nothing
	count      running  // what it points to
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
	hold       hold // of the memory budget
	quiet      bool // no line of its own

	values [headersOwn]string // of headers; see header
	used   int
}

// headersOwn is how many values of headers a request has room for.
const headersOwn = 8

// header sets a header of the answer. name is as it goes over the wire.
func (ev *wide) header(name, value string) {
	if ev.used == headersOwn {
		ev.Header()[name] = []string{value}
		return
	}
	ev.values[ev.used] = value
	ev.Header()[name] = ev.values[ev.used : ev.used+1 : ev.used+1]
	ev.used++
}

// Unwrap is for http.ResponseController.
func (ev *wide) Unwrap() http.ResponseWriter { return ev.ResponseWriter }

// end lets go of what bounded the request. Middlewares leave it to this rather than to a
// defer of their own: their frames would lie on the stack of every open stream.
func (ev *wide) end() {
	if ev.running != nil {
		ev.caller.settle(ev)
		ev.caller.leave(ev.running)
		ev.running.cancel(nil)
	}
	ev.hold.release()
	for _, end := range ev.ends {
		end()
	}
}

func event(c *gin.Context) *wide { return c.Writer.(*wide) }

// contextOf ends with the request, which may be before its connection does.
func contextOf(c *gin.Context) context.Context {
	if ctx := event(c).ctx; ctx != nil {
		return ctx
	}
	return c.Request.Context()
}

// saneID says whether a text may be an id: up to 128 letters, digits, dots, dashes and
// underscores.
func saneID(id string) bool {
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return id != "" && len(id) <= 128
}

// newID makes a version 7 UUID (RFC 9562), whose order is that of time: the twelve bits after
// the milliseconds are the rest of the time. Nothing depends on nobody guessing it.
func newID(now time.Time) string {
	ns := uint64(now.UnixNano())
	const ms = uint64(time.Millisecond)
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:], ns/ms<<16|7<<12|ns%ms<<12/ms)
	binary.BigEndian.PutUint64(id[8:], rand.Uint64()>>2|1<<63)
	return id.String()
}

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
	now := time.Now()
	ev := &wide{ResponseWriter: c.Writer, id: newID(now), begun: now}
	if own := c.GetHeader("X-Request-Id"); saneID(own) {
		ev.client = own
	}
	c.Writer = ev
	ev.header("X-Gateway-Request-Id", ev.id)
	ev.header("X-Request-Id", or(ev.client, ev.id))
	if name := dialectOf(c.Request).idHeader; name != "" {
		ev.header(name, ev.id)
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
	// Not by the Logger, which looks up who called it: that is nobody's question here.
	r := slog.NewRecord(time.Now(), level, "request", 0)
	r.AddAttrs(attrs...)
	_ = s.log.Handler().Handle(c.Request.Context(), r) // as the Logger does
}
