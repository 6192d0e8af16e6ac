package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gateway"
)

// Whatever is asked, the cells give what the rows themselves come to.
func TestSpendIsTheSumOfTheRows(t *testing.T) {
	s := openStore(t, t.TempDir())
	var rows []gateway.Entry
	begin := time.Date(2026, 9, 28, 0, 0, 0, 0, time.UTC)
	for i := range 600 {
		e := row(fmt.Sprint("r", i), 1)
		e.Begun = begin.Add(time.Duration(i*i) * 23 * time.Second) // denser at the start; to the end of December
		e.Provider, e.Key, e.Team = []string{"a", "b"}[i%2], fmt.Sprint("k", i%3), []string{"", "t1", "t2"}[i%3]
		e.Run, e.Cost = []string{"", "", "run1", "run2"}[i%4], gateway.Microcents(i)
		e.Tags = map[string]string{"env": []string{"test", "prod"}[i%2], "é": fmt.Sprint(i % 5)}
		rows = append(rows, e)
	}
	mustAppend(t, s, rows...)
	rapid.Check(t, func(rt *rapid.T) {
		at := func(name string) time.Time {
			if rapid.IntRange(0, 4).Draw(rt, name+" open") == 0 {
				return time.Time{}
			}
			h := rapid.IntRange(-48, 24*110).Draw(rt, name)
			if rapid.Bool().Draw(rt, name+" at midnight") {
				h = h / 24 * 24
			}
			return begin.Add(time.Duration(h)*time.Hour + time.Duration(rapid.SampledFrom([]int{0, 0, 1, 10 * 60e9, 3600e9 - 1}).Draw(rt, name+" within the hour")))
		}
		q := gateway.SpendQuery{From: at("from"), To: at("to")}
		q.Provider = rapid.SampledFrom([]string{"", "a"}).Draw(rt, "provider")
		q.Key = rapid.SampledFrom([]string{"", "k1"}).Draw(rt, "key")
		q.By = []string{rapid.SampledFrom([]string{"hour", "day", "month", "model", "provider"}).Draw(rt, "by")}
		switch rapid.IntRange(0, 6).Draw(rt, "of") {
		case 1:
			q.Run = "run1"
		case 2:
			q.Tag = "env=prod"
		case 3:
			q.Team = "t2"
		case 4:
			q.By = append(q.By, "run")
		case 5:
			q.By = append(q.By, "tag:é")
		case 6:
			q.By = append(q.By, "team", "key")
		}
		want := map[string]gateway.Microcents{}
		for i := range rows {
			if e := &rows[i]; chosen(e, q.WholeHours()) {
				want[group(e, q.By)] += e.Cost
			}
		}
		lines, err := s.Spend(context.Background(), q)
		if err != nil {
			rt.Fatal(err)
		}
		for _, l := range lines {
			name := ""
			for _, g := range q.By {
				name += l.Group[g] + "|"
			}
			if want[name] != l.Cost {
				rt.Fatalf("%+v: %s costs %d, want %d", q, name, l.Cost, want[name])
			}
			delete(want, name)
		}
		for name, cost := range want {
			if cost != 0 {
				rt.Fatalf("%+v: %s is missing", q, name)
			}
		}
	})
}

// Hours that are asked for in part are in the sum whole, the present one too.
func TestPartsOfHoursAreNotDropped(t *testing.T) {
	s := openStore(t, t.TempDir())
	e := row("r", 1)
	e.Begun = time.Date(2026, 11, 24, 9, 20, 0, 0, time.UTC)
	mustAppend(t, s, e)
	at := func(hour, minute int) time.Time { return time.Date(2026, 11, 24, hour, minute, 0, 0, time.UTC) }
	for _, c := range []struct {
		from, to time.Time
		want     int64
	}{
		{at(9, 10), at(9, 50), 1}, {time.Time{}, at(9, 21), 1}, {at(9, 59), time.Time{}, 1}, {at(9, 0), at(10, 0), 1},
		{at(10, 0), at(10, 30), 0}, {at(8, 1), at(9, 0), 0}, {at(9, 10).In(time.FixedZone("half", 1800)), at(9, 50), 1},
	} {
		for _, key := range []string{"", e.Key} {
			lines, err := s.Spend(t.Context(), gateway.SpendQuery{From: c.from, To: c.to, Key: key})
			if err != nil || len(lines) != 1 || lines[0].Attempts != c.want {
				t.Errorf("%v to %v: %+v, %v; want %d", c.from, c.to, lines, err, c.want)
			}
		}
	}
}

func chosen(e *gateway.Entry, q gateway.SpendQuery) bool {
	by := q.By[len(q.By)-1]
	return (q.From.IsZero() || !e.Begun.Before(q.From)) && (q.To.IsZero() || e.Begun.Before(q.To)) &&
		(q.Provider == "" || q.Provider == e.Provider) && (q.Key == "" || q.Key == e.Key) && (q.Team == "" || q.Team == e.Team) &&
		(q.Run == "" && by != "run" || e.Run != "" && (q.Run == "" || q.Run == e.Run)) &&
		(q.Tag == "" || q.Tag == "env="+e.Tags["env"])
}

