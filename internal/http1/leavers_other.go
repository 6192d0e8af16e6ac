//go:build !linux

package http1

import (
	"sync"
	"syscall"
	"time"
)

// leavers tells of clients that have closed their connection, or their side of it, while
// nobody reads from it, by looking at each connection from time to time.
type leavers struct {
	mu    sync.Mutex
	conns map[*conn]struct{}
	stop  chan struct{}
}

// peekEvery is how soon a client that left is noticed.
const peekEvery = 50 * time.Millisecond

func (l *leavers) open() error {
	l.conns, l.stop = map[*conn]struct{}{}, make(chan struct{})
	return nil
}

func (l *leavers) watch(c *conn) error {
	l.mu.Lock()
	l.conns[c] = struct{}{}
	l.mu.Unlock()
	return nil
}

func (l *leavers) forget(c *conn) {
	l.mu.Lock()
	delete(l.conns, c)
	l.mu.Unlock()
}

func (l *leavers) run() {
	t := time.NewTicker(peekEvery)
	defer t.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-t.C:
		}
		l.mu.Lock()
		for c := range l.conns {
			if c.cancel.Load() != nil && hungUp(c) {
				c.gone.Store(true)
				c.left()
			}
		}
		l.mu.Unlock()
	}
}

func hungUp(c *conn) bool {
	up := false
	err := c.raw.Control(func(fd uintptr) {
		var one [1]byte
		n, err := peek(fd, one[:])
		up = n == 0 && err == nil || err != nil && err != syscall.EAGAIN && err != syscall.EINTR
	})
	return up || err != nil
}

func (l *leavers) close() { close(l.stop) }
