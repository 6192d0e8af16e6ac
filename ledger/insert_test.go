package ledger

import (
	"fmt"
	"math/rand"
	"reflect"
	"testing"
	"time"

	"gateway"
)

// Rows come back as they were, whichever way they were inserted: one by one, several that
// are alike, or several that are not; and one that is there already is counted, not doubled.
func TestRowsComeBackFromEachWayIn(t *testing.T) {
	random := rand.New(rand.NewSource(3))
	any := func(n int) gateway.Entry {
		var e gateway.Entry
		fill(t, random, reflect.ValueOf(&e).Elem())
		e.Request, e.Attempt = fmt.Sprint("r", n), 1
		e.Usage.Reported, e.Usage.PromptUnknown, e.Source = true, false, gateway.UsageReported
		e.Cost = e.Usage.Billed
		return e
	}
	var rows []gateway.Entry
	for range 3*rowsAtOnce + 5 { // of each its own
		rows = append(rows, any(len(rows)))
	}
	kind := any(0)
	for range 2*rowsAtOnce + 3 { // alike but for what is a row's own
		e := kind
		e.Request, e.Attempt, e.Begun = fmt.Sprint("r", len(rows)), 2, when.Add(time.Duration(random.Int31()))
		e.FirstContent, e.Took = time.Duration(random.Int31()), time.Duration(random.Int31())
		e.Usage.Fresh, e.Usage.CachedRead, e.Usage.Output, e.Usage.Reasoning = random.Intn(99), random.Intn(99), random.Intn(99), random.Intn(99)
		e.Usage.Billed = gateway.Microcents(random.Int31())
		e.Cost = e.Usage.Billed
		rows = append(rows, e)
	}
	for _, f := range []func(*gateway.Entry){ // what makes a row unlike the others
		func(e *gateway.Entry) { e.Key = "another" },
		func(e *gateway.Entry) { e.Tags = map[string]string{"a": "another"} },
		func(e *gateway.Entry) { e.Usage.CacheWrite1h++ },
		func(e *gateway.Entry) { e.Tariff = "another" },
	} {
		e := kind
		f(&e)
		e.Request = fmt.Sprint("r", len(rows))
		rows = append(rows, e)
		for range rowsAtOnce - 1 {
			e := kind
			e.Request = fmt.Sprint("r", len(rows))
			rows = append(rows, e)
		}
	}
	for i := range rows {
		if rows[i].Begun.IsZero() {
			rows[i].Begun = when
		}
	}
	s := openStore(t, t.TempDir())
	if doubled := mustAppend(t, s, rows...); doubled != 0 {
		t.Errorf("%d doubled", doubled)
	}
	if doubled := mustAppend(t, s, append(rows[:40:40], any(len(rows)))...); doubled != 40 {
		t.Errorf("%d doubled of 40", doubled)
	}
	for i := range rows {
		got, err := s.Request(t.Context(), rows[i].Request)
		if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], rows[i]) {
			t.Fatalf("row %d: %v\n got %+v\nwant %+v", i, err, got, rows[i])
		}
	}
	if l := total(t, s); l.Attempts != int64(len(rows)+1) {
		t.Errorf("%d rows of %d", l.Attempts, len(rows)+1)
	}
}
