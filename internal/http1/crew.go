package http1

import "sync"

// crew are the goroutines that serve connections. A connection whose request waits at the door
// needs none; its goroutine serves another one that is called in meanwhile. A new one would
// have to grow its stack first, and the collector would look through the stacks of all who
// wait (docs/performance.md has what that gave).
type crew struct {
	mu      sync.Mutex
	waiting int          // connections at the door
	spare   []chan *conn // the goroutines that nobody needs just now, the last one first
}

// mostSpare is how many goroutines without a connection stay. Where a process is kept from its
// processor for some ten milliseconds at a time, some hundred requests come at once, and as
// many are called in at the next look: with 64, most goroutines ended and others began.
const mostSpare = 512

// serve serves a connection and then those that are called, until there is none.
func (w *crew) serve(c *conn) {
	given := make(chan *conn, 1)
	for c != nil {
		c.serve()
		if !w.stays(given) {
			return
		}
		c = <-given
	}
}

// stays makes a goroutine a spare one, if one may be needed soon. A connection is given to it
// then, or nil, at the latest when nobody waits any more.
func (w *crew) stays(given chan *conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	stays := w.waiting > 0 && len(w.spare) < mostSpare
	if stays {
		w.spare = append(w.spare, given)
	}
	return stays
}

// waits says that a connection is at the door.
func (w *crew) waits() {
	w.mu.Lock()
	w.waiting++
	w.mu.Unlock()
}

// call has a connection served that was at the door. It may come before its waits.
func (w *crew) call(c *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting--
	if last := len(w.spare) - 1; last >= 0 {
		w.spare[last] <- c
		w.spare = w.spare[:last]
	} else {
		go w.serve(c) // ends with its connection, or as a spare one
	}
	if w.waiting > 0 {
		return
	}
	for _, given := range w.spare {
		given <- nil
	}
	w.spare = w.spare[:0]
}
