package ledger

import (
	"context"
	"database/sql"
	"time"

	"gateway"
)

// summed says how far days and months have their sums: those before these hours. A row
// of an earlier time is added to its day and month itself; one of a later time will be
// in them when they are over. Hours have their sums at once, and are packed when they
// are over.
type summed struct{ day, month, hour int64 }

// has says whether the day or month at an hour has its sum. Hours always have.
func (s summed) has(g grain, at int64) bool {
	switch g {
	case byDay:
		return at < s.day
	case byMonth:
		return at < s.month
	}
	return true
}

// packed says whether the cells at an hour are packed.
func (s summed) packed(g grain, at int64) bool {
	if g == byHour {
		return at < s.hour
	}
	return s.has(g, at)
}

// until is the hour up to which there are sums of a grain.
func (s summed) until(g grain, otherwise int64) int64 {
	switch g {
	case byDay:
		return min(s.day, otherwise)
	case byMonth:
		return min(s.month, otherwise)
	}
	return otherwise
}

func readSummed(ctx context.Context, tx *sql.Tx) (s summed, err error) {
	err = tx.QueryRowContext(ctx, "SELECT day, month, hour FROM summed").Scan(&s.day, &s.month, &s.hour)
	return s, err
}

// sumDays and sumMonths make the sums of what is over. What stands there is replaced:
// the finer sums are the truth.
const (
	sumDays = `INSERT INTO cells SELECT scope, 1, at/24*24, key, who, provider, model, ` + totals + ` FROM cells
 WHERE scope = ? AND grain = 0 AND at >= ? AND at < ? GROUP BY 1,2,3,4,5,6,7 ON CONFLICT DO UPDATE SET ` + replaced
	sumMonths = `INSERT INTO cells SELECT scope, 2, CAST(strftime('%s', at*3600, 'unixepoch', 'start of month') AS INTEGER)/3600, key, who, provider, model, ` + totals + ` FROM cells
 WHERE scope = ? AND grain = 1 AND at >= ? AND at < ? GROUP BY 1,2,3,4,5,6,7 ON CONFLICT DO UPDATE SET ` + replaced
	replaced = `attempts = excluded.attempts, requests = excluded.requests, prompt = excluded.prompt, cached = excluded.cached,
 output = excluded.output, cost = excluded.cost, estimated = excluded.estimated, unpriced = excluded.unpriced`
)

// lateness is how long after its end an hour, day or month counts as over: rows are
// booked when their attempts end, and are put down at their begin.
const lateness = 15 * time.Minute

// sumUp makes the sums of the days and months that are over by the newest of some rows,
// before those are added, and packs what is over.
func sumUp(ctx context.Context, tx *sql.Tx, rows []Booking) (summed, error) {
	s, err := readSummed(ctx, tx)
	if err != nil || len(rows) == 0 {
		return s, err
	}
	newest := rows[0].Entry.Begun
	for i := range rows {
		if t := rows[i].Entry.Begun; t.After(newest) {
			newest = t
		}
	}
	newest = newest.Add(-lateness)
	next := summed{max(s.day, byDay.start(newest)), max(s.month, byMonth.start(newest)), max(s.hour, byHour.start(newest))}
	if next == s {
		return s, nil
	}
	for sc := ofAll; sc <= ofTag; sc++ {
		if _, err := tx.ExecContext(ctx, sumDays, sc, s.day, next.day); err != nil {
			return s, err
		}
		if _, err := tx.ExecContext(ctx, sumMonths, sc, s.month, next.month); err != nil {
			return s, err
		}
	}
	if err := pack(ctx, tx, s, next); err != nil {
		return s, err
	}
	_, err = tx.ExecContext(ctx, "UPDATE summed SET day = ?, month = ?, hour = ?", next.day, next.month, next.hour)
	return next, err
}

// fold sums rows up by the cells they belong to.
type fold struct {
	cells  map[cell]*sums
	summed summed
}

func newFold(s summed) fold { return fold{map[cell]*sums{}, s} }

func (f fold) add(e *gateway.Entry) {
	for g := byHour; g <= byMonth; g++ {
		c := cell{grain: g, at: g.start(e.Begun), provider: e.Provider, model: e.Model}
		if !f.summed.has(g, c.at) {
			continue
		}
		f.at(c).add(e)
		c.scope, c.key, c.who = ofKey, e.Key, e.Team
		f.at(c).add(e)
		if e.Run != "" {
			c.scope, c.who = ofRun, e.Run
			f.at(c).add(e)
		}
		for name, value := range e.Tags {
			c.scope, c.who = ofTag, name+"="+value
			f.at(c).add(e)
		}
	}
}

func (f fold) at(c cell) *sums {
	s := f.cells[c]
	if s == nil {
		s = &sums{}
		f.cells[c] = s
	}
	return s
}
