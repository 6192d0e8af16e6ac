package ledger

import (
	"fmt"
	"sync"
	"time"

	"gateway"
)

// A budget's money is kept by quarters of an hour. Every time zone in use is a whole
// number of quarters from UTC, so any period of any zone is a range of them, also when
// the period of a budget is changed later.
const quarter = 15 * time.Minute

func quarterOf(t time.Time) int64 {
	const seconds = int64(quarter / time.Second)
	q := t.Unix() / seconds
	if t.Unix()%seconds < 0 {
		q--
	}
	return q
}

func quarterStart(q int64) time.Time { return time.Unix(q*int64(quarter/time.Second), 0).UTC() }

// zones remembers time zones: loading one reads a file.
var zones sync.Map // name to *time.Location

// zoneOf is UTC for a name that is not known: keys are checked when they are made.
func zoneOf(name string) *time.Location {
	if name == "" || name == "UTC" {
		return time.UTC
	}
	if z, ok := zones.Load(name); ok {
		return z.(*time.Location)
	}
	z, err := time.LoadLocation(name)
	if err != nil {
		z = time.UTC
	}
	zones.Store(name, z)
	return z
}

// CheckBudget refuses a budget that has no meaning, for people who make one.
func CheckBudget(b gateway.Budget) error {
	if b.Limit < 0 {
		return fmt.Errorf("a budget of %d microcents is less than nothing", b.Limit)
	}
	switch b.Every {
	case gateway.Once, gateway.Daily, gateway.Weekly, gateway.Monthly:
	default:
		return fmt.Errorf("period %q is not known: day, week or month, or none for the key's whole life", b.Every)
	}
	if _, err := time.LoadLocation(b.Zone); err != nil {
		return fmt.Errorf("time zone %q is not known", b.Zone)
	}
	return nil
}

// period is the one that a moment is in: from inclusive, until exclusive. Both are zero
// for a budget of the whole life.
func period(b gateway.Budget, at time.Time) (from, until time.Time) {
	at = at.In(zoneOf(b.Zone))
	y, m, d := at.Date()
	midnight := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, at.Location()) }
	switch b.Every {
	case gateway.Daily:
		return midnight(y, m, d), midnight(y, m, d+1)
	case gateway.Weekly:
		monday := d - (int(at.Weekday())+6)%7
		return midnight(y, m, monday), midnight(y, m, monday+7)
	case gateway.Monthly:
		return midnight(y, m, 1), midnight(y, m+1, 1)
	}
	return time.Time{}, time.Time{}
}
