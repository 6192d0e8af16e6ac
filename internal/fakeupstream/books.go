package fakeupstream

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Usage is what a request is charged for, in tokens.
type Usage struct {
	Prompt    int // all of the prompt, Cached included
	Cached    int
	Output    int // all of the output, Reasoning included
	Reasoning int
}

// Bill is what a provider would charge for one request.
type Bill struct {
	Number int
	ID     string
	Model  string
	Status int // 0: there was no answer at all
	Fault  Fault
	Usage  Usage // of a cut stream: the prompt and the tokens sent by then
	Cut    bool  // the caller left before the end
}

// Moment is something that happens to a request.
type Moment uint8

// The moments a test may wait for.
const (
	Arrived Moment = iota // its body has been read
	Holding               // it stalls, as a fault wants it to
	Closed                // the caller left before the end
)

type mark struct {
	id     string
	moment Moment
}

// books remember what a server did. They grow with every request: a server is for a
// test or a demo, not for a year.
type books struct {
	mu       sync.Mutex
	bills    []Bill
	marks    map[mark]time.Time
	changed  chan struct{} // closed and replaced when a mark is added
	requests int
	inFlight int
	peak     int
}

func newBooks() *books {
	return &books{marks: map[mark]time.Time{}, changed: make(chan struct{})}
}

func (b *books) enter() (number, inFlight int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests++
	b.inFlight++
	b.peak = max(b.peak, b.inFlight)
	return b.requests, b.inFlight
}

func (b *books) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.inFlight--
}

func (b *books) charge(bill Bill) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bills = append(b.bills, bill)
}

func (b *books) note(id string, moment Moment, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.marks[mark{id, moment}] = at
	close(b.changed)
	b.changed = make(chan struct{})
}

// Bill gives what has been charged so far, in the order in which requests ended.
func (s *Server) Bill() []Bill {
	s.books.mu.Lock()
	defer s.books.mu.Unlock()
	return slices.Clone(s.books.bills)
}

// Closes says when the server saw the caller of each request leave before the end, by
// the id that its prompt carried.
func (s *Server) Closes() map[string]time.Time {
	s.books.mu.Lock()
	defer s.books.mu.Unlock()
	all := map[string]time.Time{}
	for m, at := range s.books.marks {
		if m.moment == Closed {
			all[m.id] = at
		}
	}
	return all
}

// Counts are the numbers of requests.
type Counts struct{ Requests, InFlight, Peak int }

// Counts gives the numbers of requests until now.
func (s *Server) Counts() Counts {
	s.books.mu.Lock()
	defer s.books.mu.Unlock()
	return Counts{s.books.requests, s.books.inFlight, s.books.peak}
}

// Await waits for a moment of the request whose prompt carries this id, and says when
// it was. The empty id stands for any request without one.
func (s *Server) Await(ctx context.Context, id string, moment Moment) (time.Time, error) {
	for {
		s.books.mu.Lock()
		at, is := s.books.marks[mark{id, moment}]
		changed := s.books.changed
		s.books.mu.Unlock()
		if is {
			return at, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		}
	}
}
