package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"gateway"
)

// Rows is the store behind the journal: rows, what they add up to, and what must be
// known again after a restart. It is satisfied by Store.
type Rows interface {
	// Apply writes a batch in one transaction. What is there already changes nothing and
	// is counted in doubled.
	Apply(ctx context.Context, b Batch) (doubled int, err error)
	// Charges are what was booked to an account.
	Charges(account string) ([]Charge, error)
	// Missing gives those of the attempts that have no row.
	Missing(ctx context.Context, of []gateway.Outset) ([]gateway.Outset, error)
	// Typical is what the latest whole answers of a model were like, to clients that stream
	// or to those that do not.
	Typical(ctx context.Context, provider, model string, stream bool) (Typical, error)
}

// Batch is what is written to the store together.
type Batch struct {
	Bookings []Booking
	Runs     []Run
	Repeats  []Repeat
}

func (b *Batch) len() int { return len(b.Bookings) + len(b.Runs) + len(b.Repeats) }

// Committer makes the books durable. Where a killed process is all that must be survived,
// whoever brings a record puts it into the journal in passing; see window. What cannot be
// put so, because it must survive a power loss or the disk does not do as it should, waits
// for a goroutine that writes in groups (what is queued is written, all are answered, and
// again: under load a group grows by itself). Another brings records from the journal to
// the store in larger groups, which nobody waits for but readers. A group that cannot be
// written is kept and tried again until it can be: no row is lost while the process lives.
// What waits so is bounded: see Full.
type Committer struct {
	rows     Rows
	journal  *journal
	Accounts *Accounts
	found    Recovered
	repeats  atomic.Pointer[Repeats] // nil: none are kept

	mu      sync.Mutex
	queue   []item
	failed  trouble              // with writing to the journal
	behind  trouble              // with writing to the store
	begun   map[holdID]departure // of the attempts whose rows are not in the store yet
	out     int                  // of them, those that have not ended
	beating bool                 // the writing goroutine looks after the pulse
	writing bool                 // what was taken from the queue is not in the journal yet
	doubled int64
	wake    chan struct{}
	waits   backlog
	telling sync.Mutex // one group at a time goes to the accounts and the filler: these count them in that order

	records []byte // of a group, for the goroutine that writes
	fill    filler
	stop    chan struct{}
	over    sync.WaitGroup
	once    sync.Once
}

// departure is where the outset of an attempt is in the journal, and whether it ended.
type departure struct {
	segment int
	ended   bool
}

// item is a record on its way to the journal.
type item struct {
	record  []byte
	outset  holdID // of an outset; zero for others
	settles *settling
	run     *Run
	repeat  *Repeat
	done    func(error)
	over    func() // if not nil: called when it is in the store, or will never be
}

type settling struct {
	booking Booking
	hold    gateway.Hold
	unsure  gateway.Microcents
	settled bool // it ended the hold
}

// How often a failed group is tried again, and the most records of a group.
const (
	retryEvery = 250 * time.Millisecond
	groupMost  = 4096
)

// Start books what an earlier process left in the journal under dir, and makes the
// goroutines that write; Stop ends them. full is for what must survive a power loss.
func Start(rows Rows, dir string, full bool) (*Committer, error) {
	dir = filepath.Join(dir, "journal")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the journal's directory: %w", err)
	}
	found, last, err := replay(context.Background(), rows, dir)
	if err != nil {
		return nil, fmt.Errorf("booking what the journal holds: %w", err)
	}
	c := &Committer{
		rows: rows, found: found, begun: map[holdID]departure{}, wake: make(chan struct{}, 1), stop: make(chan struct{}),
		journal: &journal{dir: dir, full: full, most: segmentMost, number: last, oldest: last + 1, pending: map[int]int{}},
	}
	c.Accounts = NewAccounts(c.charges, time.Now)
	c.waits.most = backlogMost
	c.fill.init()
	c.over.Add(2)
	go c.write()     // ends with Stop
	go c.fillStore() // ends with Stop, after write
	return c, nil
}

// Recovered is what Start found in the journal.
func (c *Committer) Recovered() Recovered { return c.found }

