package api

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"gateway"
)

// converse answers a chat request in the given format.
func (s *Server) converse(d *dialect) gin.HandlerFunc {
	return func(c *gin.Context) {
		req, err := s.request0(c)
		if err == nil {
			var raw []byte
			if raw, err = s.readBody(c); err == nil {
				err = d.scan(c.Request, raw, req)
			}
		}
		if err != nil {
			s.fail(c, err)
			return
		}
		ev := event(c)
		ev.model, ev.stream = req.Model, req.Stream
		if req.Stream {
			s.stream(c, d, req)
			return
		}
		answer, rerr := s.route(c, req)
		if rerr != nil {
			s.fail(c, rerr)
			return
		}
		s.noteWhole(c, answer, &answer.Completion.Usage)
		d.called(c.Writer.Header(), answer.CallID, protocolOf(answer).Passes(req))
		s.reply(c, d, req, answer)
	}
}

// bodies are for answers that are written here.
var bodies = sync.Pool{New: func() any { return new([]byte) }}

// bodyKept is the largest that is kept for the next answer.
const bodyKept = 64 << 10

// reply writes a whole answer.
func (s *Server) reply(c *gin.Context, d *dialect, req *gateway.Request, a *gateway.Answer) {
	room := bodies.Get().(*[]byte)
	body := d.answer((*room)[:0], req, a)
	sendJSON(c, http.StatusOK, body)
	if a.Completion.Body == nil && cap(body) <= bodyKept {
		*room = body // whoever writes it has done so, or made a copy
	}
	bodies.Put(room)
}

var jsonType = []string{"application/json"}

// unannounced is as much as net/http keeps back to find out its length by itself; what is
// longer would go out in chunks.
const unannounced = 2048

// sendJSON writes a whole body by one write.
func sendJSON(c *gin.Context, status int, body []byte) {
	ev := event(c)
	ev.Header()["Content-Type"] = jsonType
	if len(body) > unannounced {
		ev.header("Content-Length", strconv.Itoa(len(body)))
	}
	ev.WriteHeader(status)
	_, _ = ev.Write(body) // a client that is gone is seen elsewhere
}

// request0 begins a request: its id, key and the options of its headers.
func (s *Server) request0(c *gin.Context) (*gateway.Request, *gateway.Error) {
	ev := event(c)
	o, err := options(c.Request.Header)
	req := &gateway.Request{ID: ev.id, Begun: ev.begun, Options: o}
	if err == nil {
		req.Tags, err = readTags(c.GetHeader("X-Gateway-Tags"))
	}
	if err == nil {
		err = s.readRun(c.Request.Header, req)
	}
	if ev.caller != nil {
		ev.caller.sign(req)
	}
	return req, err
}

// noteWhole writes the headers and the log's facts of an answer that is whole.
func (s *Server) noteWhole(c *gin.Context, a *gateway.Answer, u *gateway.Usage) {
	ev := event(c)
	ev.answer, ev.usage, ev.cost, ev.first = a, u, a.Cost, time.Since(ev.begun)
	answerHeaders(c, a)
}

// answerHeaders tells of an answer. With the ids and the type a whole one has eight headers,
// which is what a map has room for at first.
func answerHeaders(c *gin.Context, a *gateway.Answer) {
	ev := event(c)
	ev.header("X-Gateway-Provider", a.Provider)
	ev.header("X-Gateway-Model", a.Model)
	ev.header("X-Gateway-Attempts", strconv.Itoa(a.Attempts))
	ev.header("X-Gateway-Hedged", strconv.FormatBool(a.Hedged))
	if a.HasCost {
		ev.header("X-Gateway-Cost-Microcents", strconv.FormatInt(int64(a.Cost), 10))
		if a.Estimated {
			ev.header("X-Gateway-Cost-Estimated", "true")
		}
	}
}
