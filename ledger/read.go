package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"gateway"
)

// Spend sums up what was spent, from the cells: its cost does not grow with the number
// of rows. An hour that is asked for in part is summed whole (see SpendQuery.WholeHours). A
// row with several tags is in the group of each. Its error is of kind Invalid
// for a query that the cells cannot answer.
func (s *Store) Spend(ctx context.Context, q gateway.SpendQuery) ([]gateway.SpendLine, error) {
	if err := s.upToDate(ctx); err != nil {
		return nil, err
	}
	if err := CheckSpend(q); err != nil {
		return nil, err
	}
	q = q.WholeHours()
	tx, err := s.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("reading the ledger: %w", err)
	}
	defer tx.Rollback()
	done, err := readSummed(ctx, tx)
	if err != nil {
		return nil, fmt.Errorf("reading the ledger: %w", err)
	}
	var out []gateway.SpendLine
	if q.Key == "" && q.Run == "" {
		out, err = tallied(ctx, tx, q, done)
	} else {
		out, err = summedUp(ctx, tx, q, done)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the ledger: %w", err)
	}
	return out, nil
}

// summedUp reads cells of a key or a run: they have an index, and are few.
func summedUp(ctx context.Context, tx *sql.Tx, q gateway.SpendQuery, done summed) (out []gateway.SpendLine, err error) {
	query, args, err := spendSQL(q, done)
	if err != nil {
		return nil, err
	}
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		line, err := scanLine(rows, q.By)
		if err != nil {
			return nil, err
		}
		out = append(out, line)
	}
	return out, rows.Err()
}

// CheckSpend is the error that Spend would have for a query, without any books.
func CheckSpend(q gateway.SpendQuery) error {
	_, err := scopeOf(q)
	return err
}

// groups are the SQL of what a report can be grouped by.
var groups = map[string]string{
	"provider": "provider", "model": "provider || '/' || model", "key": "key", "team": "who", "run": "who", "tag": "who",
	"hour": "strftime('%Y-%m-%dT%H:00Z', at*3600, 'unixepoch')", "day": "strftime('%Y-%m-%d', at*3600, 'unixepoch')",
	"month": "strftime('%Y-%m', at*3600, 'unixepoch')",
}

const totals = `COALESCE(SUM(attempts),0), COALESCE(SUM(requests),0), COALESCE(SUM(prompt),0), COALESCE(SUM(cached),0),
 COALESCE(SUM(output),0), COALESCE(SUM(cost),0), COALESCE(SUM(estimated),0), COALESCE(SUM(unpriced),0)`

// selection gathers the conditions of a query.
type selection struct {
	by    []string // SQL
	where []string
	args  []any
}

func (s *selection) add(cond string, args ...any) {
	s.where, s.args = append(s.where, cond), append(s.args, args...)
}

func spendSQL(q gateway.SpendQuery, done summed) (string, []any, error) {
	sc, err := scopeOf(q)
	if err != nil {
		return "", nil, err
	}
	var sel selection
	for _, g := range q.By {
		if name, ok := strings.CutPrefix(g, "tag:"); ok {
			sel.by = append(sel.by, fmt.Sprintf("substr(who, %d)", len([]rune(name))+2))
			sel.add("substr(who, 1, ?) = ?", len([]rune(name))+1, name+"=")
			continue
		}
		sel.by = append(sel.by, groups[g])
	}
	sel.add("scope = ?", sc)
	for _, f := range [][2]string{{"provider", q.Provider}, {"key", q.Key}, {"who", q.Team}, {"who", q.Run}, {"who", q.Tag}} {
		if f[1] != "" {
			sel.add(f[0]+" = ?", f[1])
		}
	}
	if q.Model != "" {
		sel.add("(model = ? OR provider || '/' || model = ?)", q.Model, q.Model)
	}
	from, args := sel.over(span(q, finest(q.By), done))
	sql := "SELECT " + strings.Join(append(slices.Clone(sel.by), totals), ", ") + " FROM (" + from + ")"
	if len(sel.by) > 0 {
		by := strings.Join(sel.by, ", ")
		sql += " GROUP BY " + by + " ORDER BY " + by
	}
	return sql, args, nil
}

