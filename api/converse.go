package api

import (
	"net/http"
	"strconv"
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
		c.Data(http.StatusOK, "application/json", d.answer(req, answer))
	}
}

// request0 begins a request: its id, key and the options of its headers.
func (s *Server) request0(c *gin.Context) (*gateway.Request, *gateway.Error) {
	ev := event(c)
	o, err := options(c.Request.Header)
	req := &gateway.Request{ID: ev.id, Begun: ev.begun, Options: o}
	if err == nil {
		req.Tags, err = readTags(c.GetHeader("x-gateway-tags"))
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

func answerHeaders(c *gin.Context, a *gateway.Answer) {
	h := c.Writer.Header()
	h["X-Gateway-Provider"] = []string{a.Provider}
	h["X-Gateway-Model"] = []string{a.Model}
	h["X-Gateway-Attempts"] = []string{strconv.Itoa(a.Attempts)}
	h["X-Gateway-Hedged"] = []string{strconv.FormatBool(a.Hedged)}
	if a.HasCost {
		h["X-Gateway-Cost-Microcents"] = []string{strconv.FormatInt(int64(a.Cost), 10)}
		if a.Estimated {
			h["X-Gateway-Cost-Estimated"] = []string{"true"}
		}
	}
}
