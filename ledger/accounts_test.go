package ledger

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"gateway"
)

// clockwork is an account with a clock that a test moves.
type clockwork struct {
	*Accounts
	t    *testing.T
	now  time.Time
	path []gateway.Account
	n    int
}

func newClockwork(t *testing.T, b gateway.Budget, now string, before ...Charge) *clockwork {
	t.Helper()
	c := &clockwork{t: t, path: []gateway.Account{{ID: "k", Budget: b}}}
	c.Accounts = NewAccounts(func(string) ([]Charge, error) { return before, nil }, func() time.Time { return c.now })
	c.at(now)
	if err := c.Prepare(c.path); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *clockwork) at(text string) {
	c.t.Helper()
	now, err := time.Parse(time.RFC3339, text)
	if err != nil {
		c.t.Fatal(err)
	}
	c.now = now
}

// spend holds and settles; false when there is no room.
func (c *clockwork) spend(amount gateway.Microcents) bool {
	c.n++
	h, short := c.Hold(gateway.Ask{Request: "r", Attempt: c.n, Path: c.path, Want: amount})
	return short == nil && c.Settle(h, amount, 0)
}

func (c *clockwork) spent() gateway.Microcents {
	c.t.Helper()
	st, err := c.State(c.path[0])
	if err != nil {
		c.t.Fatal(err)
	}
	return st.Spent
}

func (c *clockwork) want(spends bool, spent gateway.Microcents) {
	c.t.Helper()
	if got := c.spend(60); got != spends || c.spent() != spent {
		c.t.Errorf("at %v: admitted %v, spent %d; want %v, %d", c.now, got, c.spent(), spends, spent)
	}
}

func daily(limit gateway.Microcents) gateway.Budget {
	return gateway.Budget{Limited: true, Limit: limit, Every: gateway.Daily}
}

// A clock that goes back an hour, over midnight, gives no money a second time.
func TestClockBackResetsNothing(t *testing.T) {
	c := newClockwork(t, daily(100), "2026-11-23T23:50:00Z")
	c.want(true, 60)
	c.want(false, 60)
	c.at("2026-11-24T00:10:00Z")
	c.want(true, 60) // the new day's
	c.at("2026-11-23T23:10:00Z")
	c.want(false, 60) // time stands on the account
	c.at("2026-11-24T00:30:00Z")
	c.want(false, 60)
	c.at("2026-11-25T00:00:00Z")
	c.want(true, 60)
}

// A jump of a day and back begins the next day's budget early, and only once; also when
// the process is started again in between.
func TestDaysJumpResetsOnce(t *testing.T) {
	c := newClockwork(t, daily(100), "2026-11-24T12:00:00Z")
	c.want(true, 60)
	c.at("2026-11-25T12:00:00Z")
	c.want(true, 60)
	c.at("2026-11-24T12:05:00Z")
	c.want(false, 60)
	again := newClockwork(t, daily(100), "2026-11-24T12:06:00Z",
		Charge{"k", quarterOf(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)), 60, 0},
		Charge{"k", quarterOf(time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)), 60, 0})
	again.want(false, 60)
	again.at("2026-11-25T23:59:00Z")
	again.want(false, 60)
	again.at("2026-11-26T00:00:00Z")
	again.want(true, 60)
}

// A clock that is ahead while somebody only looks begins nothing: when it is back the
// present budget is in force, with what was spent of it.
func TestLookingAheadBeginsNothing(t *testing.T) {
	c := newClockwork(t, daily(100), "2026-11-24T12:00:00Z")
	c.Watch(func(gateway.AccountState, gateway.Budget) {})
	c.want(true, 60)
	ask := gateway.Ask{Request: "look", Attempt: 1, Path: c.path, Want: 60}
	for _, glance := range []func(){func() { c.spent() }, func() { c.Look(ask) },
		func() { c.Refused(&gateway.Shortage{Account: "k", Needed: 1, Limit: 100}) }, func() { c.Limits(c.path[0]) }} {
		c.at("2026-12-25T12:00:00Z")
		glance()
		c.at("2026-11-24T12:05:00Z")
		for range 3 {
			c.want(false, 60)
		}
	}
	c.at("2026-11-25T12:00:00Z")
	c.want(true, 60)
}

