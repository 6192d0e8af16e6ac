package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gateway"
)

// Append is Apply for rows that are booked to no account.
func (s *Store) Append(ctx context.Context, rows []gateway.Entry) (doubled int, err error) {
	b := Batch{Bookings: make([]Booking, len(rows))}
	for i := range rows {
		b.Bookings[i].Entry = rows[i]
	}
	return s.Apply(ctx, b)
}

// Apply writes a batch in one transaction: all of it or nothing. A row whose request and
// attempt are there already changes nothing, on no account either, and is counted in
// doubled. When it returns without error the batch survives a killed process.
func (s *Store) Apply(ctx context.Context, b Batch) (doubled int, err error) {
	if doubled, err = s.apply(ctx, &b, rowsAtOnce); errors.Is(err, errTwice) {
		doubled, err = s.apply(ctx, &b, 1)
	}
	if err != nil {
		return 0, fmt.Errorf("writing to the ledger: %w", err)
	}
	return doubled, nil
}

func (s *Store) apply(ctx context.Context, b *Batch, most int) (doubled int, err error) {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	doubled, err = s.applyTo(ctx, tx, b, most)
	return doubled, errors.Join(err, end(tx, err))
}

// applyTo writes a batch, its rows by most at a time.
func (s *Store) applyTo(ctx context.Context, tx *sql.Tx, b *Batch, most int) (doubled int, err error) {
	done, err := sumUp(ctx, tx, b.Bookings)
	if err != nil {
		return 0, err
	}
	isNew, err := s.insert(ctx, tx, b.Bookings, most)
	if err != nil {
		return 0, err
	}
	var room [3]Charge
	f, sums := newFold(done), map[Charge]money{}
	for i := range b.Bookings {
		if isNew != nil && !isNew[i] {
			doubled++
			continue
		}
		e := &b.Bookings[i].Entry
		f.add(e)
		for _, c := range b.Bookings[i].Charges {
			at := Charge{Account: c.Account, Quarter: c.Quarter}
			sums[at] = sums[at].plus(money{spent: c.Cost, unsure: c.Unsure})
		}
		for _, c := range b.Bookings[i].besides(room[:0]) {
			at := Charge{Account: c.Account, Quarter: c.Quarter}
			sums[at] = sums[at].plus(money{spent: c.Cost})
		}
	}
	return doubled, errors.Join(f.write(ctx, tx, tx.StmtContext(ctx, s.roll)), charge(ctx, tx, sums), state(ctx, tx, b))
}

const addCharge = `INSERT INTO charges VALUES (?,?,?,?)
ON CONFLICT DO UPDATE SET cost = cost + excluded.cost, unsure = unsure + excluded.unsure`

func charge(ctx context.Context, tx *sql.Tx, sums map[Charge]money) error {
	if len(sums) == 0 {
		return nil
	}
	add, err := tx.PrepareContext(ctx, addCharge)
	if err != nil {
		return err
	}
	defer add.Close()
	for at, m := range sums {
		if _, err := add.ExecContext(ctx, at.Account, at.Quarter, int64(m.spent), int64(m.unsure)); err != nil {
			return err
		}
	}
	return nil
}

// A run's calls and its end only grow, so that records may be applied again in any order.
const (
	putRun = `INSERT INTO runs VALUES (?,?,?,?,?,?,?,?)
ON CONFLICT DO UPDATE SET calls = MAX(calls, excluded.calls), stopped = MAX(stopped, excluded.stopped)`
	putRepeat = `INSERT INTO repeats VALUES (?,?,?,?,?)
ON CONFLICT DO UPDATE SET body = excluded.body, request = excluded.request, at = excluded.at WHERE excluded.at >= at`
	dropRepeats = `DELETE FROM repeats WHERE at < ?`
)

func state(ctx context.Context, tx *sql.Tx, b *Batch) error {
	for i := range b.Runs {
		r := &b.Runs[i]
		if _, err := tx.ExecContext(ctx, putRun, r.Key, r.ID, int64(r.Caps.MaxCost), r.Caps.MaxCalls, int64(r.Caps.MaxTime),
			r.Begun.UnixNano(), r.Calls, nanoOrZero(r.Stopped)); err != nil {
			return err
		}
	}
	for i := range b.Repeats {
		r := &b.Repeats[i]
		if _, err := tx.ExecContext(ctx, putRepeat, r.Key, r.Name[:], r.Body[:], r.Request, r.At.UnixNano()); err != nil {
			return err
		}
	}
	if n := len(b.Repeats); n > 0 {
		_, err := tx.ExecContext(ctx, dropRepeats, b.Repeats[n-1].At.Add(-repeatLife).UnixNano())
		return err
	}
	return nil
}

// repeatLife is how long an Idempotency-Key stands for its request. Source: routing
// reference section 7.
const repeatLife = 24 * time.Hour

// chargesKept is how many quarters of an account are told apart, up to its newest: longer
// than any period. What is older matters to a budget of the whole life only.
const chargesKept = int64(40 * 24 * time.Hour / quarter)

// Charges are what was booked to an account; what is older than every period comes as
// one sum. The clock has no part in it: one that is ahead for a moment would make one
// sum of what belongs to the present period.
func (s *Store) Charges(account string) ([]Charge, error) {
	rows, err := s.read.Query(`SELECT CASE WHEN quarter < (SELECT MAX(quarter) FROM charges WHERE account = ?1) - ?2 THEN 0 ELSE quarter END,
 SUM(cost), SUM(unsure) FROM charges WHERE account = ?1 GROUP BY 1`, account, chargesKept)
	if err != nil {
		return nil, fmt.Errorf("reading the ledger: %w", err)
	}
	defer rows.Close()
	var list []Charge
	for rows.Next() {
		c := Charge{Account: account}
		if err := rows.Scan(&c.Quarter, &c.Cost, &c.Unsure); err != nil {
			return nil, fmt.Errorf("reading the ledger: %w", err)
		}
		list = append(list, c)
	}
	return list, rows.Err()
}

// Missing gives those of the attempts that have no row.
func (s *Store) Missing(ctx context.Context, of []gateway.Outset) ([]gateway.Outset, error) {
	var missing []gateway.Outset
	for i := range of {
		var n int
		err := s.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM attempts WHERE request = ? AND attempt = ?`,
			of[i].Entry.Request, of[i].Entry.Attempt).Scan(&n)
		if err != nil {
			return nil, fmt.Errorf("reading the ledger: %w", err)
		}
		if n == 0 {
			missing = append(missing, of[i])
		}
	}
	return missing, nil
}
