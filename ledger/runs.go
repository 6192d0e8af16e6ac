package ledger

import (
	"context"
	"fmt"
	"sync"
	"time"

	"gateway"
)

// Runs are the agents' runs: each with caps that were set when it was first used, its
// count of requests, and whether it was stopped. A run belongs to one key; another key's
// run of the same name is another run.
type Runs struct {
	books *Committer
	find  func(ctx context.Context, key, id string) (Run, bool, error)

	mu   sync.Mutex
	all  map[[2]string]*runHere
	gone int64 // how often runs were forgotten
	keep int   // so many are kept at least
	most int   // so many are kept before some are let go
}

// runHere is a run in memory. It stays while it is in use, and until the store has all
// of it: what is read back is never older than what was here.
type runHere struct {
	Run
	in   int // requests that have not ended
	kept int // records that are not in the store yet
}

// runsKept is how many runs are kept in memory before those that have been idle are let
// go, with their accounts; they are read again when they are used again.
const runsKept = 50_000

// NewRuns keeps runs in the books. find reads one that is not in memory from the store.
func NewRuns(books *Committer, find func(ctx context.Context, key, id string) (Run, bool, error)) *Runs {
	return &Runs{books: books, find: find, all: map[[2]string]*runHere{}, keep: runsKept, most: runsKept}
}

// Enter counts a request of a run, which begins with it if it is new; caps are heeded
// only then. It gives the account that the request must be booked to as well, and when
// the run's time is over; zero for never. What it counted is durable when it returns.
// leave must be called when the request has ended, if there is no error. That is of kind
// BudgetExceeded, or LedgerDown.
func (r *Runs) Enter(ctx context.Context, key, id string, caps gateway.RunCaps) (account gateway.Account, until time.Time, leave func(), err error) {
	var run *runHere
	var state Run
	var refused error
	err = r.use(ctx, key, id, func(known *runHere) {
		now := time.Now()
		if run = known; run == nil {
			run = r.add(Run{Key: key, ID: id, Caps: caps, Begun: now})
		}
		if refused = run.refusal(now); refused == nil {
			run.Calls++
			run.in++
			run.kept++
			state = run.Run
		}
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return account, until, nil, err
	}
	leave = func() { r.leave(run) }
	if err := r.record(run, &state); err != nil {
		leave()
		return account, until, nil, err
	}
	return state.account(), state.until(), leave, nil
}

func (r *Runs) leave(run *runHere) {
	r.mu.Lock()
	defer r.mu.Unlock()
	run.in--
}

func (r *Run) account() gateway.Account {
	return gateway.Account{ID: gateway.RunAccount(r.Key, r.ID), Budget: gateway.Budget{Limited: r.Caps.MaxCost > 0, Limit: r.Caps.MaxCost}}
}

func (r *Run) until() time.Time {
	if r.Caps.MaxTime == 0 {
		return time.Time{}
	}
	return r.Begun.Add(r.Caps.MaxTime)
}

// refusal is why the run takes no more requests; nil if it does.
func (r *Run) refusal(now time.Time) error {
	switch {
	case !r.Stopped.IsZero():
		return gateway.Errorf(gateway.BudgetExceeded, "the run %s was stopped", r.ID)
	case r.Caps.MaxCalls > 0 && r.Calls >= r.Caps.MaxCalls:
		return gateway.Errorf(gateway.BudgetExceeded, "the run %s has made the %d requests that it may make", r.ID, r.Caps.MaxCalls)
	case r.Caps.MaxTime > 0 && !now.Before(r.until()):
		return gateway.Errorf(gateway.BudgetExceeded, "the run %s has had the %s that it may take", r.ID, r.Caps.MaxTime)
	}
	return nil
}

// use gives a run to f, read from the store if it is not in memory, and nil if the key has
// none. Nobody changes or forgets a run meanwhile.
func (r *Runs) use(ctx context.Context, key, id string, f func(*runHere)) error {
	name := [2]string{key, id}
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.all[name] == nil {
		gone := r.gone
		r.mu.Unlock()
		run, has, err := r.find(ctx, key, id)
		r.mu.Lock()
		switch {
		case err != nil:
			return ledgerDown(err)
		case r.all[name] != nil: // another request was quicker
		case gone != r.gone: // it may have been here meanwhile: what was read may be older
			continue
		case !has:
			f(nil)
			return nil
		default:
			r.add(run)
		}
	}
	f(r.all[name])
	return nil
}

// add takes a run into memory. The lock is held.
func (r *Runs) add(run Run) *runHere {
	if len(r.all) >= r.most {
		r.forget()
	}
	here := &runHere{Run: run}
	r.all[[2]string{run.Key, run.ID}] = here
	return here
}

// forget lets half of the runs go with their accounts, which half does not matter: what
// they were is in the store. Those stay of which it is not, or that are in use. The lock
// is held.
func (r *Runs) forget() {
	r.gone++
	half := len(r.all) / 2
	for name, run := range r.all {
		if len(r.all) <= half {
			break
		}
		if run.in == 0 && run.kept == 0 && r.books.Accounts.Forget(gateway.RunAccount(name[0], name[1])) {
			delete(r.all, name)
		}
	}
	r.most = max(r.keep, 2*len(r.all)) // where few could go, the next look is not at once
}

// record waits until the state of a run is durable. It was counted in kept.
func (r *Runs) record(run *runHere, state *Run) error {
	done := make(chan error, 1)
	r.books.put(item{record: state.frame(), run: state, done: func(err error) { done <- err }, over: func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		run.kept--
	}})
	if err := <-done; err != nil {
		return ledgerDown(err)
	}
	return nil
}

