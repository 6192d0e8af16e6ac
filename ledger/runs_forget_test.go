package ledger

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gateway"
)

// heldUp is a store that takes nothing while its gate is locked.
type heldUp struct {
	*Store
	gate sync.Mutex
}

func (h *heldUp) Apply(ctx context.Context, b Batch) (int, error) {
	h.gate.Lock()
	defer h.gate.Unlock()
	return h.Store.Apply(ctx, b)
}

// spendOn has a run pay for one attempt.
func spendOn(t *testing.T, r *Runs, run string, caps gateway.RunCaps, cost gateway.Microcents) error {
	t.Helper()
	account, _, leave, err := r.Enter(t.Context(), "k", run, caps)
	if err != nil {
		return err
	}
	defer leave()
	path := []gateway.Account{account}
	if err := r.books.Accounts.Prepare(path); err != nil {
		t.Fatal(err)
	}
	e := row(fmt.Sprint(run, time.Now().UnixNano()), 1)
	e.Key, e.Run, e.Cost = "k", run, cost
	h, short := r.books.Accounts.Hold(gateway.Ask{Request: e.Request, Attempt: 1, Path: path, Want: cost})
	if short != nil {
		return gateway.Errorf(gateway.BudgetExceeded, "%+v", *short)
	}
	return submit(t, r.books, e, h)
}

func (r *Runs) here() (runs, accounts int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.books.Accounts.mu.Lock()
	defer r.books.Accounts.mu.Unlock()
	return len(r.all), len(r.books.Accounts.all)
}

// However many runs there are, few are in memory, nor are the accounts of those that are
// not; and each is what it was when it comes back.
func TestRunsThatAreIdleAreForgotten(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	c := startBooks(t, s, dir)
	defer c.Stop()
	r := NewRuns(c, s.Run)
	r.keep, r.most = 20, 20
	caps := gateway.RunCaps{MaxCost: 100}
	for i := range 300 {
		if err := spendOn(t, r, fmt.Sprint("run", i), caps, 60); err != nil {
			t.Fatal(err)
		}
		if i%20 == 19 {
			c.Flush(t.Context())
		}
	}
	if runs, accounts := r.here(); runs > 40 || accounts > runs {
		t.Errorf("%d runs and %d accounts are in memory", runs, accounts)
	}
	for i := range 300 {
		id := fmt.Sprint("run", i)
		if err := spendOn(t, r, id, gateway.RunCaps{MaxCost: 1 << 40}, 60); gateway.KindOf(err) != gateway.BudgetExceeded {
			t.Fatalf("%s has 120 of 100: %v", id, err)
		}
		st, known, err := r.State(t.Context(), "k", id)
		if err != nil || !known || st.Calls != 2 || st.Account.Spent != 60 || st.Account.Held != 0 || st.Caps != caps {
			t.Fatalf("%+v, %v, %v", st, known, err)
		}
	}
}

// What the store does not have yet is not forgotten, nor what is in use.
func TestRunsStayUntilTheStoreHasThem(t *testing.T) {
	dir := t.TempDir()
	s := &heldUp{Store: openStore(t, dir)}
	c, err := Start(s, dir, false)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	r := NewRuns(c, s.Run)
	r.keep, r.most = 4, 4
	s.gate.Lock()
	for i := range 20 {
		if err := spendOn(t, r, fmt.Sprint("run", i), gateway.RunCaps{MaxCost: 100}, 60); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		if err := spendOn(t, r, fmt.Sprint("run", i), gateway.RunCaps{}, 60); gateway.KindOf(err) != gateway.BudgetExceeded {
			t.Errorf("run%d began again: %v", i, err)
		}
	}
	if known, err := r.Stop(t.Context(), "k", "run7"); !known || err != nil {
		t.Error(known, err)
	}
	s.gate.Unlock()
	within(t, "all is in the store", func() bool { return c.Waiting() == 0 })
	_, _, leave, err := r.Enter(t.Context(), "k", "in use", gateway.RunCaps{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 120 {
		if err := enter(t, r, "other", fmt.Sprint(i), gateway.RunCaps{}); err != nil {
			t.Fatal(err)
		}
		c.Flush(t.Context())
	}
	if runs, _ := r.here(); runs > 60 || r.all[[2]string{"k", "in use"}] == nil {
		t.Errorf("%d runs in memory, and the one in use: %v", runs, r.all[[2]string{"k", "in use"}])
	}
	leave()
}

// A run that is forgotten and read again at every moment lets in what it may, and its
// kill switch finds it.
func TestRunsAreOneThoughForgotten(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	c := startBooks(t, s, dir)
	defer c.Stop()
	r := NewRuns(c, s.Run)
	r.keep, r.most = 2, 2
	if err := enter(t, r, "k", "run", gateway.RunCaps{MaxCalls: 101}); err != nil {
		t.Fatal(err)
	}
	var in atomic.Int64
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			for i := range 25 {
				if enter(t, r, "k", "run", gateway.RunCaps{MaxCalls: 1000}) == nil {
					in.Add(1)
				}
				if err := enter(t, r, "other", fmt.Sprint(w, i), gateway.RunCaps{}); err != nil {
					t.Error(err)
				}
				c.Flush(context.Background())
			}
		})
	}
	all.Wait()
	if in.Load() != 100 {
		t.Errorf("%d of 100 let in", in.Load())
	}
	if known, err := r.Stop(t.Context(), "k", "run"); !known || err != nil {
		t.Error(known, err)
	}
}
