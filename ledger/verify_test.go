package ledger

import (
	"strings"
	"testing"
	"time"

	"gateway"
)

// priced is a row priced by a list that the store keeps.
func priced(t *testing.T, s *Store, request string, tariff *gateway.Tariff) gateway.Entry {
	t.Helper()
	tariff.Identify()
	if err := s.KeepTariffs(t.Context(), []*gateway.Model{{Tariff: tariff}, {}, {Tariff: &gateway.Tariff{}}}); err != nil {
		t.Fatal(err)
	}
	e := row(request, 1)
	e.Tariff, e.Cost = tariff.ID, tariff.Cost(e.Usage, e.Begun)
	return e
}

func list() *gateway.Tariff {
	return &gateway.Tariff{Date: "2026-11-10", Base: gateway.Rates{Input: 150_000, CachedRead: 3_000, CacheWrite5m: 7, CacheWrite1h: 9, Output: 600_000},
		Windows: []gateway.Window{{Days: []time.Weekday{time.Tuesday}, DayShift: 8 * time.Hour, Spans: []gateway.Span{{From: 60, To: 600}},
			Rates: gateway.Rates{Input: 300_000, Output: 1_200_000}}},
		Tiers:     []gateway.Tier{{PromptAbove: 1000, Rates: gateway.Rates{Input: 1}}},
		Scheduled: []gateway.Scheduled{{From: when.AddDate(1, 0, 0), Rates: gateway.Rates{Input: 2}}}}
}

func TestVerifyFindsWhatWasTampered(t *testing.T) {
	for _, c := range []struct{ sql, want string }{
		{"", ""},
		{"UPDATE cells SET cost = cost + 1 WHERE scope = 0 AND grain = 2", "not that of its rows: 2026-11 deepseek/deepseek-flash"},
		{"UPDATE cells SET prompt = prompt + 1 WHERE scope = 3 AND grain = 0", `2026-11-24T09:00Z deepseek/deepseek-flash key "k1" tag team=a`},
		{"DELETE FROM cells WHERE scope = 1 AND grain = 1", `rows without their sum: 2026-11-24 deepseek/deepseek-flash key "k1" team red`},
		{"INSERT INTO cells VALUES (2,2,0,'k','ghost','p','m',1,1,1,1,1,1,1,1)", `sum without its rows: 1970-01 p/m key "k" run ghost`},
		{"UPDATE attempts SET cost = cost - 1 WHERE request = 'a'", "row a/1 costs "},
		{"UPDATE attempts SET output = output + 1 WHERE request = 'a'", "its usage and price come to"},
		{"UPDATE attempts SET priced = 0 WHERE request = 'a'", "has no price and costs"},
		{"UPDATE tariffs SET prices = replace(prices, '150000', '150001')", "which is not kept"},
		{"DELETE FROM tariffs", "which is not kept"},
		{"DELETE FROM attempts WHERE request = 'a'", "not that of its rows"},
		{"DELETE FROM packs WHERE scope = 1 AND grain = 1", `sum that is not packed: 2026-11-24 deepseek/deepseek-flash key "k1" team red`},
		{"UPDATE packs SET grain = 2, at = 0 WHERE scope = 2 AND grain = 0", "packs of sums, of which"},
		{"UPDATE packs SET cells = x'02' WHERE scope = 0", "a pack of sums is damaged: 2026-11-24T09:00Z"},
		{"UPDATE packs SET cells = (SELECT cells FROM packs WHERE scope = 3 AND grain = 0) WHERE scope = 1 AND grain = 0", "packed sum without its sum: "},
		{"INSERT INTO packs SELECT scope, grain, at, 9, cells FROM packs WHERE scope = 0 AND grain = 2", "packed sum that is not the sum: 2026-11"},
		{"UPDATE charges SET cost = cost - 1 WHERE account = 'k1' AND quarter = (SELECT MIN(quarter) FROM charges)", "account k1: "},
		{"DELETE FROM charges WHERE account = 'red'", "account red: 0 are booked to it"},
		{"UPDATE charges SET account = 'run:k2/run-1' WHERE account = 'run:k1/run-1'", "account run:k2/run-1: "},
	} {
		s := openStore(t, t.TempDir())
		old := priced(t, s, "a", list())
		old.Team, old.Run = "red", "run-1"
		newer := priced(t, s, "b", &gateway.Tariff{Base: gateway.Rates{Input: 999}})
		newer.Begun = when.AddDate(0, 2, 0)
		billed := row("c", 1)
		billed.Usage.HasBilled = true
		mustAppend(t, s, old, newer, billed, row("d", 1)) // d: of a time before price lists were kept
		if _, err := s.write.Exec(c.sql); err != nil {
			t.Fatal(err)
		}
		v, err := s.Verify(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(v.Wrong, "\n"); (c.want == "") != (text == "") || !strings.Contains(text, c.want) {
			t.Errorf("%s:\n%s\nwant %s", c.sql, text, c.want)
		}
		if c.sql == "" && (v.Rows != 4 || v.Repriced != 2 || v.Billed != 1 || v.Unnamed != 1 || v.Cells == 0) {
			t.Errorf("%+v", v)
		}
	}
}
