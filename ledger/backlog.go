package ledger

import (
	"errors"
	"sync/atomic"
)

// backlog weighs the records that wait in memory: for the journal while it cannot be
// written, and for the store while that is behind. Rows of attempts that have left are
// always taken, since they must not be lost; what is bounded is what may leave. So the
// most that waits is the bound and the rows of what was in flight when it was reached.
type backlog struct {
	most   int64 // bytes
	weighs atomic.Int64
}

// backlogMost holds some 80,000 rows: a quarter of an hour of 100 requests a second.
const backlogMost = 128 << 20

// itemWeight is what a record costs in memory besides its own bytes: the row that it was
// made of, as it goes to the store, and its places in queues.
const itemWeight = 1280

var errBacklog = errors.New("too many rows wait in memory for the books")

// Full is why no attempt may leave now, whoever it is for: so much waits in memory that
// one more outage minute could cost rows. Nil as a rule.
func (c *Committer) Full() error {
	if c.waits.weighs.Load() < c.waits.most {
		return nil
	}
	return errors.Join(errBacklog, c.Failing(), c.Behind())
}

// Waiting is how many bytes of memory the rows hold that are not in the store yet.
func (c *Committer) Waiting() int64 { return c.waits.weighs.Load() }

func (b *backlog) took(i *item)    { b.weighs.Add(itemWeight + int64(len(i.record))) }
func (b *backlog) dropped(i *item) { b.weighs.Add(-itemWeight - int64(len(i.record))) }

// written lets go of the bytes of a record that is in the journal.
func (b *backlog) written(i *item) {
	b.weighs.Add(-int64(len(i.record)))
	i.record = nil
}
