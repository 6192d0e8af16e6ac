package ledger

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gateway"
)

// A budget that is made later begins with what its key and team have spent in the period,
// and what runs meanwhile is put on it when it ends.
func TestBudgetMadeLaterBeginsWithWhatWasSpent(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	c := startBooks(t, s, dir)
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	c.Accounts.now = func() time.Time { return now }
	spend := func(request string, at time.Time, h gateway.Hold) {
		e := row(request, 1)
		e.Team, e.Begun, e.Cost = "red", at, 400
		submit(t, c, e, h)
	}
	path := []gateway.Account{{ID: "k1", Budget: gateway.Budget{Limited: true, Limit: 1000, Every: gateway.Monthly}},
		{ID: "red", Budget: gateway.Budget{Limited: true, Limit: 2000}}}
	want := func(key, team gateway.Microcents) {
		t.Helper()
		for i, w := range []gateway.Microcents{key, team} {
			if st, err := c.Accounts.State(path[i]); err != nil || st.Spent != w || st.Held != 0 {
				t.Errorf("%+v, %v; want %d spent", st, err, w)
			}
		}
	}
	spend("last month", now.AddDate(0, -1, 0), gateway.Hold{})
	spend("this month", now.AddDate(0, 0, -3), gateway.Hold{})
	want(400, 800)
	spend("left before", now, gateway.Hold{})
	want(800, 1200)
	h, short := c.Accounts.Hold(gateway.Ask{Request: "held", Attempt: 1, Path: path, Want: 400})
	if short == nil || short.Account != "k1" {
		t.Fatalf("%+v: $8 of $10 are spent", h)
	}
	if h, short = c.Accounts.Hold(gateway.Ask{Request: "on the team", Attempt: 1, Path: path[1:], Want: 400}); short != nil {
		t.Fatal(*short)
	}
	spend("on the team", now, h)
	want(1200, 1600)
	if v, err := s.Verify(t.Context()); err != nil || len(v.Wrong) > 0 || v.Accounts != 2 {
		t.Errorf("%+v, %v", v, err)
	}
	c.Stop()
	s.Close()
	s = openStore(t, dir)
	c = startBooks(t, s, dir)
	defer c.Stop()
	c.Accounts.now = func() time.Time { return now }
	want(1200, 1600)
}

// An account that is read while a group is settled, after its row was passed over since the
// account was not in memory and before the group is on its way to the store, has that row.
func TestAnAccountReadWhileAGroupIsSettledIsWhole(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	c := startBooks(t, s, dir)
	read := make(chan gateway.AccountState, 1)
	c.Accounts.Watch(func(gateway.AccountState, gateway.Budget) { // of the second row, where the journal is owned
		go func() {
			st, err := c.Accounts.State(gateway.Account{ID: "k1", Budget: gateway.Budget{Limited: true, Limit: 3000}})
			if err != nil {
				t.Error(err)
			}
			read <- st
		}()
		time.Sleep(100 * time.Millisecond) // it is read meanwhile, or waits
	})
	path := []gateway.Account{{ID: "other", Budget: gateway.Budget{Limited: true, Limit: 1000}}}
	if err := c.Accounts.Prepare(path); err != nil {
		t.Fatal(err)
	}
	h, short := c.Accounts.Hold(gateway.Ask{Request: "second", Attempt: 1, Path: path, Want: 400})
	if short != nil {
		t.Fatal(*short)
	}
	held, both := make(chan struct{}), make(chan struct{})
	c.Submit(row("before", 1), gateway.Hold{}, 0, func(error) { close(held); <-both }) // so that the two are one group
	<-held
	first, second := row("first", 1), row("second", 1)
	first.Cost, second.Cost, second.Key = 700, 300, "other"
	c.Submit(first, gateway.Hold{}, 0, nil)
	c.Submit(second, h, 0, nil)
	close(both)
	if st, want := <-read, row("before", 1).Cost+700; st.Spent != want {
		t.Errorf("%+v, want %d spent", st, want)
	}
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
}

// While the store lacks rows nobody begins an account without them.
func TestAnAccountWaitsForAStoreThatIsBehind(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	c := startBooks(t, s, dir)
	var most int
	if err := s.write.QueryRow("PRAGMA max_page_count").Scan(&most); err != nil {
		t.Fatal(err)
	}
	limit := func(pages int) {
		if _, err := s.write.Exec(fmt.Sprint("PRAGMA max_page_count = ", pages)); err != nil {
			t.Fatal(err)
		}
	}
	limit(1) // "database or disk is full"
	for i := range 200 {
		e := row(fmt.Sprint("r", i), 1)
		e.Finish, e.Cost = strings.Repeat("x", 1000), 10
		if err := submit(t, c, e, gateway.Hold{}); err != nil {
			t.Fatal(err)
		}
	}
	account := gateway.Account{ID: "k1", Budget: gateway.Budget{Limited: true, Limit: 3000}}
	within(t, "the store is behind", func() bool { return c.Behind() != nil })
	if st, err := c.Accounts.State(account); err == nil {
		t.Errorf("%+v, of an account whose rows are not in the store", st)
	}
	limit(most)
	within(t, "the account is read", func() bool {
		st, err := c.Accounts.State(account)
		if err == nil && st.Spent != 2000 {
			t.Fatalf("%+v, want 2000 spent", st)
		}
		return err == nil
	})
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
}

// Books of before all rows were on accounts are brought to say the same.
func TestRowsWithoutABudgetAreMigrated(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	for i, h := range [][]Charge{nil, {{"k1", quarterOf(when), 1234, 50}}} {
		e := row([]string{"free", "held"}[i], 1)
		e.Team, e.Run = "red", "r"
		if _, err := s.Apply(t.Context(), Batch{Bookings: []Booking{{e, h}}}); err != nil {
			t.Fatal(err)
		}
	}
	after := charged(t, s)
	if _, err := s.write.Exec("UPDATE charges SET cost = 1234 WHERE account = 'k1'; DELETE FROM charges WHERE account = 'red'; PRAGMA user_version = 5"); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = openStore(t, dir)
	if got := charged(t, s); !slices.Equal(got, after) || len(got) != 3 {
		t.Errorf("%v, want %v", got, after)
	}
	if v, err := s.Verify(t.Context()); err != nil || len(v.Wrong) > 0 {
		t.Errorf("%+v, %v", v, err)
	}
}

func charged(t *testing.T, s *Store) (all []Charge) {
	t.Helper()
	for _, id := range []string{"k1", "red", "run:k1/r"} {
		list, err := s.Charges(id)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, list...)
	}
	return all
}
