package gateway

import "time"

// BudgetAlert says that a budget has reached a part of its limit. There is at most one
// for an account, a period, a limit and a part.
type BudgetAlert struct {
	ID      string // made of the four
	Account string // id of the key or team
	Percent int    // the part that was reached; 100 also when a request was refused before
	Spent   Microcents
	Budget  Budget
	Begun   time.Time // of the period; zero for one that lasts for the key's whole life
	Until   time.Time // as Begun
	At      time.Time // when it was noticed
}
