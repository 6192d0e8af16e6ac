package actors

import "sync"

// workers do short work on goroutines that stay. A new goroutine begins with a small
// stack and has to grow it, copying it each time, to what a walk or a call to a provider
// needs; one that has done such work before has it. It is the dispatcher of the actors'
// mailboxes and runs the attempts.
type workers struct {
	mu   sync.Mutex
	idle []chan func() // the last to rest is the first to work: its stack is the warmest
	over bool
}

// idleMost is how many rest at most; more only end and are made again.
const idleMost = 64

// do runs work on a goroutine of its own.
func (w *workers) do(work func()) {
	w.mu.Lock()
	if n := len(w.idle); n > 0 {
		next := w.idle[n-1]
		w.idle = w.idle[:n-1]
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
	return true
}

// end lets those go that rest; who works ends after it.
func (w *workers) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	for _, next := range w.idle {
		close(next)
	}
	w.idle = nil
}

// Schedule implements actor.Dispatcher.
func (w *workers) Schedule(run func()) { w.do(run) }

// Throughput implements actor.Dispatcher: how many messages a mailbox handles before
// others may run, as Proto.Actor's own dispatcher has it.
func (w *workers) Throughput() int { return 300 }
