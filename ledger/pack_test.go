package ledger

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"gateway"
)

// Both ways of reading give the same report, line by line, for every combination of
// groups and filters, also while rows come late and the clock goes back and forth.
func TestPacksSayWhatTheCellsSay(t *testing.T) {
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 1))
		dir := t.TempDir()
		s := openStore(t, dir)
		at := time.Date(2026, 9, 28, 22, 0, 0, 0, time.UTC)
		for n := range 150 {
			at = at.Add(time.Duration(r.IntN(12*60)) * time.Minute)
			var batch []gateway.Entry
			for i := range 1 + r.IntN(9) {
				batch = append(batch, anyRow(r, fmt.Sprint(n, "-", i), at.Add(-time.Duration(r.IntN(20))*time.Minute)))
			}
			switch r.IntN(8) {
			case 0: // an answer that took a day
				batch[0].Begun = at.Add(-24 * time.Hour)
			case 1:
				batch[0].Begun = at.AddDate(0, -1, 0)
			case 2:
				s.Close()
				s = openStore(t, dir)
			}
			mustAppend(t, s, batch...)
		}
		if v, err := s.Verify(t.Context()); err != nil || len(v.Wrong) > 0 || v.Packs == 0 {
			t.Fatalf("seed %d: %+v, %v", seed, v, err)
		}
		for range 600 {
			compareReports(t, s, anyQuery(r, at))
		}
	}
}

func anyRow(r *rand.Rand, request string, at time.Time) gateway.Entry {
	e := row(request, 1)
	k := r.IntN(5)
	e.Begun, e.Key, e.Team = at, fmt.Sprint("k", k), []string{"", "red", "blue"}[k%3]
	e.Provider, e.Model = fmt.Sprint("p", r.IntN(2)), []string{"m", "n", "p1/m", "é"}[r.IntN(4)]
	e.Cost, e.Winner, e.Priced = gateway.Microcents(r.IntN(1e9)), r.IntN(2) == 0, r.IntN(5) > 0
	e.Tags = []map[string]string{nil, {"env": "prod"}, {"env": "test", "é": "=x"}}[r.IntN(3)]
	e.Run = []string{"", "", "run1", "run2"}[r.IntN(4)]
	if !e.Priced {
		e.Cost = 0
	}
	return e
}

func anyQuery(r *rand.Rand, end time.Time) gateway.SpendQuery {
	one := func(words ...string) string { return words[r.IntN(len(words))] }
	var q gateway.SpendQuery
	if r.IntN(4) > 0 {
		q.From = end.Add(-time.Duration(r.IntN(60*24)) * time.Hour)
	}
	if r.IntN(3) == 0 {
		q.To = end.Add(-time.Duration(r.IntN(30*24)) * time.Hour)
	}
	q.Provider, q.Model = one("", "", "", "p1"), one("", "", "", "m", "p1/m", "p0/p1/m")
	groups := []string{"provider", "model", "key", "hour", "day", "month"}
	switch r.IntN(4) {
	case 0:
		groups, q.Team = append(groups, "team"), one("", "red")
	case 1:
		groups, q.Tag = append(groups, "tag", "tag:env", "tag:é"), one("", "env=prod")
	case 2:
		groups = append(groups, "run")
	}
	r.Shuffle(len(groups), func(i, j int) { groups[i], groups[j] = groups[j], groups[i] })
	q.By = groups[:r.IntN(4)]
	return q
}

func compareReports(t *testing.T, s *Store, q gateway.SpendQuery) {
	t.Helper()
	tx, err := s.read.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	done, err := readSummed(t.Context(), tx)
	if err != nil {
		t.Fatal(err)
	}
	got, err := tallied(t.Context(), tx, q, done)
	if err != nil {
		t.Fatal(err)
	}
	want, err := summedUp(t.Context(), tx, q, done)
	if err != nil {
		t.Fatal(err)
	}
	if len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v:\n%+v\nwant\n%+v", q, got, want)
	}
}

