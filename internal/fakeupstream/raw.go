package fakeupstream

import (
	"bytes"
	"io"
	"net/http"
	"strings"
)

// Raw is an answer given byte for byte.
type Raw struct {
	Status int // 0: 200
	Header http.Header
	Body   []byte
	CutAt  int // the connection breaks after this many bytes; 0: it does not
	Piece  int // bytes in each write; 0: all in one
}

// ServeRaw answers every request from now on with these bytes, whatever it asks. A
// positive cutAt breaks the connection after that many. The status 0 ends it.
func (s *Server) ServeRaw(status int, header http.Header, body []byte, cutAt int) {
	if status == 0 {
		s.raw.Store(nil)
		return
	}
	s.raw.Store(&Raw{Status: status, Header: header, Body: body, CutAt: cutAt})
}

// replay gives a raw answer.
func (p *play) replay(raw *Raw) {
	for name, values := range raw.Header {
		p.w.Header()[name] = values
	}
	p.bill.Status = raw.Status
	if raw.Status == 0 {
		p.bill.Status = http.StatusOK
	}
	p.w.WriteHeader(p.bill.Status)
	body := raw.Body
	cut := raw.CutAt > 0 && raw.CutAt < len(body)
	if cut {
		body = body[:raw.CutAt]
	}
	piece := raw.Piece
	if piece <= 0 {
		piece = max(1, len(body))
	}
	for len(body) > 0 {
		n := min(piece, len(body))
		if !p.write(body[:n]) || !p.pause(p.server.config.Gap) {
			return
		}
		body = body[n:]
	}
	if cut {
		p.write(nil)
		panic(http.ErrAbortHandler) // breaks the connection, and does not log
	}
}

// canned are answers made beforehand, for load: a server that gives them costs next to
// nothing itself.
type canned struct {
	frames []frame
	whole  []byte
	usage  Usage
}

func (s *Server) can() *canned {
	t := &talk{model: "canned", includeUsage: true, turns: []turn{{role: user, text: "canned"}}, question: "canned"}
	a := s.answerTo(t)
	return &canned{s.wire.frames(t, a), s.wire.whole(t, a), a.usage}
}

// chatCanned answers without looking at more of the request than whether to stream.
func chatCanned(s *Server, w http.ResponseWriter, r *http.Request) {
	number, _ := s.books.enter()
	defer s.books.leave()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyLimit))
	if err != nil {
		return
	}
	p := &play{server: s, w: w, r: r}
	if !p.pause(s.config.First.draw(s.config.Seed, number)) {
		return
	}
	if !cannedStreams(s.config.Kind, r, body) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(s.canned.whole) // the caller may have left
		return
	}
	w.Header().Set("Content-Type", s.wire.contentType())
	for i, f := range s.canned.frames {
		if i > 0 && f.part == content && !p.pause(s.config.Gap) || !p.write(f.data) {
			return
		}
	}
}

func cannedStreams(kind Kind, r *http.Request, body []byte) bool {
	says := func(value string) bool {
		return bytes.Contains(body, []byte(`"stream":`+value)) || bytes.Contains(body, []byte(`"stream": `+value))
	}
	switch kind {
	case Gemini:
		return strings.Contains(r.URL.Path, ":stream")
	case Ollama:
		return !says("false")
	}
	return says("true")
}