// What a period has cost is told apart from what is older, whatever the clock says when
// the books are read.
func TestChargesAreReadWithoutTheClock(t *testing.T) {
	s := openStore(t, t.TempDir())
	for i, q := range []int64{1000, 9000, 9001} { // long before now
		b := Booking{Entry: row(fmt.Sprint("r", i), 1), Charges: []Charge{{Account: "k", Quarter: q, Cost: 5, Unsure: 1}}}
		if _, err := s.Apply(t.Context(), Batch{Bookings: []Booking{b}}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Charges("k")
	if want := []Charge{{"k", 0, 5, 1}, {"k", 9000, 5, 1}, {"k", 9001, 5, 1}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
}

// A hold belongs to the period of its admission: it settles there, and takes no room of
// the next.
func TestHoldSettlesInItsOwnPeriod(t *testing.T) {
	c := newClockwork(t, daily(100), "2026-11-23T23:59:00Z")
	h, short := c.Hold(gateway.Ask{Request: "long", Attempt: 1, Path: c.path, Want: 90})
	if short != nil {
		t.Fatal(short)
	}
	c.at("2026-11-24T00:01:00Z")
	c.want(true, 60)
	if !c.Settle(h, 90, 0) || c.spent() != 60 {
		t.Errorf("yesterday's attempt was booked today: %d", c.spent())
	}
}

func TestPeriods(t *testing.T) {
	for _, c := range []struct {
		every          gateway.Period
		zone           string
		at, from, till string
	}{
		{gateway.Daily, "", "2026-11-24T13:00:00Z", "2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z"},
		{gateway.Daily, "Asia/Kathmandu", "2026-11-24T18:30:00Z", "2026-11-24T18:15:00Z", "2026-11-25T18:15:00Z"}, // UTC+5:45
		{gateway.Daily, "Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"},  // 25 hours
		{gateway.Weekly, "", "2026-11-29T23:59:59Z", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"},              // a Sunday
		{gateway.Weekly, "", "2026-11-30T00:00:00Z", "2026-11-30T00:00:00Z", "2026-12-07T00:00:00Z"},
		{gateway.Monthly, "America/New_York", "2027-01-01T04:59:59Z", "2026-12-01T05:00:00Z", "2027-01-01T05:00:00Z"},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		from, till := period(gateway.Budget{Every: c.every, Zone: c.zone}, at)
		if f, u := from.UTC().Format(time.RFC3339), till.UTC().Format(time.RFC3339); f != c.from || u != c.till {
			t.Errorf("%s %s at %s: %s to %s, want %s to %s", c.every, c.zone, c.at, f, u, c.from, c.till)
		}
		if from.Unix()%900 != 0 || till.Unix()%900 != 0 {
			t.Errorf("%s does not begin with a quarter of an hour", c.zone)
		}
	}
}

// Another period, or another limit, is in force at once, and what was spent stays spent.
func TestChangedBudgetKeepsWhatWasSpent(t *testing.T) {
	c := newClockwork(t, daily(100), "2026-11-24T12:00:00Z")
	c.want(true, 60)
	c.at("2026-11-25T12:00:00Z")
	c.want(true, 60)
	c.path[0].Budget = gateway.Budget{Limited: true, Limit: 150, Every: gateway.Weekly}
	if err := c.Prepare(c.path); err != nil {
		t.Fatal(err)
	}
	c.want(false, 120)
	c.path[0].Budget = gateway.Budget{Limited: true, Limit: 200}
	c.Limits(c.path[0])
	c.want(true, 180)
	if err := CheckBudget(gateway.Budget{Zone: "Nowhere/Atlantis"}); err == nil {
		t.Error("a zone that is not there is accepted")
	}
}

// A limit that a request was signed with before it was changed does not come back.
func TestOlderLimitsStayGone(t *testing.T) {
	c := newClockwork(t, gateway.Budget{Limited: true, Limit: 1000}, "2026-11-24T12:00:00Z")
	stale := []gateway.Account{c.path[0]}
	c.path[0].Budget.Limit, c.path[0].Turn = 100, 2
	c.Limits(c.path[0])
	c.want(true, 60)
	stale[0].Turn = 1
	if err := c.Prepare(stale); err != nil {
		t.Fatal(err)
	}
	c.Limits(stale[0])
	c.want(false, 60)
	c.path[0].Budget.Limit, c.path[0].Turn = 120, 3
	if err := c.Prepare(c.path); err != nil {
		t.Fatal(err)
	}
	c.want(true, 120)
}

// What a cut call may have cost stays on its account until the period ends; of a budget
// for a key's whole life it stays for good.
func TestUnsureEndsWithItsPeriod(t *testing.T) {
	for _, b := range []gateway.Budget{daily(100), {Limited: true, Limit: 100, Every: gateway.Once}} {
		c := newClockwork(t, b, "2026-11-23T12:00:00Z")
		h, short := c.Hold(gateway.Ask{Request: "cut", Attempt: 1, Path: c.path, Want: 60})
		if short != nil || !c.Settle(h, 10, 50) {
			t.Fatal(short)
		}
		_, short = c.Hold(gateway.Ask{Request: "next", Attempt: 1, Path: c.path, Want: 60})
		if short == nil || short.Spent != 10 || short.Held != 50 || short.Unsure != 50 || short.Later {
			t.Errorf("%+v", short)
		}
		if days := b.Every == gateway.Daily; short.Until.IsZero() == days {
			t.Errorf("the period ends at %v", short.Until)
		}
		c.at("2026-11-24T00:00:00Z")
		if admitted := c.spend(60); admitted != (b.Every == gateway.Daily) {
			t.Errorf("every %q, on the next day: admitted %v", b.Every, admitted)
		}
	}
}

// Those who watch hear of a refusal that the whole limit would have held, and of no other: not
// of one that is only a matter of what others hold now.
func TestRefusalsAreHeardOf(t *testing.T) {
	c := newClockwork(t, daily(100), "2026-11-23T12:00:00Z")
	var heard []gateway.AccountState
	c.Watch(func(st gateway.AccountState, _ gateway.Budget) { heard = append(heard, st) })
	h, short := c.Hold(gateway.Ask{Request: "other", Attempt: 1, Path: c.path, Want: 90})
	if short != nil {
		t.Fatal(short)
	}
	if _, short = c.Hold(gateway.Ask{Request: "no", Attempt: 1, Path: c.path, Want: 60}); short == nil || !short.Later {
		t.Fatalf("%+v", short)
	}
	if c.Refused(short); len(heard) > 0 {
		t.Errorf("told of what is held: %+v", heard)
	}
	c.Release(h)
	if !c.spend(60) {
		t.Fatal("no room")
	}
	for _, want := range []gateway.Microcents{101, 60} {
		_, short := c.Hold(gateway.Ask{Request: "no", Attempt: 1, Path: c.path, Want: want})
		c.Refused(short)
	}
	if len(heard) != 2 || heard[0].Refused || !heard[1].Refused || heard[1].Spent != 60 {
		t.Errorf("%+v", heard)
	}
}

// A bill that comes when its period is over is told of with that period.
func TestLateBillsAreToldOfWithTheirPeriod(t *testing.T) {
	c := newClockwork(t, daily(100), "2026-11-23T23:59:00Z")
	var heard []gateway.AccountState
	c.Watch(func(st gateway.AccountState, _ gateway.Budget) { heard = append(heard, st) })
	late, short := c.Hold(gateway.Ask{Request: "late", Attempt: 1, Path: c.path, Want: 50})
	if short != nil || !c.spend(40) {
		t.Fatal(short)
	}
	c.at("2026-11-24T00:01:00Z")
	if !c.spend(10) || !c.Settle(late, 50, 0) {
		t.Fatal("not settled")
	}
	if len(heard) != 3 || heard[1].Spent != 10 || heard[2].Spent != 90 || !heard[2].Until.Equal(heard[1].From) ||
		!heard[2].From.Equal(heard[0].From) || heard[2].Held != 0 {
		t.Errorf("%+v", heard)
	}
}