// Stop ends a run for good: its requests are refused from now on, also after a restart.
// False if the key has no such run.
func (r *Runs) Stop(ctx context.Context, key, id string) (bool, error) {
	var run *runHere
	var state Run
	err := r.use(ctx, key, id, func(known *runHere) {
		if run = known; run == nil {
			return
		}
		if run.Stopped.IsZero() {
			run.Stopped = time.Now()
		}
		run.kept++
		state = run.Run
	})
	if err != nil || run == nil {
		return false, err
	}
	return true, r.record(run, &state)
}

// State says what is known of a run; false if the key has no such run.
func (r *Runs) State(ctx context.Context, key, id string) (s gateway.RunState, known bool, err error) {
	var run *runHere
	var state Run
	err = r.use(ctx, key, id, func(known *runHere) {
		if run = known; run != nil {
			run.in++ // its account goes with it
			state = run.Run
		}
	})
	if err != nil || run == nil {
		return s, false, err
	}
	defer r.leave(run)
	s = gateway.RunState{ID: id, Key: key, Caps: state.Caps, Begun: state.Begun, Calls: state.Calls, Stopped: state.Stopped}
	if s.Account, err = r.books.Accounts.State(state.account()); err != nil {
		return s, true, fmt.Errorf("reading the run's account: %w", err)
	}
	return s, true, nil
}

// Run reads a run as it is in the store. What is on its way there is in Runs.
func (s *Store) Run(ctx context.Context, key, id string) (r Run, known bool, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT maxcost, maxcalls, maxtime, begun, calls, stopped FROM runs WHERE key = ? AND run = ?`, key, id)
	if err != nil {
		return r, false, fmt.Errorf("reading the ledger: %w", err)
	}
	defer rows.Close()
	r.Key, r.ID = key, id
	for rows.Next() {
		var begun, stopped int64
		if err := rows.Scan(&r.Caps.MaxCost, &r.Caps.MaxCalls, &r.Caps.MaxTime, &begun, &r.Calls, &stopped); err != nil {
			return r, false, fmt.Errorf("reading the ledger: %w", err)
		}
		r.Begun, r.Stopped, known = unixNano(begun), timeOrZero(stopped), true
	}
	return r, known, rows.Err()
}