// A place that gets late rows again and again is packed anew, and stays right.
func TestLateRowsArePackedAnew(t *testing.T) {
	s := openStore(t, t.TempDir())
	mustAppend(t, s, row("now", 1))
	for i := range 2*lateMost + 3 {
		e := row(fmt.Sprint("late", i), 1)
		e.Begun = when.AddDate(0, -2, 0)
		mustAppend(t, s, e)
	}
	var parts int
	if err := s.read.QueryRow("SELECT MAX(n) FROM (SELECT COUNT(*) n FROM packs GROUP BY scope, grain, at)").Scan(&parts); err != nil || parts > lateMost || parts < 2 {
		t.Errorf("%d packs in one place, %v", parts, err)
	}
	if v, err := s.Verify(t.Context()); err != nil || len(v.Wrong) > 0 {
		t.Errorf("%+v, %v", v, err)
	}
	if l := total(t, s); l.Attempts != int64(2*lateMost+4) {
		t.Errorf("%+v", l)
	}
}

func TestManyCellsMakeManyPacks(t *testing.T) {
	s := openStore(t, t.TempDir())
	var rows []gateway.Entry
	for i := range packMost + 10 {
		e := row(fmt.Sprint("r", i), 1)
		e.Key = fmt.Sprint("key", i)
		rows = append(rows, e)
	}
	mustAppend(t, s, rows...)
	later := row("later", 1)
	later.Begun = when.AddDate(0, 2, 0)
	mustAppend(t, s, later)
	if v, err := s.Verify(t.Context()); err != nil || len(v.Wrong) > 0 {
		t.Errorf("%+v, %v", v, err)
	}
	lines, err := s.Spend(t.Context(), gateway.SpendQuery{By: []string{"key"}, To: when.AddDate(0, 1, 0)})
	if err != nil || len(lines) != packMost+10 {
		t.Errorf("%d lines, %v", len(lines), err)
	}
}

func FuzzUnpack(f *testing.F) {
	var p packer
	p.add(&cell{key: "k", who: "w", provider: "p", model: "m"}, &sums{1, 1, 10, 2, 3, -5, 1 << 60, 0})
	p.add(&cell{key: "k", provider: strings.Repeat("p", 300)}, &sums{attempts: 1})
	f.Add(p.bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		var again packer
		var texts []string
		n := 0
		err := unpack(b, func(list []string) { texts = list }, func(of [4]uint64, s *sums) {
			again.add(&cell{key: texts[of[0]], who: texts[of[1]], provider: texts[of[2]], model: texts[of[3]]}, s)
			n++
		})
		if err != nil {
			return
		}
		want := n
		if err := unpack(again.bytes(), func([]string) {}, func([4]uint64, *sums) { n-- }); err != nil || n != 0 {
			t.Errorf("packed again: %v, %d of %d left", err, n, want)
		}
	})
}

// Books of the version before packs are packed when they are opened, to be written or to
// be read; beside an older gateway that writes them they cannot be read, and it is said.
func TestBooksWithoutPacksAreBroughtForward(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	r := rand.New(rand.NewPCG(3, 3))
	for i := range 300 {
		mustAppend(t, s, anyRow(r, fmt.Sprint("r", i), when.Add(time.Duration(i)*5*time.Hour)))
	}
	query := gateway.SpendQuery{By: []string{"key", "model", "month"}}
	want, err := s.Spend(t.Context(), query)
	if err != nil || len(want) < 20 {
		t.Fatal(len(want), err)
	}
	if _, err := s.write.Exec("DROP TABLE packs; ALTER TABLE summed DROP COLUMN hour; PRAGMA user_version = 4"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{ReadOnly: true}); err == nil || !strings.Contains(err.Error(), "version 4") {
		t.Errorf("beside an older gateway: %v", err)
	}
	s.Close()
	reader, err := Open(dir, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	got, err := reader.Spend(t.Context(), query)
	if err := errors.Join(err, reader.Close()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v\nwant %v", got, err, want)
	}
	s = openStore(t, dir)
	mustAppend(t, s, anyRow(r, "late", when), anyRow(r, "new", when.AddDate(0, 4, 0)))
	if v, err := s.Verify(t.Context()); err != nil || len(v.Wrong) > 0 || v.Packs == 0 {
		t.Errorf("%+v, %v", v, err)
	}
}
