package ledger

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gateway"
)

var when = time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC)

func row(request string, attempt int) gateway.Entry {
	return gateway.Entry{Request: request, Attempt: attempt, Key: "k1", Tags: map[string]string{"team": "a"}, Op: "chat", Role: gateway.Primary,
		Provider: "deepseek", Model: "deepseek-flash", Asked: "auto", Begun: when, FirstContent: time.Second, Took: 2 * time.Second,
		Outcome: "ok", Finish: "stop", Winner: true, Stream: true,
		Usage:  gateway.Usage{Fresh: 10, CachedRead: 4, CacheWrite5m: 3, CacheWrite1h: 2, Output: 7, Reasoning: 5, Reported: true},
		Source: gateway.UsageReported, Cost: 1234, Priced: true, PriceDate: "2026-11-10"}
}

func openStore(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func mustAppend(t *testing.T, s *Store, rows ...gateway.Entry) int {
	t.Helper()
	n, err := s.Append(t.Context(), rows)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func total(t *testing.T, s *Store) gateway.SpendLine {
	t.Helper()
	lines, err := s.Spend(t.Context(), gateway.SpendQuery{})
	if err != nil || len(lines) != 1 {
		t.Fatalf("%v, %v", lines, err)
	}
	return lines[0]
}

// Whoever writes keeps few pages in memory, also on a connection that is made anew; whoever
// reads reports keeps many.
func TestTheWriterKeepsFewPages(t *testing.T) {
	s := openStore(t, t.TempDir())
	for range 2 {
		var write, read int
		if err := s.write.QueryRow("PRAGMA cache_size").Scan(&write); err != nil {
			t.Fatal(err)
		}
		if err := s.read.QueryRow("PRAGMA cache_size").Scan(&read); err != nil {
			t.Fatal(err)
		}
		if write != -1024 || read != -16384 {
			t.Errorf("the writer keeps %d KB and the reader %d, want 1024 and 16384", -write, -read)
		}
		s.write.SetMaxIdleConns(0) // the next one is another
		s.read.SetMaxIdleConns(0)
	}
}

func TestRowsReadBack(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	second := row("r1", 2)
	second.Tags, second.Source, second.Usage.Reported = nil, gateway.UsageEstimated, false
	mustAppend(t, s, row("r1", 1), second)
	s.Close()
	s = openStore(t, dir)
	got, err := s.Request(t.Context(), "r1")
	if err != nil || len(got) != 2 {
		t.Fatalf("%v, %v", got, err)
	}
	if want := fmt.Sprintf("%+v", row("r1", 1)); fmt.Sprintf("%+v", got[0]) != want {
		t.Errorf("got  %+v\nwant %s", got[0], want)
	}
	if l := total(t, s); l.Attempts != 2 || l.Cost != 2468 || l.Estimated != 1234 || l.Prompt != 38 || l.Output != 14 {
		t.Errorf("total %+v", l)
	}
}

func TestSecondSettleChangesNothing(t *testing.T) {
	s := openStore(t, t.TempDir())
	mustAppend(t, s, row("r1", 1))
	again := row("r1", 1)
	again.Cost = 999_999
	if n := mustAppend(t, s, again, row("r1", 2)); n != 1 {
		t.Errorf("%d doubled, want 1", n)
	}
	if l := total(t, s); l.Attempts != 2 || l.Cost != 2468 {
		t.Errorf("total %+v", l)
	}
}

func TestOneWriterPrivateFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := openStore(t, dir)
	mustAppend(t, s, row("r1", 1))
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("a second writer: %v", err)
	}
	r, err := Open(dir, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if l := total(t, r); l.Cost != 1234 {
		t.Errorf("a reader beside the writer sees %+v", l)
	}
	filepath.Walk(dir, func(p string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s can be read by others: %v", p, info.Mode())
		}
		return nil
	})
	if _, err := Open(t.TempDir(), Options{ReadOnly: true}); err == nil {
		t.Error("reading books that are not there succeeds")
	}
}

