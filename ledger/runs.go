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

	mu  sync.Mutex
	all map[[2]string]*Run
}

// runsKept is how many runs are kept in memory before those that have been idle are let
// go; they are read again when they are used again.
const runsKept = 50_000

// NewRuns keeps runs in the books. find reads one that is not in memory.
func NewRuns(books *Committer, find func(ctx context.Context, key, id string) (Run, bool, error)) *Runs {
	return &Runs{books: books, find: find, all: map[[2]string]*Run{}}
}

// Enter counts a request of a run, which begins with it if it is new; caps are heeded
// only then. It gives the account that the request must be booked to as well, and when
// the run's time is over; zero for never. What it counted is durable when it returns.
// Its error is of kind BudgetExceeded, or LedgerDown.
func (r *Runs) Enter(ctx context.Context, key, id string, caps gateway.RunCaps) (gateway.Account, time.Time, error) {
	if err := r.load(ctx, key, id); err != nil {
		return gateway.Account{}, time.Time{}, err
	}
	r.mu.Lock()
	now := time.Now()
	run := r.all[[2]string{key, id}]
	if run == nil {
		run = &Run{Key: key, ID: id, Caps: caps, Begun: now}
		r.all[[2]string{key, id}] = run
	}
	if err := run.refusal(now); err != nil {
		r.mu.Unlock()
		return gateway.Account{}, time.Time{}, err
	}
	run.Calls++
	state := *run
	r.mu.Unlock()
	account := gateway.Account{ID: gateway.RunAccount(key, id), Budget: gateway.Budget{Limited: state.Caps.MaxCost > 0, Limit: state.Caps.MaxCost}}
	return account, state.until(), r.keep(&state)
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

// load reads a run that is not in memory.
func (r *Runs) load(ctx context.Context, key, id string) error {
	name := [2]string{key, id}
	r.mu.Lock()
	known := r.all[name] != nil
	if len(r.all) >= runsKept && !known {
		r.forget()
	}
	r.mu.Unlock()
	if known {
		return nil
	}
	run, has, err := r.find(ctx, key, id)
	if err != nil {
		return ledgerDown(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if has && r.all[name] == nil {
		r.all[name] = &run
	}
	return nil
}

// forget lets half of the runs go, which half does not matter: what they were is in the
// books. The lock is held.
func (r *Runs) forget() {
	n := len(r.all) / 2
	for name := range r.all {
		if n--; n < 0 {
			return
		}
		delete(r.all, name)
	}
}

// keep waits until the state of a run is durable.
func (r *Runs) keep(state *Run) error {
	done := make(chan error, 1)
	r.books.put(item{record: state.frame(), run: state, done: func(err error) { done <- err }})
	if err := <-done; err != nil {
		return ledgerDown(err)
	}
	return nil
}

// Stop ends a run for good: its requests are refused from now on, also after a restart.
// False if the key has no such run.
func (r *Runs) Stop(ctx context.Context, key, id string) (bool, error) {
	if err := r.load(ctx, key, id); err != nil {
		return false, err
	}
	r.mu.Lock()
	run := r.all[[2]string{key, id}]
	if run == nil {
		r.mu.Unlock()
		return false, nil
	}
	if run.Stopped.IsZero() {
		run.Stopped = time.Now()
	}
	state := *run
	r.mu.Unlock()
	return true, r.keep(&state)
}

// State says what is known of a run; false if the key has no such run.
func (r *Runs) State(ctx context.Context, key, id string) (s gateway.RunState, known bool, err error) {
	if err := r.load(ctx, key, id); err != nil {
		return s, false, err
	}
	r.mu.Lock()
	run := r.all[[2]string{key, id}]
	if run != nil {
		s = gateway.RunState{ID: id, Key: key, Caps: run.Caps, Begun: run.Begun, Calls: run.Calls, Stopped: run.Stopped}
	}
	r.mu.Unlock()
	if run == nil {
		return s, false, nil
	}
	account := gateway.Account{ID: gateway.RunAccount(key, id), Budget: gateway.Budget{Limited: s.Caps.MaxCost > 0, Limit: s.Caps.MaxCost}}
	if s.Account, err = r.books.Accounts.State(account); err != nil {
		return s, true, fmt.Errorf("reading the run's account: %w", err)
	}
	return s, true, nil
}

// Run reads a run from the store, with everything that is durable.
func (s *Store) Run(ctx context.Context, key, id string) (r Run, known bool, err error) {
	if err := s.upToDate(ctx); err != nil {
		return r, false, err
	}
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
