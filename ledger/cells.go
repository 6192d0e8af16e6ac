package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"gateway"
)

// scope is what rows are summed for; see the table cells.
type scope uint8

const (
	ofAll scope = iota
	ofKey
	ofRun
	ofTag
)

// grain is the length of time that a cell sums.
type grain uint8

const (
	byHour grain = iota
	byDay
	byMonth
)

// cell is the place of a sum.
type cell struct {
	scope           scope
	grain           grain
	at              int64 // unix hours
	key, who        string
	provider, model string
}

// sums are what a cell holds.
type sums struct {
	attempts, requests, prompt, cached, output, cost, estimated, unpriced int64
}

func (s *sums) add(e *gateway.Entry) {
	s.attempts++
	if e.Winner {
		s.requests++
	}
	s.prompt += int64(e.Usage.Prompt())
	s.cached += int64(e.Usage.CachedRead)
	s.output += int64(e.Usage.Output)
	s.cost += int64(e.Cost)
	if e.Source == gateway.UsageEstimated {
		s.estimated += int64(e.Cost)
	}
	if !e.Priced {
		s.unpriced++
	}
}

// plus adds other sums.
func (s *sums) plus(o *sums) {
	s.attempts += o.attempts
	s.requests += o.requests
	s.prompt += o.prompt
	s.cached += o.cached
	s.output += o.output
	s.cost += o.cost
	s.estimated += o.estimated
	s.unpriced += o.unpriced
}

// list is the sums in the order of the table.
func (s *sums) list() [8]int64 {
	return [8]int64{s.attempts, s.requests, s.prompt, s.cached, s.output, s.cost, s.estimated, s.unpriced}
}

// start is the first unix hour of the hour, day or month that a time is in.
func (g grain) start(t time.Time) int64 {
	switch g {
	case byDay:
		return floor(hour(t), 24)
	case byMonth:
		y, m, _ := t.UTC().Date()
		return hour(time.Date(y, m, 1, 0, 0, 0, 0, time.UTC))
	}
	return hour(t)
}

func hour(t time.Time) int64 { return floor(t.Unix(), 3600) / 3600 }

// floor rounds down to a multiple of n, before 1970 too.
func floor(v, n int64) int64 {
	if r := v % n; r < 0 {
		return v - r - n
	}
	return v - v%n
}

const addCell = `INSERT INTO cells VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
ON CONFLICT DO UPDATE SET attempts = attempts + excluded.attempts, requests = requests + excluded.requests,
 prompt = prompt + excluded.prompt, cached = cached + excluded.cached, output = output + excluded.output,
 cost = cost + excluded.cost, estimated = estimated + excluded.estimated, unpriced = unpriced + excluded.unpriced`

// inOrder is the cells in the order of the table.
func (f fold) inOrder() []cell {
	order := make([]cell, 0, len(f.cells))
	for c := range f.cells {
		order = append(order, c)
	}
	slices.SortFunc(order, compareCells)
	return order
}

// write adds the sums to the cells, in the order of the table so that pages are visited
// once, and to the packs of what is packed.
func (f fold) write(ctx context.Context, tx *sql.Tx, add *sql.Stmt) error {
	order := f.inOrder()
	for _, c := range order {
		s := f.cells[c]
		if _, err := add.ExecContext(ctx, c.scope, c.grain, c.at, c.key, c.who, c.provider, c.model,
			s.attempts, s.requests, s.prompt, s.cached, s.output, s.cost, s.estimated, s.unpriced); err != nil {
			return err
		}
	}
	return f.packLate(ctx, tx, order)
}

func compareCells(a, b cell) int {
	return cmp.Or(cmp.Compare(a.scope, b.scope), cmp.Compare(a.grain, b.grain), cmp.Compare(a.at, b.at), strings.Compare(a.key, b.key),
		strings.Compare(a.who, b.who), strings.Compare(a.provider, b.provider), strings.Compare(a.model, b.model))
}

// hours is the time that a number of unix hours stands for.
func hours(n int64) time.Time { return time.Unix(n*3600, 0).UTC() }

// next is the first start of an hour, day or month that is not before an hour.
func (g grain) next(h int64) int64 {
	start := g.start(hours(h))
	switch {
	case start == h || g == byHour:
		return h
	case g == byDay:
		return start + 24
	}
	return hour(hours(start).AddDate(0, 1, 0))
}
