package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"gateway"
)

// Recovered is what an earlier process had left in the journal.
type Recovered struct {
	Records int // read
	Rows    int // that were not in the store yet
	Lost    int // attempts that were cut by the end of the process, and are now booked by estimate
	Torn    int // segments that ended in the middle of a record
}

// replay brings everything in the journal to the store: rows as they are, and attempts
// that had been sent and never ended as an estimate. It changes nothing that is there
// already, so it may itself be cut and run again. Then the segments are removed; last is
// the highest number that was used.
func replay(ctx context.Context, rows Rows, dir string) (r Recovered, last int, err error) {
	numbers, err := segments(dir)
	if err != nil {
		return r, 0, err
	}
	p := player{ctx: ctx, rows: rows, found: &r, open: map[holdID]gateway.Outset{}}
	for _, n := range numbers {
		if err := p.segment(filepath.Join(dir, segmentName(n))); err != nil {
			return r, 0, err
		}
		last = n
	}
	if beat := lastBeat(dir); beat.After(p.ended) {
		p.ended = beat
	}
	if err := p.finish(); err != nil {
		return r, 0, err
	}
	for _, n := range numbers {
		err = errors.Join(err, os.Remove(filepath.Join(dir, segmentName(n))))
	}
	return r, last, err
}

// bookLeftOver replays the journal of a process that was killed, if nobody has the
// ledger open: so a report on the books of a gateway that does not run is whole.
func bookLeftOver(dir string, full bool) error {
	journal := filepath.Join(dir, "journal")
	if left, err := segments(journal); err != nil || len(left) == 0 {
		return nil // there is none
	}
	s, err := Open(dir, Options{Full: full})
	if err != nil {
		return nil // in use, and then it is up to date, or not ours to write
	}
	_, _, err = replay(context.Background(), s, journal)
	return errors.Join(err, s.Close())
}

// player reads segments in order and applies them in groups.
type player struct {
	ctx   context.Context
	rows  Rows
	found *Recovered
	open  map[holdID]gateway.Outset
	batch Batch
	ended time.Time // last sign of life of the process that wrote
}

func (p *player) segment(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading the journal: %w", err)
	}
	if info, err := os.Stat(path); err == nil && info.ModTime().After(p.ended) {
		p.ended = info.ModTime()
	}
	for len(data) > 0 {
		kind, fields, rest, ok := unframe(data)
		if !ok {
			if !blank(data) { // what a window had ready and nobody used
				p.found.Torn++
			}
			return nil // what follows a torn record was never acknowledged
		}
		data = rest
		if err := p.record(kind, fields); err != nil {
			return err
		}
	}
	return nil
}

// blank says whether there is nothing but zeros.
func blank(b []byte) bool { return bytes.Count(b, []byte{0}) == len(b) }

// record takes one record. One whose frame is whole and whose fields are not was written
// by a later version: it is left out rather than guessed.
func (p *player) record(kind recordKind, fields page) error {
	p.found.Records++
	switch kind {
	case outsetRecord:
		if o, err := readOutset(fields); err == nil {
			p.open[holdID{o.Entry.Request, o.Entry.Attempt}] = o
		}
	case settleRecord:
		if b, err := readBooking(fields); err == nil {
			delete(p.open, holdID{b.Entry.Request, b.Entry.Attempt})
			p.batch.Bookings = append(p.batch.Bookings, b)
		}
	case runRecord:
		if r, err := readRun(fields); err == nil {
			p.batch.Runs = append(p.batch.Runs, r)
		}
	case repeatRecord:
		if r, err := readRepeat(fields); err == nil {
			p.batch.Repeats = append(p.batch.Repeats, r)
		}
	}
	if p.batch.len() >= groupMost {
		return p.apply()
	}
	return nil
}

func (p *player) apply() error {
	if p.batch.len() == 0 {
		return nil
	}
	doubled, err := p.rows.Apply(p.ctx, p.batch)
	p.found.Rows += len(p.batch.Bookings) - doubled
	p.batch = Batch{}
	return err
}

// finish books the attempts that never ended. One whose row is in the store had ended,
// and its record was in a segment that is gone.
func (p *player) finish() error {
	if err := p.apply(); err != nil {
		return err
	}
	open := make([]gateway.Outset, 0, len(p.open))
	for _, o := range p.open {
		open = append(open, o)
	}
	open, err := p.rows.Missing(p.ctx, open)
	if err != nil {
		return err
	}
	known := map[[2]string]Typical{}
	for i := range open {
		e := &open[i].Entry
		t, has := known[[2]string{e.Provider, e.Model}]
		if !has {
			if t, err = p.rows.Typical(p.ctx, e.Provider, e.Model); err != nil {
				return err
			}
			known[[2]string{e.Provider, e.Model}] = t
		}
		p.batch.Bookings = append(p.batch.Bookings, cutOff(&open[i], t, p.ended))
	}
	p.found.Lost = len(open)
	p.found.Rows -= len(open) // apply counts them as well
	return p.apply()
}

// cutOff is the row of an attempt that a killed process had sent: the prompt in full,
// and of the expected answer what can have been made by then, or all of it where the
// provider goes on without us. Its budget is charged the whole hold: more cannot be
// proved, and less could exceed the limit.
func cutOff(o *gateway.Outset, t Typical, at time.Time) Booking {
	e := o.Entry
	e.Outcome, e.Source, e.Usage.Reported = gateway.Canceled.String(), gateway.UsageEstimated, false
	e.Took = max(0, at.Sub(e.Begun))
	first, writes := o.First, o.Takes-o.First
	if t.Answers >= typicalNeeds && e.Op == "chat" {
		e.Usage.Output, first, writes = t.Output, t.First, t.Writes
	}
	if o.Bills != gateway.BillsInFull {
		e.Usage.Output = made(e.Usage.Output, e.Took-first, writes)
	}
	if o.Most > 0 {
		e.Usage.Output = min(e.Usage.Output, o.Most)
	}
	if e.Priced {
		e.Cost = gateway.RoundUp(int64(e.Usage.Prompt())*int64(o.Input) + int64(e.Usage.Output)*int64(o.Output))
	}
	return Booking{Entry: e, Charges: chargesOf(o.Hold, e.Cost, max(0, o.Hold.Amount-e.Cost))}
}

// Typical is what the latest whole answers of a model were like, in the mean.
type Typical struct {
	Answers int // that it was learned from
	Output  int // tokens
	First   time.Duration
	Writes  time.Duration // from the first content to the end
}

// typicalNeeds is how many answers say more than what a process that had just begun
// expected.
const typicalNeeds = 5

// made is how many tokens there are after a time, of an answer that is written evenly
// and has all of them after another. One that takes longer is longer: those that are out
// at any moment are the long ones. But silence may also be a stall.
func made(all int, after, of time.Duration) int {
	const longest = 3
	if of <= 0 {
		return all
	}
	return int(min(longest, max(0, float64(after)/float64(of))) * float64(all))
}
