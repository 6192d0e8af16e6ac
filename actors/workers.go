package actors

import (
	"sync"
	"time"
)

// workers do short work on goroutines that stay. A new goroutine begins with a small
// stack and has to grow it, copying it each time, to what a walk or a call to a provider
// needs; one that has done such work before has it. It is the dispatcher of the actors'
// mailboxes and runs the attempts.
type workers struct {
	mu     sync.Mutex
	idle   []chan func() // the last to rest is the first to work: its stack is the warmest
	unused int           // so many of them, the first in idle, have rested since the last look
	look   *time.Timer   // nil before the first rests
	due    bool          // it is on its way
	over   bool
}

const (
	idleMost = 64               // rest at most; more only end and are made again
	restTime = 10 * time.Second // whoever rests from one look to the next was not needed, and ends
)

// do runs work on a goroutine of its own.
func (w *workers) do(work func()) {
	w.mu.Lock()
	if n := len(w.idle); n > 0 {
		next := w.idle[n-1]
		w.idle = w.idle[:n-1]
		w.unused = min(w.unused, n-1)
		w.mu.Unlock()
		next <- work // has room: who rests has taken what it had
		return
	}
	w.mu.Unlock()
	go w.run(work) // ends when there is nobody to work for, or too many rest
}

func (w *workers) run(work func()) {
	next := make(chan func(), 1)
	for work != nil {
		work()
		if !w.rest(next) {
			return
		}
		work = <-next // nil at the end
	}
}

func (w *workers) rest(next chan func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over || len(w.idle) == idleMost {
		return false
	}
	w.idle = append(w.idle, next)
	if !w.due {
		w.lookLater()
	}
	return true
}

// lookLater comes back for those that rest now. The lock is held.
func (w *workers) lookLater() {
	w.unused, w.due = len(w.idle), true
	if w.look == nil {
		w.look = time.AfterFunc(restTime, w.release) // stopped by end
		return
	}
	w.look.Reset(restTime)
}

// release lets those go that were not needed since the last look: after a rush, the stacks
// that it took are given back.
func (w *workers) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, next := range w.idle[:w.unused] {
		close(next)
	}
	n := copy(w.idle, w.idle[w.unused:])
	clear(w.idle[n:])
	w.idle, w.due = w.idle[:n], false
	if n > 0 {
		w.lookLater()
	}
}

// end lets those go that rest; who works ends after it.
func (w *workers) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	if w.look != nil {
		w.look.Stop()
	}
	for _, next := range w.idle {
		close(next)
	}
	w.idle, w.unused = nil, 0 // a look that was under way finds nobody
}

// Schedule implements actor.Dispatcher.
func (w *workers) Schedule(run func()) { w.do(run) }

// Throughput implements actor.Dispatcher: how many messages a mailbox handles before
// others may run, as Proto.Actor's own dispatcher has it.
func (w *workers) Throughput() int { return 300 }
