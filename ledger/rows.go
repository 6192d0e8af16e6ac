package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"gateway"
)

const rowColumns = `request, attempt, key, tags, op, role, provider, model, asked, begun, first, took, outcome, status, finish,
 winner, stream, fresh, cached, write5m, write1h, output, reasoning, source, cost, billed, priced, pricedate, team, run, tariff`

// Request returns the rows of one request in order of their attempts.
func (s *Store) Request(ctx context.Context, id string) (out []gateway.Entry, err error) {
	if err := s.upToDate(ctx); err != nil {
		return nil, err
	}
	err = each(ctx, s.read, func(e *gateway.Entry) error {
		out = append(out, *e)
		return nil
	}, "SELECT "+rowColumns+" FROM attempts WHERE request = ? ORDER BY attempt", id)
	return out, err
}

// RowQuery chooses rows. Zero fields choose everything.
type RowQuery struct {
	gateway.SpendQuery        // By is not used
	Request, Outcome   string // Outcome: ok, or the word of a kind
	Limit              int    // the newest so many; 0: all, oldest first
}

// Rows gives the chosen rows to a function, one by one, without holding them all. The
// entry is valid during the call only. It ends with the function's first error.
func (s *Store) Rows(ctx context.Context, q RowQuery, give func(*gateway.Entry) error) error {
	if err := s.upToDate(ctx); err != nil {
		return err
	}
	var sel selection
	for _, f := range [][2]string{{"request", q.Request}, {"outcome", q.Outcome}, {"provider", q.Provider}, {"key", q.Key},
		{"team", q.Team}, {"run", q.Run}} {
		if f[1] != "" {
			sel.add(f[0]+" = ?", f[1])
		}
	}
	if q.Model != "" {
		sel.add("(model = ? OR provider || '/' || model = ?)", q.Model, q.Model)
	}
	if q.Tag != "" {
		sel.add("EXISTS (SELECT 1 FROM json_each(tags) t WHERE t.key || '=' || t.value = ?)", q.Tag)
	}
	if !q.From.IsZero() {
		sel.add("begun >= ?", q.From.UnixNano())
	}
	if !q.To.IsZero() {
		sel.add("begun < ?", q.To.UnixNano())
	}
	sql := "SELECT " + rowColumns + " FROM attempts"
	if len(sel.where) > 0 {
		sql += " WHERE " + strings.Join(sel.where, " AND ")
	}
	if q.Limit > 0 {
		sql += " ORDER BY begun DESC, request DESC, attempt DESC LIMIT ?"
		sel.args = append(sel.args, q.Limit)
	} else {
		sql += " ORDER BY begun, request, attempt"
	}
	return each(ctx, s.read, give, sql, sel.args...)
}

// asker is a database or a transaction.
type asker interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func each(ctx context.Context, from asker, give func(*gateway.Entry) error, query string, args ...any) error {
	rows, err := from.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("reading the ledger: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		e, err := scanEntry(rows)
		if err != nil {
			return fmt.Errorf("reading the ledger: %w", err)
		}
		if err := give(&e); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading the ledger: %w", err)
	}
	return nil
}

func scanEntry(rows *sql.Rows) (gateway.Entry, error) {
	var e gateway.Entry
	var tags string
	var begun int64
	u := &e.Usage
	err := rows.Scan(&e.Request, &e.Attempt, &e.Key, &tags, &e.Op, &e.Role, &e.Provider, &e.Model, &e.Asked,
		&begun, &e.FirstContent, &e.Took, &e.Outcome, &e.Status, &e.Finish, &e.Winner, &e.Stream,
		&u.Fresh, &u.CachedRead, &u.CacheWrite5m, &u.CacheWrite1h, &u.Output, &u.Reasoning, &e.Source,
		&e.Cost, &u.HasBilled, &e.Priced, &e.PriceDate, &e.Team, &e.Run, &e.Tariff)
	if err != nil {
		return e, err
	}
	e.Begun = time.Unix(0, begun).UTC()
	u.Reported = e.Source == gateway.UsageReported
	if u.HasBilled {
		u.Billed = e.Cost
	}
	if tags != "{}" {
		err = json.Unmarshal([]byte(tags), &e.Tags)
	}
	return e, err
}
