package ledger

import (
	"errors"
	"syscall"
	"time"

	"gateway"
)

// trouble is an error that lasts, and when it began; zero while all is well.
type trouble struct {
	err   error
	since time.Time
}

// is takes the outcome of the newest try.
func (t *trouble) is(err error) {
	if err == nil {
		*t = trouble{}
		return
	}
	if t.err == nil {
		t.since = time.Now()
	}
	t.err = err
}

// Status says whether the books can be written, since when not, and why; and how often
// what should not happen did, since the start.
func (c *Committer) Status() gateway.LedgerStatus {
	c.mu.Lock()
	failed, behind, doubled := c.failed, c.behind, c.doubled
	c.mu.Unlock()
	s := gateway.LedgerStatus{State: gateway.LedgerOK, Doubled: doubled, Exceeded: c.Accounts.Counts().Exceeded,
		Waiting: c.Waiting(), Full: c.Full() != nil}
	switch {
	case failed.err != nil:
		s.State, s.Since, s.Why = gateway.LedgerFailing, failed.since.UTC(), why(failed.err)
	case behind.err != nil:
		s.State, s.Since, s.Why = gateway.LedgerBehind, behind.since.UTC(), why(behind.err)
	}
	return s
}

// why is the system's word for an error, without the path that it was about: anyone may
// read it. The whole error is in the log.
func why(err error) string {
	var no syscall.Errno
	if errors.As(err, &no) {
		return no.Error()
	}
	var coded interface{ Code() int } // SQLite's
	if !errors.As(err, &coded) {
		return "see the log"
	}
	switch coded.Code() & 0xff {
	case 8:
		return "read-only database"
	case 10:
		return "disk input or output error"
	case 11, 26:
		return "damaged database"
	case 13:
		return "database or disk is full"
	}
	return "SQLite error, see the log"
}