// over reads the cells of each stretch by itself: the index that leads to one stretch
// does not lead to several that are joined by OR.
func (s *selection) over(stretches []stretch) (string, []any) {
	if len(stretches) == 0 {
		stretches = []stretch{{}}
	}
	var parts []string
	var args []any
	from := "SELECT * FROM cells" + s.index()
	for _, st := range stretches {
		parts = append(parts, from+" WHERE "+strings.Join(s.where, " AND ")+" AND grain = ? AND at >= ? AND at < ?")
		args = append(append(args, s.args...), st.grain, st.from, st.to)
	}
	return strings.Join(parts, " UNION ALL "), args
}

// index names the index of the key or of who is asked for. Without a count of its cells SQLite
// takes the table's own order, and reads everybody's.
func (s *selection) index() string {
	switch {
	case slices.Contains(s.where, "key = ?"):
		return " INDEXED BY cells_key"
	case slices.Contains(s.where, "who = ?"):
		return " INDEXED BY cells_who"
	}
	return ""
}

// scopeOf says which cells answer a query. Runs, tags and teams are each summed for
// themselves, so a query names at most one of them.
func scopeOf(q gateway.SpendQuery) (scope, error) {
	wants := map[string]bool{"run": q.Run != "", "tag": q.Tag != "", "team": q.Team != "", "key": q.Key != ""}
	seen := map[string]bool{}
	for _, g := range q.By {
		word := g
		if name, ok := strings.CutPrefix(g, "tag:"); ok && name != "" {
			word = "tag"
		}
		if !slices.Contains(gateway.SpendGroups, word) {
			return 0, gateway.Errorf(gateway.Invalid, "cannot group by %q; can by %s, tag:NAME", g, strings.Join(gateway.SpendGroups, ", "))
		}
		if seen[g] {
			return 0, gateway.Errorf(gateway.Invalid, "cannot group by %q twice", g)
		}
		seen[g] = true
		wants[word] = true
	}
	n := 0
	for _, word := range []string{"run", "tag", "team"} {
		if wants[word] {
			n++
		}
	}
	switch {
	case n > 1:
		return 0, gateway.Errorf(gateway.Invalid, "a report can be of runs, of tags or of teams, but not of two of them; the rows themselves can be exported")
	case wants["run"]:
		return ofRun, nil
	case wants["tag"]:
		return ofTag, nil
	case wants["team"], wants["key"]:
		return ofKey, nil
	}
	return ofAll, nil
}

// finest is the longest grain that still tells the groups apart.
func finest(by []string) grain {
	switch {
	case slices.Contains(by, "hour"):
		return byHour
	case slices.Contains(by, "day"):
		return byDay
	}
	return byMonth
}

// stretch are the cells of one grain from one hour to another.
type stretch struct {
	grain    grain
	from, to int64
}

// span chooses the cells between two times: whole months where they fit, then days,
// then hours at the edges, and hours for what has no longer sums yet. No hour is in two
// of them.
func span(q gateway.SpendQuery, longest grain, done summed) (parts []stretch) {
	const first, last = -1 << 40, 1 << 40 // hours; before and after all time
	from, to := int64(first), int64(last)
	if !q.From.IsZero() {
		from = hour(q.From)
	}
	if !q.To.IsZero() {
		to = hour(q.To)
	}
	add := func(g grain, from, to int64) {
		if from < to {
			parts = append(parts, stretch{g, from, to})
		}
	}
	// Each grain covers the middle that is left to it; what remains at both edges goes to the next finer one.
	lo, hi := from, from // covered so far: [lo, hi)
	for g := longest; ; g-- {
		a, b := from, to
		if from != first {
			a = g.next(from)
		}
		if to != last {
			b = g.start(hours(to))
		}
		b = done.until(g, b)
		switch {
		case lo == hi && a < b:
			add(g, a, b)
			lo, hi = a, b
		case lo < hi:
			add(g, a, lo)
			add(g, hi, b)
			lo, hi = min(a, lo), max(b, hi)
		}
		if g == byHour {
			break
		}
	}
	return parts
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
