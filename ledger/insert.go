package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"gateway"
)

// rowsAtOnce is how many rows one statement inserts. A row cost 14 us of CPU alone, 9 among
// sixteen, and 7 among sixteen alike (go test ./ledger -run xxx -bench Apply); forty at once
// gain nothing more.
const rowsAtOnce = 16

// errTwice says that a row among several was there already.
var errTwice = errors.New("a row is there already")

// own are the columns that differ from row to row, in the order of ownColumns. The others
// are words such as the key and the model, which are mostly those of the row before.
var own = [...]int{0, 1, 9, 10, 11, 17, 18, 21, 22, 24}

// insertRows inserts so many rows; one that is there already changes nothing. If they are
// alike, all columns of the first are given and of the others only their own.
func insertRows(n int, alike bool) string {
	var sql strings.Builder
	sql.WriteString("INSERT INTO attempts VALUES ")
	for row := range n {
		for column := range rowWidth {
			switch {
			case column > 0:
				sql.WriteString(",")
			case row > 0:
				sql.WriteString(",(")
			default:
				sql.WriteString("(")
			}
			if alike && row > 0 && !slices.Contains(own[:], column) {
				sql.WriteString("?" + strconv.Itoa(column+1))
			} else {
				sql.WriteString("?") // the one after the highest
			}
		}
		sql.WriteString(")")
	}
	sql.WriteString(" ON CONFLICT DO NOTHING")
	return sql.String()
}

// alike says whether rows differ in nothing but their own columns.
func alike(rows []Booking) bool {
	a := &rows[0].Entry
	for i := 1; i < len(rows); i++ {
		b := &rows[i].Entry
		if a.Model != b.Model || a.Provider != b.Provider || a.Key != b.Key || a.Team != b.Team || a.Run != b.Run ||
			a.Op != b.Op || a.Role != b.Role || a.Asked != b.Asked || a.Outcome != b.Outcome || a.Status != b.Status ||
			a.Finish != b.Finish || a.Winner != b.Winner || a.Stream != b.Stream || a.Source != b.Source ||
			a.Usage.CacheWrite5m != b.Usage.CacheWrite5m || a.Usage.CacheWrite1h != b.Usage.CacheWrite1h ||
			a.Usage.HasBilled != b.Usage.HasBilled || a.Priced != b.Priced || a.PriceDate != b.PriceDate ||
			a.Tariff != b.Tariff || !maps.Equal(a.Tags, b.Tags) {
			return false
		}
	}
	return true
}

// insert writes rows, by most at a time, and says which of them are new; nil for all. Of
// several in one statement nobody can tell which was there: that is errTwice, and then they
// are to be written one by one.
func (s *Store) insert(ctx context.Context, tx *sql.Tx, rows []Booking, most int) (isNew []bool, err error) {
	args := make([]any, 0, rowWidth*most)
	if most == 1 {
		isNew = make([]bool, len(rows))
	} else if rows, args, err = s.insertMany(ctx, tx, rows, args); err != nil {
		return nil, err
	}
	one := tx.StmtContext(ctx, s.row)
	for i := range rows {
		n, err := affected(one.ExecContext(ctx, columns(args[:0], &rows[i].Entry)...))
		switch {
		case err != nil:
			return nil, err
		case isNew != nil:
			isNew[i] = n > 0
		case n == 0:
			return nil, errTwice
		}
	}
	return isNew, nil
}

// insertMany writes rows as long as there are rowsAtOnce, and gives those that are left.
func (s *Store) insertMany(ctx context.Context, tx *sql.Tx, rows []Booking, args []any) ([]Booking, []any, error) {
	same, other := tx.StmtContext(ctx, s.alike), tx.StmtContext(ctx, s.rows)
	for ; len(rows) >= rowsAtOnce; rows = rows[rowsAtOnce:] {
		stmt, next := other, columns
		if alike(rows[:rowsAtOnce]) {
			stmt, next = same, ownColumns
		}
		args = columns(args[:0], &rows[0].Entry)
		for i := 1; i < rowsAtOnce; i++ {
			args = next(args, &rows[i].Entry)
		}
		n, err := affected(stmt.ExecContext(ctx, args...))
		if err != nil {
			return nil, nil, err
		}
		if n < rowsAtOnce {
			return nil, nil, errTwice
		}
	}
	return rows, args, nil
}

func affected(res sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// rowWidth is how many columns a row has.
const rowWidth = 31

// columns appends a row's in the order of the table.
func columns(args []any, e *gateway.Entry) []any {
	tags := "{}"
	if len(e.Tags) > 0 {
		if b, err := json.Marshal(e.Tags); err == nil {
			tags = string(b)
		}
	}
	u := &e.Usage
	return append(args, e.Request, e.Attempt, e.Key, tags, e.Op, string(e.Role), e.Provider, e.Model, e.Asked,
		e.Begun.UnixNano(), int64(e.FirstContent), int64(e.Took), e.Outcome, e.Status, e.Finish, e.Winner, e.Stream,
		u.Fresh, u.CachedRead, u.CacheWrite5m, u.CacheWrite1h, u.Output, u.Reasoning, string(e.Source),
		int64(e.Cost), u.HasBilled, e.Priced, e.PriceDate, e.Team, e.Run, e.Tariff)
}

func ownColumns(args []any, e *gateway.Entry) []any {
	u := &e.Usage
	return append(args, e.Request, e.Attempt, e.Begun.UnixNano(), int64(e.FirstContent), int64(e.Took),
		u.Fresh, u.CachedRead, u.Output, u.Reasoning, int64(e.Cost))
}
