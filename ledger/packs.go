package ledger

import (
	"context"
	"database/sql"
)

// pack packs the cells of what became whole between two states of the sums.
func pack(ctx context.Context, tx *sql.Tx, from, to summed) error {
	for sc := ofAll; sc <= ofTag; sc++ {
		for _, part := range [...]stretch{{byHour, from.hour, to.hour}, {byDay, from.day, to.day}, {byMonth, from.month, to.month}} {
			if part.from >= part.to {
				continue
			}
			if err := packCells(ctx, tx, sc, part); err != nil {
				return err
			}
		}
	}
	return nil
}

const (
	cellColumns = "at, key, who, provider, model, attempts, requests, prompt, cached, output, cost, estimated, unpriced"
	putPack     = "INSERT INTO packs VALUES (?,?,?,?,?)"
)

// packCells packs the cells of a stretch, which have no packs.
func packCells(ctx context.Context, tx *sql.Tx, sc scope, of stretch) error {
	put, err := tx.PrepareContext(ctx, putPack)
	if err != nil {
		return err
	}
	defer put.Close()
	rows, err := tx.QueryContext(ctx, "SELECT "+cellColumns+" FROM cells WHERE scope = ? AND grain = ? AND at >= ? AND at < ? ORDER BY at", sc, of.grain, of.from, of.to)
	if err != nil {
		return err
	}
	defer rows.Close()
	var p packer
	var at int64
	part := 0
	flush := func() error {
		if p.count == 0 {
			return nil
		}
		_, err := put.ExecContext(ctx, sc, of.grain, at, part, p.bytes())
		return err
	}
	for rows.Next() {
		var c cell
		var s sums
		if err := scanCell(rows, &c, &s); err != nil {
			return err
		}
		if c.at != at || p.count == packMost {
			if err := flush(); err != nil {
				return err
			}
			if part++; c.at != at {
				at, part = c.at, 0
			}
		}
		p.add(&c, &s)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return flush()
}

func scanCell(rows *sql.Rows, c *cell, s *sums) error {
	return rows.Scan(&c.at, &c.key, &c.who, &c.provider, &c.model, &s.attempts, &s.requests, &s.prompt, &s.cached, &s.output, &s.cost, &s.estimated, &s.unpriced)
}

// lateMost is how many packs of late rows a place has before it is packed anew: with the
// clock set back every batch is late.
const lateMost = 64

// packLate adds to the packs what was added to cells that are packed, one pack to a place:
// packing anew must not come between two of one batch.
func (f fold) packLate(ctx context.Context, tx *sql.Tx, order []cell) error {
	var p packer
	for i := range order {
		c := &order[i]
		if !f.summed.packed(c.grain, c.at) {
			continue
		}
		p.add(c, f.cells[*c])
		last := i+1 == len(order) || order[i+1].scope != c.scope || order[i+1].grain != c.grain || order[i+1].at != c.at
		if last {
			if err := putLate(ctx, tx, c, p.bytes()); err != nil {
				return err
			}
		}
	}
	return nil
}

func putLate(ctx context.Context, tx *sql.Tx, c *cell, b []byte) error {
	var part int
	err := tx.QueryRowContext(ctx, `INSERT INTO packs SELECT ?1, ?2, ?3, MIN(0, COALESCE(MIN(part), 0)) - 1, ?4 FROM packs
 WHERE scope = ?1 AND grain = ?2 AND at = ?3 RETURNING part`, c.scope, c.grain, c.at, b).Scan(&part)
	if err != nil || part > -lateMost {
		return err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM packs WHERE scope = ? AND grain = ? AND at = ?", c.scope, c.grain, c.at); err != nil {
		return err
	}
	return packCells(ctx, tx, c.scope, stretch{c.grain, c.at, c.at + 1})
}

// packAll packs all that is over in books that have no packs.
func packAll(ctx context.Context, tx *sql.Tx) error {
	s, err := readSummed(ctx, tx)
	if err != nil {
		return err
	}
	hour := s.day
	if err := tx.QueryRowContext(ctx, "SELECT COALESCE(MAX(?, MAX(at)), ?) FROM cells WHERE scope = 0 AND grain = 0", hour, hour).Scan(&s.hour); err != nil {
		return err
	}
	const start = -1 << 40
	if err := pack(ctx, tx, summed{start, start, start}, s); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "UPDATE summed SET hour = ?", s.hour)
	return err
}