// Whatever is appended, doubled and reopened, the report is the fold of the rows.
func TestTotalsAreTheFoldOfTheRows(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "ledger")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		s, err := Open(dir, Options{})
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { s.Close() }()
		model := map[string]gateway.Entry{}
		for range rapid.IntRange(1, 12).Draw(rt, "batches") {
			var batch []gateway.Entry
			for range rapid.IntRange(1, 8).Draw(rt, "rows") {
				e := row(fmt.Sprint("r", rapid.IntRange(0, 9).Draw(rt, "request")), rapid.IntRange(1, 3).Draw(rt, "attempt"))
				e.Provider = rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "provider")
				e.Key = rapid.SampledFrom([]string{"", "k"}).Draw(rt, "key")
				e.Cost = gateway.Microcents(rapid.IntRange(0, 1e9).Draw(rt, "cost"))
				e.Begun = when.Add(time.Duration(rapid.IntRange(0, 200).Draw(rt, "minutes")) * time.Minute)
				e.Winner = rapid.Bool().Draw(rt, "winner")
				batch = append(batch, e)
				if id := fmt.Sprint(e.Request, e.Attempt); model[id].Request == "" {
					model[id] = e
				}
			}
			if _, err := s.Append(context.Background(), batch); err != nil {
				rt.Fatal(err)
			}
			if rapid.Bool().Draw(rt, "reopen") {
				s.Close()
				if s, err = Open(dir, Options{}); err != nil {
					rt.Fatal(err)
				}
			}
		}
		want := map[string]gateway.Microcents{}
		for _, e := range model {
			want[e.Provider] += e.Cost
		}
		lines, err := s.Spend(context.Background(), gateway.SpendQuery{By: []string{"provider"}})
		if err != nil || len(lines) != len(want) {
			rt.Fatalf("%v, %v", lines, err)
		}
		for _, l := range lines {
			if l.Cost != want[l.Group["provider"]] {
				rt.Fatalf("%v, want %v", l, want)
			}
		}
		if v, err := s.Verify(context.Background()); err != nil || len(v.Wrong) != 0 || v.Rows != int64(len(model)) {
			rt.Fatalf("%+v, %v", v, err)
		}
	})
}

func TestSpendFilters(t *testing.T) {
	s := openStore(t, t.TempDir())
	other := row("r2", 1)
	other.Provider, other.Model, other.Key, other.Begun = "openai", "gpt-6-luna", "k2", when.AddDate(0, 0, 1)
	mustAppend(t, s, row("r1", 1), other)
	for _, c := range []struct {
		q    gateway.SpendQuery
		want int
	}{
		{gateway.SpendQuery{By: []string{"day", "model"}}, 2},
		{gateway.SpendQuery{By: []string{"key"}, Provider: "openai"}, 1},
		{gateway.SpendQuery{By: []string{"hour"}, From: when.Add(time.Hour)}, 1},
		{gateway.SpendQuery{By: []string{"provider"}, To: when.Add(time.Hour)}, 1},
		{gateway.SpendQuery{By: []string{"provider"}, Key: "nobody"}, 0},
	} {
		if lines, err := s.Spend(t.Context(), c.q); err != nil || len(lines) != c.want {
			t.Errorf("%+v: %v, %v", c.q, lines, err)
		}
	}
	if _, err := s.Spend(t.Context(), gateway.SpendQuery{By: []string{"prompt; DROP TABLE attempts"}}); gateway.KindOf(err) != gateway.Invalid {
		t.Errorf("an unknown group: %v", err)
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 64, 512} {
		for _, full := range []bool{false, true} {
			b.Run(fmt.Sprintf("rows=%d/full=%v", n, full), func(b *testing.B) {
				s, err := Open(b.TempDir(), Options{Full: full})
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				i := 0
				for b.Loop() {
					batch := make([]gateway.Entry, n)
					for j := range batch {
						batch[j] = row(fmt.Sprint("r", i), 1)
						i++
					}
					if _, err := s.Append(context.Background(), batch); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(i)/b.Elapsed().Seconds(), "rows/s")
			})
		}
	}
}
