package actors

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gateway"
	"gateway/route"
)

// job is one request in flight. The router owns walk, out and wake; the rest is set
// before the job is sent, or guarded as said.
type job struct {
	ctx   context.Context
	req   *gateway.Request
	rules route.Rules
	cands []route.Candidate
	begun time.Time

	waited bool  // for room in its budgets; the ledger actor's own
	maker  maker // of the state of its tool loop

	prefill string // what a broken stream had already sent; set on the job that resumes it

	walk    *route.Walk
	out     []*attempt // attempts that have not ended, as the router sees it
	wake    time.Time
	heapPos int // in the router's timetable; -1 when absent

	winner *attempt // the router's: whom the walk committed to

	// lent is the attempt that the goroutine which waits for the answer makes itself, if one
	// left before it began to wait; nobody, when it does.
	lent atomic.Pointer[attempt]

	state atomic.Uint32 // waiting, answered, left
	told  result        // what reply announces
	reply chan struct{} // capacity 1

	parent *job // of a resumed stream: where costs and notes go

	mu    sync.Mutex
	notes []gateway.AttemptNote // of attempts that ended
	cost  gateway.Microcents
	guess bool     // some of cost is estimated
	room  struct { // what out and notes begin with: most requests need no more
		out   [2]*attempt
		notes [1]gateway.AttemptNote
	}
	open  int           // attempts that have left and have not ended
	quiet chan struct{} // closed when open falls to 0; nil while nobody waits for that
}

const (
	waiting uint32 = iota
	answered
	left
)

type result struct {
	answer *gateway.Answer
	err    *gateway.Error
}

// deliver gives the client its one result; false when the client has left.
func (j *job) deliver(r result) bool {
	if !j.state.CompareAndSwap(waiting, answered) {
		return false
	}
	j.told = r
	j.reply <- struct{}{}
	return true
}

// nobody stands for the attempt that is not lent any more.
var nobody = new(attempt)

// lend gives an attempt to the goroutine that sent the request, which has nothing else to
// do: its stack is grown, and no other has to be woken for the call nor for the answer.
// false if it waits already, or has another.
func (j *job) lend(a *attempt) bool { return j.lent.CompareAndSwap(nil, a) }

// borrow is the attempt that was lent; nil if there is none. No other will be.
func (j *job) borrow() *attempt { return j.lent.Swap(nobody) }

// leave marks the client as gone; false when a result is already in reply.
func (j *job) leave() bool { return j.state.CompareAndSwap(waiting, left) }

func (j *job) note(n gateway.AttemptNote) {
	if j.parent != nil {
		j.parent.note(n)
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.notes == nil {
		j.notes = j.room.notes[:0]
	}
	j.notes = append(j.notes, n)
	j.cost += n.Cost
	j.guess = j.guess || n.Estimated
	if j.open--; j.open == 0 && j.quiet != nil {
		close(j.quiet)
		j.quiet = nil
	}
}

// departs counts an attempt that leaves.
func (j *job) departs() {
	if j.parent != nil {
		j.parent.departs()
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.open++
}

// loserWait bounds how long an answer waits for the attempts that it beat to be
// booked: they are cut at once, and their cost belongs to the request's.
const loserWait = 50 * time.Millisecond

// settle waits until every attempt has ended, or loserWait.
func (j *job) settle() {
	if j.parent != nil {
		j.parent.settle()
		return
	}
	j.mu.Lock()
	if j.open <= 0 {
		j.mu.Unlock()
		return
	}
	if j.quiet == nil {
		j.quiet = make(chan struct{})
	}
	quiet := j.quiet
	j.mu.Unlock()
	late := time.NewTimer(loserWait)
	defer late.Stop()
	select {
	case <-quiet:
	case <-late.C:
	}
}

func (j *job) receipt() []gateway.AttemptNote {
	if j.parent != nil {
		return j.parent.receipt()
	}
	j.settle()
	j.mu.Lock()
	defer j.mu.Unlock()
	notes := slices.Clone(j.notes)
	slices.SortStableFunc(notes, func(a, b gateway.AttemptNote) int { return a.Attempt - b.Attempt }) // they came in as they ended
	return notes
}

func (j *job) spent() (gateway.Microcents, bool) {
	j.settle()
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.cost, j.guess
}

// messages of the router
type (
	begin   struct{ job *job }
	gone    struct{ job *job }
	tick    struct{}
	drain   struct{}
	refused struct {
		attempt *attempt
		err     *gateway.Error
	}
	departed struct{ attempt *attempt } // admitted, and the call has left
	content  struct{ attempt *attempt }
	whole    struct{ attempt *attempt }
	failed   struct {
		attempt *attempt
		err     *gateway.Error
	}
	askStatus struct{ reply chan []gateway.ProviderStatus }
)
