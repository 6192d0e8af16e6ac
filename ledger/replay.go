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
	known := map[origin]Typical{}
	for i := range open {
		e := &open[i].Entry
		from := origin{e.Provider, e.Model, e.Stream}
		t, has := known[from]
		if !has {
			if t, err = p.rows.Typical(p.ctx, from.provider, from.model, from.stream); err != nil {
				return err
			}
			known[from] = t
		}
		p.batch.Bookings = append(p.batch.Bookings, cutOff(&open[i], t, p.ended))
	}
	p.found.Lost = len(open)
	p.found.Rows -= len(open) // apply counts them as well
	return p.apply()
}
