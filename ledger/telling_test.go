package ledger

import (
	"testing"
	"time"

	"gateway"
)

// A key's account is read while rows are on their way from the journal to the store, and a
// record of another comes between: the account begins with every row that was told to it.
func TestAnAccountIsReadWhileRowsAreTold(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	c := startBooks(t, s, dir)
	budget := gateway.Account{ID: "held", Budget: gateway.Budget{Limited: true, Limit: 1 << 40}}
	if err := c.Accounts.Prepare([]gateway.Account{budget}); err != nil {
		t.Fatal(err)
	}
	hold, short := c.Accounts.Hold(gateway.Ask{Request: "second", Attempt: 1, Path: []gateway.Account{budget}, Want: 5000})
	if short != nil {
		t.Fatal(short)
	}
	read := make(chan gateway.AccountState, 1)
	c.Accounts.Watch(func(gateway.AccountState, gateway.Budget) { // the first row is told, and not yet on its way
		go func() {
			st, err := c.Accounts.State(gateway.Account{ID: "k1"})
			if err != nil {
				t.Error(err)
			}
			read <- st
		}()
		within(t, "the reader waits for the group", func() bool {
			c.fill.mu.Lock()
			defer c.fill.mu.Unlock()
			return len(c.fill.flushes) > 0
		})
		for _, id := range []string{"a", "b"} { // each is one record of those that it waits for
			run := &Run{Key: "other", ID: id, Begun: when}
			go c.put(item{record: run.frame(), run: run, done: func(error) {}})
		}
		time.Sleep(100 * time.Millisecond) // in which the store has them, if they come between
	})
	var group []item
	for _, request := range []string{"first", "second"} {
		st := &settling{booking: Booking{Entry: row(request, 1)}}
		if request == "second" {
			st.hold, st.booking.Charges = hold, chargesOf(hold, st.booking.Entry.Cost, 0)
		}
		var p pen
		group = append(group, item{record: p.booking(&st.booking), settles: st})
	}
	for i := range group {
		c.waits.took(&group[i])
	}
	c.writeGroup(group)
	if st := <-read; st.Spent != 2*1234 {
		t.Errorf("%d is spent of %d", st.Spent, 2*1234)
	}
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
}

// A client leaves while the outset of its attempt waits to be written: the row of the attempt
// comes after the outset, or nobody would ever know that it has ended.
func TestARowComesAfterItsOutset(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	c := startBooks(t, s, dir)
	c.journal.pen.Lock() // the disk is slow
	c.mu.Lock()
	e := row("r", 1)
	id := holdID{e.Request, e.Attempt}
	var p, q pen
	written := make(chan error, 1)
	c.queue = append(c.queue, item{record: p.outset(&gateway.Outset{Entry: e}), outset: id, done: func(err error) { written <- err }})
	c.waits.took(&c.queue[0])
	c.mu.Unlock()
	c.rouse()
	within(t, "the outset is taken to be written", func() bool { return !c.more() })
	put := make(chan bool, 1)
	go func() {
		_, ok := c.quickly(q.booking(&Booking{Entry: e}))
		put <- ok
	}()
	select {
	case ok := <-put:
		put <- ok
	case <-time.After(10 * time.Second): // it waits for the pen
	}
	c.journal.pen.Unlock()
	if <-put {
		t.Error("a row was put into the journal while its outset was not written")
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	if err := submit(t, c, e, gateway.Hold{}); err != nil {
		t.Fatal(err)
	}
	if c.someOut() {
		t.Error("the attempt counts as out")
	}
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
}
