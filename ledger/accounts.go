package ledger

import (
	"math"
	"sync"
	"time"

	"gateway"
)

// Accounts are the budgets of this process: what was spent on each, and what is held
// for attempts that run. One lock guards them all, so that an attempt is admitted by
// every account on its path or by none.
//
// What was spent, what is held and what is unsure are three numbers that are never
// mixed, and a hold is an object that ends exactly once. The promise follows: if no
// attempt is billed more than its hold, no account is ever billed more than its limit.
type Accounts struct {
	load func(id string) ([]Charge, error)
	now  func() time.Time

	mu      sync.Mutex
	all     map[string]*account
	active  map[holdID]gateway.Hold
	gone    int64          // accounts that were forgotten, or are being read and have moved since
	reading map[string]int // readers by account
	counts  Counts
	watch   func(gateway.AccountState, gateway.Budget)
}

type holdID struct {
	request string
	attempt int
}

// Counts are what should not happen, and how often it did.
type Counts struct {
	Exceeded int64 // a bill was larger than its hold
	Twice    int64 // a hold was ended that had ended
}

// Charge is what one attempt, or many, put on an account in a quarter of an hour.
type Charge struct {
	Account string
	Quarter int64
	Cost    gateway.Microcents
	Unsure  gateway.Microcents
}

// account keeps its money by quarters, and the sums of its present period.
type account struct {
	budget   gateway.Budget
	turn     int64 // that the budget is of
	open     int   // holds that have not ended, and rows that are not in the store yet
	from     int64 // first quarter of the present period
	until    int64 // first quarter of the next
	latest   int64 // newest quarter that anything was booked to: the account's time never runs back
	quarters map[int64]money
	sum      money // of the quarters from from on
}

type money struct{ spent, held, unsure gateway.Microcents }

func (m money) plus(o money) money {
	return money{m.spent + o.spent, m.held + o.held, m.unsure + o.unsure}
}

func (m money) isZero() bool { return m == money{} }

// NewAccounts makes accounts that read what was spent before from load, once each.
func NewAccounts(load func(id string) ([]Charge, error), now func() time.Time) *Accounts {
	return &Accounts{load: load, now: now, all: map[string]*account{}, active: map[holdID]gateway.Hold{}, reading: map[string]int{}}
}

// Watch has f called after each settled attempt with every account it was booked to, and
// after each refusal with the account that had no room.
// f must not wait. Call it before the first hold.
func (a *Accounts) Watch(f func(gateway.AccountState, gateway.Budget)) { a.watch = f }

// Prepare makes a path ready: what was spent before is read, and the limits that the
// path brings are in force from now on, unless later ones are. It may read from the disk.
func (a *Accounts) Prepare(path []gateway.Account) error {
	for i := range path {
		if err := a.prepare(&path[i]); err != nil {
			return err
		}
	}
	return nil
}

func (a *Accounts) prepare(p *gateway.Account) error {
	for {
		known, gone := a.known(p)
		if known {
			return nil
		}
		charges, err := a.load(p.ID)
		if done := a.enter(p, charges, gone, err); err != nil || done {
			return err
		}
	}
}

// known puts the limit of an account in force if it is here; else it is being read from now on.
func (a *Accounts) known(p *gateway.Account) (known bool, gone int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	acc := a.all[p.ID]
	if acc != nil {
		acc.set(p, a.now())
	} else {
		a.reading[p.ID]++
	}
	return acc != nil, a.gone
}

// enter takes in an account that was read when so many were gone. False if it has to be
// read again: it may have been here meanwhile, with money that was not read.
func (a *Accounts) enter(p *gateway.Account, charges []Charge, gone int64, failed error) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.reading[p.ID]--; a.reading[p.ID] == 0 {
		delete(a.reading, p.ID)
	}
	switch acc := a.all[p.ID]; {
	case acc != nil: // another request was quicker
		acc.set(p, a.now())
	case gone != a.gone || failed != nil:
		return false
	default:
		a.all[p.ID] = newAccount(p, charges, a.now())
	}
	return true
}

// Forget lets go of an account that nobody will use without preparing it again: what
// stands on it is read when it is. False if that cannot be yet, since something is held
// or is not in the store.
func (a *Accounts) Forget(id string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	acc := a.all[id]
	if acc != nil && acc.open > 0 {
		return false
	}
	delete(a.all, id)
	a.gone++
	return true
}

// filed notes that the row of a hold is in the store.
func (a *Accounts) filed(h gateway.Hold) {
	if len(h.Places) == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range h.Places {
		a.all[p.Account].open--
	}
}

func newAccount(p *gateway.Account, charges []Charge, now time.Time) *account {
	acc := &account{budget: p.Budget, turn: p.Turn, latest: math.MinInt64, quarters: map[int64]money{}}
	for _, c := range charges {
		acc.quarters[c.Quarter] = acc.quarters[c.Quarter].plus(money{spent: c.Cost, unsure: c.Unsure})
		acc.latest = max(acc.latest, c.Quarter)
	}
	acc.begin(max(acc.latest, quarterOf(now)))
	return acc
}

// set changes the limit, unless a later turn has; another kind of period is counted anew
// from the quarters.
func (acc *account) set(p *gateway.Account, now time.Time) {
	if p.Turn < acc.turn {
		return
	}
	b := p.Budget
	anew := acc.budget.Every != b.Every || acc.budget.Zone != b.Zone
	acc.budget, acc.turn = b, p.Turn
	if anew {
		acc.begin(max(acc.latest, quarterOf(now)))
	}
}

// begin makes the period that a quarter is in the present one.
func (acc *account) begin(q int64) {
	from, until := period(acc.budget, quarterStart(q))
	acc.from, acc.until = math.MinInt64, math.MaxInt64
	if !from.IsZero() {
		acc.from, acc.until = quarterOf(from), quarterOf(until)
	}
	acc.sum = money{}
	for q, m := range acc.quarters {
		if q >= acc.from {
			acc.sum = acc.sum.plus(m)
		}
	}
}

// at is the quarter that a hold admitted now belongs to. A clock that was set back does
// not begin a past period again: time on an account stands until the clock catches up.
// What only was looked at while the clock was ahead is another matter: nothing stands in
// that period, so the one of the newest money is the present one again.
func (acc *account) at(now time.Time) int64 {
	q := max(acc.latest, quarterOf(now))
	if q < acc.from || q >= acc.until {
		acc.begin(q)
	}
	return q
}

// add puts money on a quarter; it counts in the present period only if it is of it.
func (acc *account) add(q int64, m money) {
	sum := acc.quarters[q].plus(m)
	if sum.isZero() {
		delete(acc.quarters, q)
	} else {
		acc.quarters[q] = sum
	}
	acc.latest = max(acc.latest, q)
	if q >= acc.from {
		acc.sum = acc.sum.plus(m)
	}
}

// room is what the account can still hold, and what it could if nothing were held.
func (acc *account) room() (now, ever gateway.Microcents) {
	if !acc.budget.Limited {
		return math.MaxInt64, math.MaxInt64
	}
	ever = acc.budget.Limit - acc.sum.spent - acc.sum.unsure
	return ever - acc.sum.held, ever
}
