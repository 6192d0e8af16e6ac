package ledger

import "gateway"

// ledge is the model of an account: everything that was ever put on it, by quarters. It
// keeps no sums and no period, so it can forget none.
type ledge map[int64]stand

// stand is what is on an account in a quarter, and of how many rows.
type stand struct {
	money
	rows int
}

// latest is the newest quarter of anything; what was there and is gone counts too.
func (l ledge) latest() int64 {
	newest := int64(-1 << 60)
	for q := range l {
		newest = max(newest, q)
	}
	return newest
}

// crashed is what is left of it after a crash: rows, and no holds.
func (l ledge) crashed() ledge {
	left := ledge{}
	for q, s := range l {
		if s.rows > 0 {
			s.held = 0
			left[q] = s
		}
	}
	return left
}

// byPeriod are the sums of a budget's periods, by the unix seconds when they begin.
func (l ledge) byPeriod(b gateway.Budget) map[int64]money {
	sums := map[int64]money{}
	for q, s := range l {
		from, _ := period(b, quarterStart(q))
		sums[from.Unix()] = sums[from.Unix()].plus(s.money)
	}
	return sums
}

// quarter is the one that money put on an account now belongs to: time on an account
// does not run back.
func (w *world) quarter(id string) int64 { return max(w.stands[id].latest(), quarterOf(w.now)) }

// present is what stands on an account in the period of its time.
func (w *world) present(a gateway.Account) money {
	from, _ := period(a.Budget, quarterStart(w.quarter(a.ID)))
	return w.stands[a.ID].byPeriod(a.Budget)[from.Unix()]
}

// put puts money, of so many rows, where a hold stands.
func (w *world) put(h gateway.Hold, m money, rows int) {
	for _, p := range h.Places {
		before := w.stands[p.Account][p.Quarter]
		w.stands[p.Account][p.Quarter] = stand{before.plus(m), before.rows + rows}
	}
}
