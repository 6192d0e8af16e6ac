package ledger

import "time"

// write is the goroutine that owns the journal.
func (c *Committer) write() {
	defer c.over.Done()
	defer c.fill.close()
	var kept []item // a group that failed, already answered
	retry := time.NewTimer(time.Hour)
	defer retry.Stop()
	life := pulse{path: pulsePath(c.journal.dir)}
	defer life.end()
	beats := time.NewTimer(time.Hour)
	defer beats.Stop()
	ticking := false
	for {
		if len(kept) == 0 {
			group := c.take(groupMost)
			kept = c.writeGroup(group)
			if len(group) > 0 && c.Failing() != nil {
				retry.Reset(retryEvery)
			} else if c.more() {
				continue
			}
		}
		if !ticking && c.someOut() {
			ticking = true
			beats.Reset(pulseEvery)
		}
		select {
		case <-beats.C:
			life.beat()
			ticking = false
		case <-c.wake:
			if len(kept) > 0 { // who comes now is answered at once, and joins those that wait
				kept = append(kept, c.answer(c.take(groupMost), 0, c.Failing())...)
			}
		case <-retry.C:
			if len(kept) == 0 {
				c.tryAgain()
			}
			if kept = c.writeGroup(kept); c.Failing() != nil {
				retry.Reset(retryEvery)
			}
		case <-c.stop:
			for group := append(kept, c.take(groupMost)...); len(group) > 0; group = c.take(groupMost) {
				if len(c.writeGroup(group)) > 0 {
					break
				}
			}
			c.journal.close()
			return
		}
	}
}

func (c *Committer) take(n int) []item {
	c.mu.Lock()
	defer c.mu.Unlock()
	n = max(0, min(n, len(c.queue)))
	c.writing = n > 0
	group := append([]item(nil), c.queue[:n]...)
	rest := copy(c.queue, c.queue[n:])
	clear(c.queue[rest:])
	c.queue = c.queue[:rest]
	return group
}

func (c *Committer) more() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.queue) > 0
}

// recordsKept is the largest buffer that is kept from one group for the next.
const recordsKept = 256 << 10

// writeGroup writes a group and answers it; what is returned is to be tried again.
func (c *Committer) writeGroup(group []item) []item {
	if len(group) == 0 {
		return nil
	}
	records := c.records[:0]
	for i := range group {
		records = append(records, group[i].record...)
	}
	if cap(records) <= recordsKept {
		c.records = records
	}
	segment, err := c.journal.write(records, len(group))
	c.mu.Lock()
	c.failed.is(err)
	if err == nil {
		c.began(group, segment)
	}
	c.writing = false
	c.mu.Unlock()
	return c.answer(group, segment, err)
}

// tryAgain finds out whether the journal can be written again when nothing waits to be:
// whoever would write was told no.
func (c *Committer) tryAgain() {
	if c.Failing() == nil {
		return
	}
	err := c.journal.try()
	c.mu.Lock()
	c.failed.is(err)
	c.mu.Unlock()
}

// answer tells the senders of a group how it went, and gives back what is kept. What is
// written ends its hold first: who hears that a row is durable finds the room free.
func (c *Committer) answer(group []item, segment int, err error) (again []item) {
	if err == nil {
		c.enter(group, segment)
	}
	for i := range group {
		it := &group[i]
		if it.done != nil {
			it.done(err)
			it.done = nil
		}
		switch {
		case err != nil && it.outset == (holdID{}) && it.repeat == nil:
			again = append(again, *it)
		case err != nil: // an attempt, or a request, that was told no does not leave
			c.waits.dropped(it)
			if it.over != nil {
				it.over()
			}
		}
	}
	return again
}

// enter puts what is written on the accounts and hands it to the filler. A reader who asks
// meanwhile waits for as many records as are expected: another's must not come between.
func (c *Committer) enter(group []item, segment int) {
	c.telling.Lock()
	defer c.telling.Unlock()
	c.fill.expect(forStore(group)) // an account that is read after a row was put beside it waits for the row
	for i := range group {
		c.waits.written(&group[i])
		if group[i].outset != (holdID{}) {
			c.waits.dropped(&group[i])
		}
		if s := group[i].settles; s != nil {
			s.settled = c.Accounts.Settle(s.hold, s.booking.Entry.Cost, s.unsure)
			if s.settled {
				c.Accounts.beside(&s.booking)
			}
		}
	}
	c.fill.add(group, segment)
}

// someOut says whether an attempt is out. Who asks beats the pulse then; else it must be
// roused by the next that leaves.
func (c *Committer) someOut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.beating = c.out > 0
	return c.beating
}

// forStore is how many of a group the store will have: an outset is in the journal only.
func forStore(group []item) (n int) {
	for i := range group {
		if group[i].outset == (holdID{}) {
			n++
		}
	}
	return n
}

// began remembers in which segment the outset of each attempt is: that one must stay
// until the attempt has ended. The lock is held.
func (c *Committer) began(group []item, segment int) {
	for i := range group {
		if id := group[i].outset; id != (holdID{}) {
			c.begun[id] = departure{segment: segment}
			c.out++
		} else if s := group[i].settles; s != nil {
			id := holdID{s.booking.Entry.Request, s.booking.Entry.Attempt}
			if d, has := c.begun[id]; has && !d.ended {
				c.begun[id] = departure{d.segment, true}
				c.out--
			}
		}
	}
}
