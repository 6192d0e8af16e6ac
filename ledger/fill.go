package ledger

import (
	"context"
	"errors"
	"sync"
	"time"
)

// filler is the queue between the journal and the store.
type filler struct {
	mu      sync.Mutex
	queue   []filling
	put     int64 // records that were ever queued, or are about to be
	filled  int64 // and those that are in the store
	flushes []flush
	idle    bool // whoever fills the store waits for more, and not for time to pass
	closed  bool // nothing more will be queued
	ended   bool // the store is not written any more
	wake    chan struct{}
}

// flush is a reader that waits until so many records are in the store.
type flush struct {
	until int64
	done  chan bool // takes one: whether they are
}

type filling struct {
	item    item
	segment int
}

// fillEvery is the least time between two transactions of the store: a larger one is
// cheaper per row, and only a reader waits for it, who can ask for it at once.
const fillEvery = 200 * time.Millisecond

func (f *filler) init() { f.wake = make(chan struct{}, 1) }

// expect has readers wait for so many records that will be added at once.
func (f *filler) expect(n int) {
	f.mu.Lock()
	f.put += int64(n)
	f.mu.Unlock()
}

// add queues records that are expected.
func (f *filler) add(group []item, segment int) {
	f.mu.Lock()
	for i := range group {
		if group[i].outset == (holdID{}) {
			f.queue = append(f.queue, filling{group[i], segment})
			f.queue[len(f.queue)-1].item.done = nil
		}
	}
	idle := f.idle
	f.idle = false
	f.mu.Unlock()
	if idle { // else it looks by itself when its pause is over
		f.rouse()
	}
}

func (f *filler) rouse() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *filler) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.rouse()
}

func (f *filler) end() {
	f.mu.Lock()
	f.ended = true
	f.mu.Unlock()
	f.answer(0, true)
}

// state says how much is queued, whether a reader waits, and whether no more will come.
// Who asks waits for more if there is nothing.
func (f *filler) state() (queued int, asked, closed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.idle = len(f.queue) == 0
	return len(f.queue), len(f.flushes) > 0, f.closed
}

func (f *filler) take(n int) (group []filling) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n = min(n, len(f.queue))
	group = append(group, f.queue[:n]...)
	rest := copy(f.queue, f.queue[n:])
	clear(f.queue[rest:])
	f.queue = f.queue[:rest]
	return group
}

// answer lets the readers go that need not wait any longer; all of them if failed.
func (f *filler) answer(filled int, failed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.filled += int64(filled)
	waiting := f.flushes[:0]
	for _, r := range f.flushes {
		if failed || r.until <= f.filled {
			r.done <- r.until <= f.filled
		} else {
			waiting = append(waiting, r)
		}
	}
	f.flushes = waiting
}

// fillStore is the goroutine that owns the store.
func (c *Committer) fillStore() {
	defer c.over.Done()
	defer c.fill.end()
	for {
		queued, asked, closed := c.fill.state()
		if queued > 0 { // else a reader waits for what is about to be added
			if !c.fillGroup(closed) && closed {
				return
			}
			if !asked && !closed {
				c.pause(fillEvery)
			}
			continue
		}
		if closed {
			return
		}
		<-c.fill.wake
	}
}

// pause waits, or less if a reader asks or the end has come.
func (c *Committer) pause(d time.Duration) {
	end := time.NewTimer(d)
	defer end.Stop()
	for {
		select {
		case <-end.C:
			return
		case <-c.fill.wake:
			if _, asked, closed := c.fill.state(); asked || closed {
				return
			}
		}
	}
}

// fillGroup brings a group to the store, and tries again until it is there or, at the
// end, gives up: then it is read from the journal at the next start.
func (c *Committer) fillGroup(once bool) bool {
	group := c.fill.take(groupMost)
	batch := c.batch(group)
	for {
		doubled, err := c.apply(batch)
		c.mu.Lock()
		c.behind.is(err)
		c.doubled += int64(doubled)
		c.mu.Unlock()
		if err == nil {
			c.filled(group)
			c.fill.answer(len(group), false)
			return true
		}
		c.fill.answer(0, true) // they read what there is
		if _, _, closed := c.fill.state(); closed || once {
			return false
		}
		c.pause(retryEvery)
	}
}

func (c *Committer) apply(b Batch) (int, error) {
	if b.len() == 0 {
		return 0, nil
	}
	return c.rows.Apply(context.Background(), b)
}

func (c *Committer) batch(group []filling) (b Batch) {
	b.Bookings = make([]Booking, 0, len(group))
	for i := range group {
		switch it := &group[i].item; {
		case it.settles != nil:
			b.Bookings = append(b.Bookings, it.settles.booking)
		case it.run != nil:
			b.Runs = append(b.Runs, *it.run)
		case it.repeat != nil:
			b.Repeats = append(b.Repeats, *it.repeat)
		}
	}
	return b
}

// filled lets go of the segments of records that are in the store. An outset, which never
// gets there, is done with when its attempt's row is.
func (c *Committer) filled(group []filling) {
	for i := range group {
		it := &group[i].item
		c.waits.dropped(it)
		if it.over != nil {
			it.over()
		}
		if it.settles != nil && it.settles.settled {
			c.Accounts.filed(it.settles.hold)
		}
		c.journal.applied(group[i].segment, 1)
		if it.settles == nil {
			continue
		}
		id := holdID{it.settles.booking.Entry.Request, it.settles.booking.Entry.Attempt}
		c.mu.Lock()
		d, has := c.begun[id]
		delete(c.begun, id)
		c.mu.Unlock()
		if has {
			c.journal.applied(d.segment, 1)
		}
	}
}

// Flush returns when every row that was durable when it was called can be read from the
// store, or when that is not possible now.
func (c *Committer) Flush(ctx context.Context) error {
	_, err := c.flush(ctx)
	return err
}

// flush is Flush, and says whether every row can be read.
func (c *Committer) flush(ctx context.Context) (whole bool, err error) {
	f := &c.fill
	f.mu.Lock()
	if f.filled >= f.put || f.ended {
		defer f.mu.Unlock()
		return f.filled >= f.put, nil
	}
	r := flush{f.put, make(chan bool, 1)}
	f.flushes = append(f.flushes, r)
	f.mu.Unlock()
	f.rouse()
	select {
	case whole = <-r.done:
		return whole, nil
	case <-ctx.Done():
		return false, errors.Join(errors.New("waiting for the books"), ctx.Err())
	}
}
