package ledger

import (
	"context"
	"sync"
	"time"

	"gateway"
)

// Committer writes rows in groups: it takes what is queued, commits it, answers all,
// and repeats. Under load a group grows by itself, so no row waits on purpose.
// A group that cannot be written is kept and tried again until it can be: no row is
// lost while the process lives.
type Committer struct {
	store *Store

	mu     sync.Mutex
	queue  []pending
	failed error // of the last try; nil while all is well
	wake   chan struct{}
	stop   chan struct{}
	ended  chan struct{}
	once   sync.Once

	doubled int64
}

type pending struct {
	entry gateway.Entry
	done  func(error)
}

// How often a failed group is tried again, and the most rows of a group.
const (
	retryEvery = 250 * time.Millisecond
	groupMost  = 4096
)

// Start makes the one goroutine that writes; Stop ends it.
func Start(store *Store) *Committer {
	c := &Committer{store: store, wake: make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{})}
	go c.run() // ends with Stop
	return c
}

// Submit queues a row and returns at once. done is called once: with nil when the row
// is durable, with an error when it is not yet; such a row is still kept and retried.
func (c *Committer) Submit(entry gateway.Entry, done func(error)) {
	c.mu.Lock()
	c.queue = append(c.queue, pending{entry, done})
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Failing is why the last group could not be written; nil while all is well.
func (c *Committer) Failing() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed
}

// Doubled is how many rows were submitted a second time and changed nothing.
func (c *Committer) Doubled() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.doubled
}

// Stop writes what is queued and ends. Rows that cannot be written are reported by
// the error of the last try.
func (c *Committer) Stop() error {
	c.once.Do(func() { close(c.stop) })
	<-c.ended
	return c.Failing()
}

func (c *Committer) run() {
	defer close(c.ended)
	var kept []pending // a group that failed, already answered
	retry := time.NewTimer(time.Hour)
	defer retry.Stop()
	for {
		group := append(kept, c.take(groupMost-len(kept))...)
		if len(group) > 0 {
			kept = c.commit(group)
		}
		if len(kept) == 0 && c.more() {
			continue
		}
		if len(kept) > 0 {
			retry.Reset(retryEvery)
		}
		select {
		case <-c.wake:
		case <-retry.C:
		case <-c.stop:
			for group := append(kept, c.take(groupMost)...); len(group) > 0; group = c.take(groupMost) {
				if len(c.commit(group)) > 0 {
					return
				}
			}
			return
		}
	}
}

func (c *Committer) take(n int) []pending {
	c.mu.Lock()
	defer c.mu.Unlock()
	n = max(0, min(n, len(c.queue)))
	group := append([]pending(nil), c.queue[:n]...)
	c.queue = append(c.queue[:0], c.queue[n:]...)
	return group
}

func (c *Committer) more() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.queue) > 0
}

// commit writes a group and answers it; what is returned is to be tried again.
func (c *Committer) commit(group []pending) []pending {
	rows := make([]gateway.Entry, len(group))
	for i := range group {
		rows[i] = group[i].entry
	}
	doubled, err := c.store.Append(context.Background(), rows)
	c.mu.Lock()
	c.failed = err
	c.doubled += int64(doubled)
	c.mu.Unlock()
	for i := range group {
		if group[i].done != nil {
			group[i].done(err)
			group[i].done = nil
		}
	}
	if err != nil {
		return group
	}
	return nil
}
