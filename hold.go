package gateway

import (
	"strings"
	"time"
)

// Ask is what an attempt needs of the budgets on its path.
type Ask struct {
	Request string
	Attempt int
	Path    []Account
	Want    Microcents // the upper bound of what the attempt can cost
	// Least, if not 0, is less than Want and will do where Want can never fit: the answer
	// is then asked shorter.
	Least Microcents
	// Last says that nobody waits any more: Least will do now, if it is given.
	Last bool
}

// Hold is the room that one attempt was given on every account of its path. It ends
// exactly once: settled with what the attempt cost, or released when nothing was sent.
// The zero Hold holds nothing.
type Hold struct {
	Request string
	Attempt int
	Amount  Microcents
	Places  []Place
}

// Place is where a hold stands, and where its cost will be booked: an account, and a
// quarter of an hour in the period of its admission.
type Place struct {
	Account string
	Quarter int64 // quarters of an hour since 1970, UTC
}

// Outset is what is known of an attempt at the moment before its body is written to the
// provider: enough to book it if the process is killed before it ends.
type Outset struct {
	// Entry is the row as it would be booked if the answer came to its expected length.
	Entry Entry
	Hold  Hold
	First time.Duration // expected, to the first content
	Takes time.Duration // expected, to the end of the answer
	Most  int           // tokens that the answer was asked to have at most; 0: not bounded
	// Input and Output are the rates in force; zero without a price.
	Input, Output Picodollars
	Bills         BillingHabit
}

// Shortage says why a budget did not hold an attempt. It goes to the client.
type Shortage struct {
	Account string // id of the first account on the path without room
	Spent   Microcents
	Held    Microcents // for attempts that run now, and for bills that are not known exactly
	Unsure  Microcents // the second part of Held: it stays until the period ends
	Until   time.Time  // the next period begins; zero for a budget that lasts for the key's whole life
	Limit   Microcents
	Needed  Microcents // the upper bound of what the attempt could have cost
	Later   bool       // there will be room when what is held is freed
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
	// Refused says that a request was refused just now, which the whole limit would have held.
	Refused bool
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
func RunAccount(key, run string) string { return runPrefix + key + "/" + run }

const runPrefix = "run:"

// IsRun says whether the account is a run's, and not a key's or a team's.
func (s *AccountState) IsRun() bool { return strings.HasPrefix(s.ID, runPrefix) }
