package gateway

import "time"

// Shortage says why a budget did not hold an attempt. It goes to the client.
type Shortage struct {
	Account string // id of the first account on the path without room
	Spent   Microcents
	Held    Microcents // for attempts that run now, and for bills that are not known exactly
	Limit   Microcents
	Needed  Microcents // the upper bound of what the attempt could have cost
}

// AccountState is what stands on an account in its present period. Spent + Held +
// Unsure never exceed the limit that was in force when the last hold was admitted.
type AccountState struct {
	ID    string
	Spent Microcents // the sum of the rows' costs, estimates included
	Held  Microcents // upper bounds of the attempts that run now; 0 when idle
	// Unsure is how much more than their estimates the attempts without an exact bill
	// may have cost at most: those that were cut. It stays until the period ends.
	Unsure Microcents
	From   time.Time // of the period; zero for one that lasts for the key's whole life
	Until  time.Time // the next period begins; zero for none
}

// RunCaps bound an agent's run. They are set when a run is first used; later values
// change nothing. Zero fields do not limit.
type RunCaps struct {
	MaxCost  Microcents
	MaxCalls int
	MaxTime  time.Duration
}

// RunState is what is known of a run.
type RunState struct {
	ID      string
	Key     string // of the key that owns it
	Caps    RunCaps
	Begun   time.Time
	Calls   int // requests so far
	Stopped time.Time
	Account AccountState
}

// RunAccount is the id of the account that a run's spending is booked to. The key is
// part of it: no key can touch the run of another.
func RunAccount(key, run string) string { return "run:" + key + "/" + run }
