package fakeupstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// bodyLimit is far above what any test sends.
const bodyLimit = 64 << 20

// Server is one simulated provider. It is an http.Handler too, for who brings a
// listener of their own.
type Server struct {
	config Config
	wire   wire
	books  *books
	window window
	raw    atomic.Pointer[Raw]
	canned *canned // nil unless configured

	mu       sync.Mutex
	closing  bool
	handlers sync.WaitGroup // added to under mu, and not once closing

	listener net.Listener
	http     *http.Server
	served   chan struct{}
}

// New makes a server that does not listen.
func New(c Config) (*Server, error) {
	speak, known := wires[c.Kind]
	if !known {
		return nil, fmt.Errorf("no format for %v", c.Kind)
	}
	s := &Server{config: c, wire: speak, books: newBooks()}
	if c.Canned {
		s.canned = s.can()
	}
	return s, nil
}

// Start makes a server and lets it listen. Close ends it.
func Start(c Config) (*Server, error) {
	s, err := New(c)
	if err != nil {
		return nil, err
	}
	if c.Addr == "" {
		c.Addr = "127.0.0.1:0"
	}
	s.listener, err = (&net.ListenConfig{}).Listen(context.Background(), "tcp", c.Addr)
	if err != nil {
		return nil, err
	}
	s.http = &http.Server{
		Handler: s, ReadHeaderTimeout: time.Minute,
		ErrorLog: log.New(io.Discard, "", 0), // faults break connections on purpose
	}
	s.served = make(chan struct{})
	go func() { // ends with Close
		defer close(s.served)
		_ = s.http.Serve(s.listener)
	}()
	return s, nil
}

// URL is the address without a path, such as http://127.0.0.1:41234.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// Base is the address as providers.json wants it for the kind.
func (s *Server) Base() string {
	switch s.config.Kind {
	case OpenAI, OpenAIResponses:
		return s.URL() + "/v1"
	case Gemini:
		return s.URL() + "/v1beta"
	}
	return s.URL()
}

// Close breaks all connections and waits until the last handler has returned.
func (s *Server) Close() error {
	var err error
	if s.http != nil {
		err = s.http.Close()
		<-s.served
	}
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	s.handlers.Wait()
	return err
}

// open counts a handler in, unless the server is closing.
func (s *Server) open() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing {
		s.handlers.Add(1)
	}
	return !s.closing
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.open() {
		return
	}
	defer s.handlers.Done()
	route := s.wire.route(r)
	switch {
	case route == nil:
		s.refuse(w, refusal{status: http.StatusNotFound, code: "not_found", message: "no such path: " + r.Method + " " + r.URL.Path})
	case !s.admits(r):
		s.refuse(w, wrongKey)
	default:
		route(s, w, r)
	}
}

func (s *Server) admits(r *http.Request) bool {
	return s.config.Key == "" || s.wire.key(r) == s.config.Key
}

// refuse answers with an error in the provider's own form, and gives its status.
func (s *Server) refuse(w http.ResponseWriter, no refusal) int {
	no = s.wire.adjust(no)
	w.Header().Set("Content-Type", "application/json")
	if no.retryAfter > 0 && s.config.Kind != Gemini { // Gemini says it in the body alone
		w.Header().Set("Retry-After", fmt.Sprint(int(no.retryAfter.Seconds())))
	}
	w.WriteHeader(no.status)
	_, _ = w.Write(s.wire.refusal(no)) // the caller may have left
	return no.status
}

// listModels answers with the list of models.
func listModels(s *Server, w http.ResponseWriter, _ *http.Request) {
	models := s.config.Models
	if len(models) == 0 {
		models = []string{s.config.Kind.String() + "-model"}
	}
	writeJSON(w, s.wire.models(models))
}

// chat reads a request for an answer, decides what to do with it and does it.
func chat(s *Server, w http.ResponseWriter, r *http.Request) {
	if s.canned != nil {
		chatCanned(s, w, r)
		return
	}
	if s.config.Weather != nil {
		s.config.Weather.serve(w, r)
		return
	}
	number, inFlight := s.books.enter()
	defer s.books.leave()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyLimit))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			s.refuse(w, refusal{status: http.StatusRequestEntityTooLarge, code: "request_too_large", message: "too large"})
		}
		return
	}
	talk, no := s.wire.read(s.config, r, body)
	if no == nil {
		no = talk.check(s.config)
	}
	p := &play{server: s, w: w, r: r, talk: talk, bill: Bill{Number: number}}
	if talk != nil {
		p.bill.Model, p.bill.ID = talk.model, talk.id()
	}
	p.begin()
	defer p.end()
	if raw := s.raw.Load(); raw != nil {
		p.replay(raw)
		return
	}
	if no == nil {
		no = p.limit(inFlight)
	}
	if no != nil {
		p.refuse(*no)
		return
	}
	p.step = s.stepFor(number, p.bill.ID, talk)
	p.run()
}

// stepFor asks the script, then the markers.
func (s *Server) stepFor(number int, id string, talk *talk) Step {
	var step Step
	if s.config.Script != nil {
		step = s.config.Script(Seen{
			Number: number, ID: id, Model: talk.model, Prompt: talk.question, Stream: talk.stream,
			Tools: talk.tools, Done: talk.done(),
		})
	}
	if step.Fault == None && s.config.AllowMarkers {
		step.Fault = markedFault(talk.question)
	}
	return step
}