// Begin makes it known that an attempt is about to be sent, and returns when that is
// durable: the attempt is then booked whatever becomes of this process. It fails at
// once with LedgerDown while the books cannot be written, and with ctx's cause when that
// ends before: then the attempt may be known, and must not be sent.
func (c *Committer) Begin(ctx context.Context, o *gateway.Outset) error {
	if err := c.Failing(); err != nil {
		return ledgerDown(err)
	}
	if err := c.Full(); err != nil {
		return ledgerDown(err)
	}
	p := pens.Get().(*pen)
	defer pens.Put(p)
	record, id := p.outset(o), holdID{o.Entry.Request, o.Entry.Attempt}
	if segment, ok := c.quickly(record); ok {
		c.left(id, segment)
		return nil
	}
	done := make(chan error, 1)
	c.put(item{record: record, outset: id, done: func(err error) { done <- err }})
	select {
	case err := <-done:
		if err != nil {
			return ledgerDown(err)
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// left notes that an attempt is out whose outset is in a segment.
func (c *Committer) left(id holdID, segment int) {
	c.mu.Lock()
	c.begun[id] = departure{segment: segment}
	c.out++
	rouse := !c.beating
	c.beating = true
	c.mu.Unlock()
	if rouse {
		c.rouse()
	}
}

// quickly puts a record into the journal, if it can be put and none waits to be written: the
// row of an attempt comes after its outset, also if nobody waited for that.
func (c *Committer) quickly(record []byte) (segment int, ok bool) {
	c.mu.Lock()
	free := c.failed.err == nil && len(c.queue) == 0 && !c.writing
	c.mu.Unlock()
	if !free {
		return 0, false
	}
	return c.journal.put(record)
}

func ledgerDown(err error) *gateway.Error {
	return &gateway.Error{Kind: gateway.LedgerDown, Message: "the books cannot be written now", RetryAfter: time.Second, Err: err}
}

// Submit takes the row of an attempt that has ended and returns at once; hold ends
// when the row is durable. done is called once: with nil when it is, maybe before Submit
// returns, with an error when it is not yet; such a row is still kept and retried.
func (c *Committer) Submit(entry gateway.Entry, hold gateway.Hold, unsure gateway.Microcents, done func(error)) {
	s := &settling{booking: Booking{Entry: entry, Charges: chargesOf(hold, entry.Cost, unsure)}, hold: hold, unsure: unsure}
	i := item{settles: s, done: done}
	if r := c.repeats.Load(); r != nil {
		i.over = r.row(&s.booking.Entry)
	}
	p := pens.Get().(*pen)
	defer pens.Put(p)
	i.record = p.booking(&s.booking)
	c.put(i)
}

// put puts a record into the journal, or has it written; the record is the caller's again
// when it returns. Where too much waits, all but rows are answered at once: no.
func (c *Committer) put(i item) {
	if i.settles == nil {
		if err := c.Full(); err != nil {
			i.done(err)
			if i.over != nil {
				i.over()
			}
			return
		}
	}
	c.waits.took(&i)
	if i.outset == (holdID{}) { // which was tried already
		if segment, ok := c.quickly(i.record); ok {
			c.wrote(i, segment)
			return
		}
	}
	i.record = bytes.Clone(i.record)
	c.mu.Lock()
	c.queue = append(c.queue, i)
	c.mu.Unlock()
	c.rouse()
}

// wrote does for one record in the journal what writeGroup does for many.
func (c *Committer) wrote(i item, segment int) {
	group := [...]item{i}
	c.mu.Lock()
	c.began(group[:], segment)
	c.mu.Unlock()
	c.answer(group[:], segment, nil)
}

func (c *Committer) rouse() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Failing is why the books cannot be written; nil while all is well.
func (c *Committer) Failing() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed.err
}

// Behind is why what is in the journal cannot be brought to the store; nil while all is
// well. Nothing is lost by it, but reports miss the newest rows, and accounts that are not
// in memory cannot be read.
func (c *Committer) Behind() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.behind.err
}

// Doubled is how many rows were submitted a second time and changed nothing.
func (c *Committer) Doubled() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.doubled
}

// Stop writes what is queued and ends. What cannot be written is reported by the error
// of the last try.
func (c *Committer) Stop() error {
	c.once.Do(func() { close(c.stop) })
	c.over.Wait()
	c.journal.finish()
	return errors.Join(c.Failing(), c.Behind())
}
