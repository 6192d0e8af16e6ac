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

// groups are what a report can be grouped by, with the SQL for it.
var groups = map[string]string{
	"provider": "provider", "model": "provider || '/' || model", "key": "key",
	"day": "strftime('%Y-%m-%d', hour*3600, 'unixepoch')", "hour": "strftime('%Y-%m-%dT%H:00Z', hour*3600, 'unixepoch')",
}

// Spend sums up what was spent, from the rollups: its cost does not grow with the
// number of rows. From and To are rounded down to hours. Its error is of kind Invalid
// for an unknown group.
func (s *Store) Spend(ctx context.Context, q gateway.SpendQuery) ([]gateway.SpendLine, error) {
	query, args, err := spendSQL(q)
	if err != nil {
		return nil, err
	}
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("reading the ledger: %w", err)
	}
	defer rows.Close()
	var out []gateway.SpendLine
	for rows.Next() {
		line, err := scanLine(rows, q.By)
		if err != nil {
			return nil, fmt.Errorf("reading the ledger: %w", err)
		}
		out = append(out, line)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading the ledger: %w", err)
	}
	return out, nil
}

const sums = `COALESCE(SUM(attempts),0), COALESCE(SUM(requests),0), COALESCE(SUM(prompt),0), COALESCE(SUM(cached),0),
 COALESCE(SUM(output),0), COALESCE(SUM(cost),0), COALESCE(SUM(estimated),0), COALESCE(SUM(unpriced),0)`

func spendSQL(q gateway.SpendQuery) (string, []any, error) {
	var by []string
	for _, g := range q.By {
		expr, ok := groups[g]
		if !ok {
			return "", nil, gateway.Errorf(gateway.Invalid, "cannot group by %q; can by provider, model, key, day, hour", g)
		}
		by = append(by, expr)
	}
	var where []string
	var args []any
	add := func(cond string, arg any) { where, args = append(where, cond), append(args, arg) }
	if !q.From.IsZero() {
		add("hour >= ?", hour(q.From))
	}
	if !q.To.IsZero() {
		add("hour < ?", hour(q.To))
	}
	for _, f := range [][2]string{{"provider", q.Provider}, {"model", q.Model}, {"key", q.Key}} {
		if f[1] != "" {
			add(f[0]+" = ?", f[1])
		}
	}
	sql := "SELECT " + strings.Join(append(by, sums), ", ") + " FROM rollups"
	if len(where) > 0 {
		sql += " WHERE " + strings.Join(where, " AND ")
	}
	if len(by) > 0 {
		sql += " GROUP BY " + strings.Join(by, ", ") + " ORDER BY " + strings.Join(by, ", ")
	}
	return sql, args, nil
}

func scanLine(rows *sql.Rows, by []string) (gateway.SpendLine, error) {
	var l gateway.SpendLine
	names := make([]string, len(by))
	dest := make([]any, 0, len(by)+8)
	for i := range names {
		dest = append(dest, &names[i])
	}
	dest = append(dest, &l.Attempts, &l.Requests, &l.Prompt, &l.Cached, &l.Output, &l.Cost, &l.Estimated, &l.Unpriced)
	if err := rows.Scan(dest...); err != nil {
		return l, err
	}
	if len(by) > 0 {
		l.Group = map[string]string{}
		for i, g := range by {
			l.Group[g] = names[i]
		}
	}
	return l, nil
}

// Request returns the rows of one request in order of their attempts.
func (s *Store) Request(ctx context.Context, id string) ([]gateway.Entry, error) {
	return s.entries(ctx, "SELECT * FROM attempts WHERE request = ? ORDER BY attempt", id)
}

func (s *Store) entries(ctx context.Context, query string, args ...any) ([]gateway.Entry, error) {
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("reading the ledger: %w", err)
	}
	defer rows.Close()
	var out []gateway.Entry
	for rows.Next() {
		e, err := scanEntry(rows)
		if err != nil {
			return nil, fmt.Errorf("reading the ledger: %w", err)
		}
		out = append(out, e)
	}
	return out, rows.Err()
}

func scanEntry(rows *sql.Rows) (gateway.Entry, error) {
	var e gateway.Entry
	var tags string
	var begun int64
	u := &e.Usage
	err := rows.Scan(&e.Request, &e.Attempt, &e.Key, &tags, &e.Op, &e.Role, &e.Provider, &e.Model, &e.Asked,
		&begun, &e.FirstContent, &e.Took, &e.Outcome, &e.Status, &e.Finish, &e.Winner, &e.Stream,
		&u.Fresh, &u.CachedRead, &u.CacheWrite5m, &u.CacheWrite1h, &u.Output, &u.Reasoning, &e.Source,
		&e.Cost, &u.HasBilled, &e.Priced, &e.PriceDate)
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

// Verify recomputes every rollup from the rows and names each that differs.
func (s *Store) Verify(ctx context.Context) ([]string, error) {
	const fold = `SELECT begun/3600000000000 AS hour, provider, model, key, COUNT(*), SUM(winner),
 SUM(fresh+cached+write5m+write1h), SUM(cached), SUM(output), SUM(cost),
 SUM(CASE source WHEN 'estimated' THEN cost ELSE 0 END), SUM(1-priced) FROM attempts GROUP BY 1,2,3,4`
	const diff = `SELECT * FROM (SELECT 'rollup without its rows: ' || hour || ' ' || provider || '/' || model || ' ' || key AS what
 FROM (SELECT * FROM rollups EXCEPT ` + fold + `) UNION ALL
 SELECT 'rows without their rollup: ' || hour || ' ' || provider || '/' || model || ' ' || key
 FROM (` + fold + ` EXCEPT SELECT * FROM rollups)) LIMIT 100`
	rows, err := s.read.QueryContext(ctx, diff)
	if err != nil {
		return nil, fmt.Errorf("verifying the ledger: %w", err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var what string
		if err := rows.Scan(&what); err != nil {
			return nil, fmt.Errorf("verifying the ledger: %w", err)
		}
		out = append(out, what)
	}
	return out, rows.Err()
}
