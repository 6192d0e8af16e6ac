package ledger

import (
	"context"
	"database/sql"
)

// packChecker compares packs with the cells they were made of. Cells must come in the
// order of the table; it holds the packs of one hour, day or month.
type packChecker struct {
	ctx     context.Context
	tx      *sql.Tx
	verdict *Verdict
	done    summed
	at      cell // the place that is held; its texts are empty
	held    map[cell]*sums
}

// cell compares one cell with its packs.
func (p *packChecker) cell(c cell, has *sums) error {
	if !p.done.packed(c.grain, c.at) {
		return nil
	}
	if at := (cell{scope: c.scope, grain: c.grain, at: c.at}); at != p.at || p.held == nil {
		p.end()
		if err := p.load(at); err != nil {
			return err
		}
	}
	if got := p.held[c]; got == nil {
		p.verdict.wrong("sum that is not packed: %s", c)
	} else if *got != *has {
		p.verdict.wrong("packed sum that is not the sum: %s: costs %d in %d attempts, the sum %d in %d", c, got.cost, got.attempts, has.cost, has.attempts)
	}
	delete(p.held, c)
	return nil
}

func (p *packChecker) load(at cell) error {
	p.at, p.held = at, map[cell]*sums{}
	rows, err := p.tx.QueryContext(p.ctx, "SELECT cells FROM packs WHERE scope = ? AND grain = ? AND at = ?", at.scope, at.grain, at.at)
	if err != nil {
		return err
	}
	defer rows.Close()
	var b sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&b); err != nil {
			return err
		}
		p.verdict.Packs++
		var texts []string
		err := unpack(b, func(list []string) { texts = list }, func(of [4]uint64, s *sums) {
			c := at
			c.key, c.who, c.provider, c.model = texts[of[0]], texts[of[1]], texts[of[2]], texts[of[3]]
			if p.held[c] == nil {
				p.held[c] = &sums{}
			}
			p.held[c].plus(s)
		})
		if err != nil {
			p.verdict.wrong("%v: %s", err, at)
		}
	}
	return rows.Err()
}

// end reports what is packed at the place that is held and has no cell.
func (p *packChecker) end() {
	for c := range p.held {
		p.verdict.wrong("packed sum without its sum: %s", c)
	}
	p.held = nil
}

// rest finds the packs of places that have no cells.
func (p *packChecker) rest() error {
	var all int64
	if err := p.tx.QueryRowContext(p.ctx, "SELECT COUNT(*) FROM packs").Scan(&all); err != nil {
		return err
	}
	if all != p.verdict.Packs {
		p.verdict.wrong("%d packs of sums, of which %d have their sums", all, p.verdict.Packs)
	}
	return nil
}
