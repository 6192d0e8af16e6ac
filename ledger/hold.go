package ledger

import (
	"time"

	"gateway"
)

// Look says whether an attempt would be admitted now: nil if it would, else the first
// account on its path that has no room. It changes nothing.
func (a *Accounts) Look(ask gateway.Ask) *gateway.Shortage {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, short := a.fit(ask, a.now())
	return short
}

// Hold admits an attempt on every account of its path, or on none and says why. The
// path must have been prepared.
func (a *Accounts) Hold(ask gateway.Ask) (gateway.Hold, *gateway.Shortage) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now() // one moment: the room of one period is not held in another
	amount, short := a.fit(ask, now)
	id := holdID{ask.Request, ask.Attempt}
	if _, has := a.active[id]; has {
		a.counts.Twice++
		short = &gateway.Shortage{Needed: ask.Want}
	}
	if short != nil {
		return gateway.Hold{}, short
	}
	h := gateway.Hold{Request: ask.Request, Attempt: ask.Attempt, Amount: amount, Places: make([]gateway.Place, 0, len(ask.Path))}
	for i := range ask.Path {
		acc := a.all[ask.Path[i].ID]
		q := acc.at(now)
		acc.add(q, money{held: amount})
		acc.open++
		h.Places = append(h.Places, gateway.Place{Account: ask.Path[i].ID, Quarter: q})
	}
	a.active[id] = h
	return h, nil
}

// fit is the amount that every account on the path has room for, Want if possible.
func (a *Accounts) fit(ask gateway.Ask, now time.Time) (gateway.Microcents, *gateway.Shortage) {
	amount := ask.Want
	for i := range ask.Path {
		acc := a.all[ask.Path[i].ID]
		if acc == nil {
			return 0, &gateway.Shortage{Account: ask.Path[i].ID, Needed: ask.Want}
		}
		acc.at(now)
		room, ever := acc.room()
		if ask.Want <= room {
			continue
		}
		// Less will do only where waiting would not help, or when the waiting is over.
		if ask.Least > 0 && room >= ask.Least && (ever < ask.Want || ask.Last) {
			amount = min(amount, room)
			continue
		}
		need := ask.Want
		if ask.Least > 0 {
			need = ask.Least
		}
		st := acc.state(ask.Path[i].ID)
		return 0, &gateway.Shortage{Account: st.ID, Spent: st.Spent, Held: st.Held + st.Unsure, Unsure: st.Unsure, Until: st.Until,
			Limit: acc.budget.Limit, Needed: need, Later: need <= ever}
	}
	return amount, nil
}

// Settle ends a hold with what the attempt cost. unsure is how much more it may have
// cost where its bill is not known. False, and nothing changes, if the hold had ended.
func (a *Accounts) Settle(h gateway.Hold, cost, unsure gateway.Microcents) bool {
	return a.end(h, money{spent: cost, unsure: unsure}, true)
}

// Release ends a hold of which nothing was sent. False if it had ended.
func (a *Accounts) Release(h gateway.Hold) bool { return a.end(h, money{}, false) }

func (a *Accounts) end(h gateway.Hold, m money, row bool) bool {
	if len(h.Places) == 0 {
		return true
	}
	ok, states := a.endLocked(h, m, row)
	for i := range states {
		a.watch(states[i].state, states[i].budget)
	}
	return ok
}

type watched struct {
	state  gateway.AccountState
	budget gateway.Budget
}

// endLocked ends a hold; its accounts stay open where a row is on its way to the store.
func (a *Accounts) endLocked(h gateway.Hold, m money, row bool) (bool, []watched) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := holdID{h.Request, h.Attempt}
	if _, has := a.active[id]; !has {
		a.counts.Twice++
		return false, nil
	}
	delete(a.active, id)
	if m.spent > h.Amount && h.Amount > 0 {
		a.counts.Exceeded++
	}
	m.held = -h.Amount
	var states []watched
	for _, p := range h.Places {
		acc := a.all[p.Account]
		acc.add(p.Quarter, m)
		if !row {
			acc.open--
		}
		if a.watch != nil && m.spent > 0 {
			states = append(states, watched{acc.stateOf(p.Account, p.Quarter), acc.budget})
		}
	}
	return true, states
}

// Refused notes that a client was refused for want of room. That its budget is used up is
// news to those who watch; that a request is larger than the whole limit is not, nor that
// others hold the room at this moment.
func (a *Accounts) Refused(s *gateway.Shortage) {
	if a.watch == nil || s.Later || s.Needed > s.Limit {
		return
	}
	a.mu.Lock()
	acc := a.all[s.Account]
	if acc == nil {
		a.mu.Unlock()
		return
	}
	acc.at(a.now())
	st, budget := acc.state(s.Account), acc.budget
	a.mu.Unlock()
	st.Refused = true
	a.watch(st, budget)
}

// Counts says how often what should not happen did.
func (a *Accounts) Counts() Counts {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.counts
}

// Holding is the number of holds that have not ended; 0 when idle.
func (a *Accounts) Holding() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.active)
}

// State says what stands on an account, which is read if need be; the limit in force
// is changed only if the account was not known yet.
func (a *Accounts) State(acc gateway.Account) (gateway.AccountState, error) {
	a.mu.Lock()
	got := a.all[acc.ID]
	a.mu.Unlock()
	if got == nil {
		if err := a.prepare(&acc); err != nil {
			return gateway.AccountState{}, err
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	got = a.all[acc.ID]
	got.at(a.now())
	return got.state(acc.ID), nil
}

func (acc *account) state(id string) gateway.AccountState {
	s := gateway.AccountState{ID: id, Spent: acc.sum.spent, Held: acc.sum.held, Unsure: acc.sum.unsure}
	if acc.budget.Every != gateway.Once {
		s.From, s.Until = quarterStart(acc.from), quarterStart(acc.until)
	}
	return s
}

// stateOf is what stands on the account in the period of a quarter, which may be over: what
// began in a period may end after it.
func (acc *account) stateOf(id string, quarter int64) gateway.AccountState {
	if quarter >= acc.from {
		return acc.state(id)
	}
	from, until := period(acc.budget, quarterStart(quarter))
	first, next := quarterOf(from), quarterOf(until)
	var sum money
	for q, m := range acc.quarters {
		if q >= first && q < next {
			sum = sum.plus(m)
		}
	}
	return gateway.AccountState{ID: id, Spent: sum.spent, Held: sum.held, Unsure: sum.unsure, From: quarterStart(first), Until: quarterStart(next)}
}

// Limits sets the limit of an account that may be in use, at once, unless a later turn has.
// False if it is not in memory: then nothing is held on it, and who prepares it brings the
// limit along. It never reads from the disk.
func (a *Accounts) Limits(acc gateway.Account) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	got := a.all[acc.ID]
	if got != nil {
		got.set(&acc, a.now())
	}
	return got != nil
}