func group(e *gateway.Entry, by []string) (name string) {
	for _, g := range by {
		name += map[string]string{"provider": e.Provider, "model": e.Provider + "/" + e.Model, "key": e.Key, "team": e.Team, "run": e.Run,
			"tag:é": e.Tags["é"], "hour": e.Begun.Format("2006-01-02T15:00Z"), "day": e.Begun.Format(time.DateOnly), "month": e.Begun.Format("2006-01")}[g] + "|"
	}
	return name
}

func TestSpendRefusesWhatItCannotSum(t *testing.T) {
	s := openStore(t, t.TempDir())
	for _, q := range []gateway.SpendQuery{
		{By: []string{"prompt; DROP TABLE attempts"}}, {By: []string{"tag:"}}, {By: []string{"day", "day"}}, {By: []string{""}},
		{By: []string{"run", "tag"}}, {By: []string{"team"}, Run: "r"}, {Team: "a", Tag: "b=c"},
	} {
		if _, err := s.Spend(t.Context(), q); gateway.KindOf(err) != gateway.Invalid {
			t.Errorf("%+v: %v", q, err)
		}
	}
}

// Books of the first version keep their sums, and get those by day, month and tag.
func TestBooksOfTheFirstVersionAreBroughtForward(t *testing.T) {
	dir := t.TempDir()
	db, err := sql.Open("sqlite", filepath.Join(dir, "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(first + "; PRAGMA user_version = 1"); err != nil {
		t.Fatal(err)
	}
	for i, at := range []time.Time{when, when.Add(time.Minute), when.AddDate(0, 1, 0)} {
		if _, err := db.Exec(`INSERT INTO attempts VALUES (?,1,'k','{"team":"a","env":"x"}','chat','primary','p','m','auto',?,0,0,'ok',200,'stop',1,0,
			10,1,0,0,5,0,'estimated',100,0,1,'2026-11-10')`, fmt.Sprint("r", i), at.UnixNano()); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(`INSERT INTO rollups VALUES (?,'p','m','k',1,1,11,1,5,100,100,0) ON CONFLICT DO UPDATE SET attempts=attempts+1,
			requests=requests+1,prompt=prompt+11,cached=cached+1,output=output+5,cost=cost+100,estimated=estimated+100`, at.Unix()/3600); err != nil {
			t.Fatal(err)
		}
	}
	db.Close()
	s := openStore(t, dir)
	if v, err := s.Verify(t.Context()); err != nil || len(v.Wrong) > 0 || v.Rows != 3 || v.Unnamed != 3 {
		t.Errorf("%+v, %v", v, err)
	}
	lines, err := s.Spend(t.Context(), gateway.SpendQuery{Tag: "env=x", By: []string{"month"}})
	if err != nil || len(lines) != 2 || lines[0].Cost != 200 || lines[0].Group["month"] != "2026-11" {
		t.Errorf("%+v, %v", lines, err)
	}
}

func TestRowsAreChosenAndStreamed(t *testing.T) {
	s := openStore(t, t.TempDir())
	other := row("r2", 1)
	other.Tags, other.Run, other.Team, other.Outcome, other.Begun = map[string]string{"env": "a\"b"}, "run", "red", "timeout", when.Add(time.Hour)
	mustAppend(t, s, row("r1", 1), row("r1", 2), other)
	for _, c := range []struct {
		q    RowQuery
		want string
	}{
		{RowQuery{}, "r1/1 r1/2 r2/1 "},
		{RowQuery{Limit: 2}, "r2/1 r1/2 "},
		{RowQuery{Request: "r1"}, "r1/1 r1/2 "},
		{RowQuery{Outcome: "timeout"}, "r2/1 "},
		{RowQuery{SpendQuery: gateway.SpendQuery{Tag: "env=a\"b"}}, "r2/1 "},
		{RowQuery{SpendQuery: gateway.SpendQuery{Run: "run", Team: "red", Model: "deepseek/deepseek-flash", From: when.Add(time.Minute)}}, "r2/1 "},
		{RowQuery{SpendQuery: gateway.SpendQuery{To: when.Add(time.Minute), Model: "deepseek-flash", Provider: "deepseek", Key: "k1"}}, "r1/1 r1/2 "},
	} {
		got := ""
		err := s.Rows(t.Context(), c.q, func(e *gateway.Entry) error {
			got += fmt.Sprintf("%s/%d ", e.Request, e.Attempt)
			return nil
		})
		if err != nil || got != c.want {
			t.Errorf("%+v: %s, %v", c.q, got, err)
		}
	}
}
