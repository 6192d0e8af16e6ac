package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gateway"
)

// Verdict is what a verification found.
type Verdict struct {
	Rows     int64
	Repriced int64 // rows whose cost was computed again from usage and price list
	Billed   int64 // rows whose cost the provider named itself
	Unnamed  int64 // rows of before price lists were kept: their cost is taken as it is
	Cells    int64
	Packs    int64
	Accounts int64
	Wrong    []string // what does not agree, the first hundred
	More     int64    // how many more there are
}

func (v *Verdict) wrong(format string, args ...any) {
	if len(v.Wrong) < 100 {
		v.Wrong = append(v.Wrong, fmt.Sprintf(format, args...))
		return
	}
	v.More++
}

// Verify computes every row's cost again from its usage and its price list, every cell
// again from the rows, and what stands on every account from the cells. It sees one moment of the books, also while they are
// written, and holds the cells of one month at a time.
func (s *Store) Verify(ctx context.Context) (v Verdict, err error) {
	if err := s.upToDate(ctx); err != nil {
		return v, err
	}
	tariffs, err := s.tariffs(ctx)
	if err != nil {
		return v, err
	}
	tx, err := s.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return v, fmt.Errorf("verifying the ledger: %w", err)
	}
	defer tx.Rollback()
	done, err := readSummed(ctx, tx)
	if err != nil {
		return v, fmt.Errorf("verifying the ledger: %w", err)
	}
	c := checker{ctx: ctx, tx: tx, verdict: &v, fold: newFold(done), packs: packChecker{ctx: ctx, tx: tx, verdict: &v, done: done}}
	err = each(ctx, tx, func(e *gateway.Entry) error {
		v.Rows++
		v.reprice(e, tariffs)
		return c.add(e)
	}, "SELECT "+rowColumns+" FROM attempts ORDER BY begun")
	if err = errors.Join(err, c.close(), c.rest(), c.packs.rest(), v.accounts(ctx, tx)); err != nil {
		return v, fmt.Errorf("verifying the ledger: %w", err)
	}
	return v, nil
}

// reprice compares a row's cost with what its usage and its price list come to.
func (v *Verdict) reprice(e *gateway.Entry, tariffs map[string]*gateway.Tariff) {
	switch t := tariffs[e.Tariff]; {
	case !e.Priced:
		if e.Cost != 0 {
			v.wrong("row %s/%d has no price and costs %d", e.Request, e.Attempt, e.Cost)
		}
	case e.Usage.HasBilled:
		v.Billed++
	case e.Tariff == "":
		v.Unnamed++
	case t == nil:
		v.wrong("row %s/%d names the price list %s, which is not kept", e.Request, e.Attempt, e.Tariff)
	default:
		v.Repriced++
		if want := t.Cost(e.Usage, e.Begun); want != e.Cost {
			v.wrong("row %s/%d costs %d, its usage and price come to %d", e.Request, e.Attempt, e.Cost, want)
		}
	}
}

// checker folds rows in order of time and compares month by month.
type checker struct {
	ctx     context.Context
	tx      *sql.Tx
	verdict *Verdict
	fold    fold
	month   int64
	months  []int64 // that were compared
	packs   packChecker
}

func (c *checker) add(e *gateway.Entry) error {
	if m := byMonth.start(e.Begun); m != c.month || len(c.fold.cells) == 0 {
		if err := c.close(); err != nil {
			return err
		}
		c.month = m
	}
	c.fold.add(e)
	return nil
}

// close compares the month that is folded with its cells.
func (c *checker) close() error {
	if len(c.fold.cells) == 0 {
		return nil
	}
	c.months = append(c.months, c.month)
	next := hour(hours(c.month).AddDate(0, 1, 0))
	for sc := ofAll; sc <= ofTag; sc++ {
		for g := byHour; g <= byMonth; g++ {
			err := c.cells("WHERE scope = ? AND grain = ? AND at >= ? AND at < ?", sc, g, c.month, next)
			if err != nil {
				return err
			}
		}
	}
	for cell := range c.fold.cells {
		c.verdict.wrong("rows without their sum: %s", cell)
	}
	clear(c.fold.cells)
	return nil
}

// rest finds the cells of months that have no rows.
func (c *checker) rest() error {
	var all int64
	if err := c.tx.QueryRowContext(c.ctx, "SELECT COUNT(*) FROM cells").Scan(&all); err != nil {
		return err
	}
	if all == c.verdict.Cells {
		return nil
	}
	where := ""
	var args []any
	for i, m := range c.months {
		where += []string{"WHERE", " AND"}[min(i, 1)] + " NOT (at >= ? AND at < ?)"
		args = append(args, m, hour(hours(m).AddDate(0, 1, 0)))
	}
	return c.cells(where, args...)
}

// cells compares cells of the books with the fold, and takes them out of it.
func (c *checker) cells(where string, args ...any) error {
	rows, err := c.tx.QueryContext(c.ctx, "SELECT * FROM cells "+where+" ORDER BY scope, grain, at, key, who, provider, model", args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var at cell
		var has sums
		if err := rows.Scan(&at.scope, &at.grain, &at.at, &at.key, &at.who, &at.provider, &at.model, &has.attempts, &has.requests,
			&has.prompt, &has.cached, &has.output, &has.cost, &has.estimated, &has.unpriced); err != nil {
			return err
		}
		c.verdict.Cells++
		if err := c.packs.cell(at, &has); err != nil {
			return err
		}
		switch want := c.fold.cells[at]; {
		case want == nil:
			c.verdict.wrong("sum without its rows: %s", at)
		case *want != has:
			c.verdict.wrong("sum that is not that of its rows: %s: costs %d in %d attempts, the rows %d in %d",
				at, has.cost, has.attempts, want.cost, want.attempts)
		}
		delete(c.fold.cells, at)
	}
	c.packs.end()
	return rows.Err()
}

// String is the place of a sum in words.
func (c cell) String() string {
	form := []string{"2006-01-02T15:00Z", time.DateOnly, "2006-01"}[c.grain]
	s := hours(c.at).Format(form) + " " + c.provider + "/" + c.model
	if c.scope != ofAll {
		s += fmt.Sprintf(" key %q", c.key)
	}
	if c.who != "" {
		s += " " + []string{"", "team", "run", "tag"}[c.scope] + " " + c.who
	}
	return s
}
