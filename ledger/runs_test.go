package ledger

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gateway"
)

func enter(t *testing.T, r *Runs, key, id string, caps gateway.RunCaps) error {
	t.Helper()
	_, _, leave, err := r.Enter(t.Context(), key, id, caps)
	if err == nil {
		leave()
	}
	return err
}

// Caps are set once and never grow; counts and the kill switch survive a restart; runs
// of different keys have nothing to do with each other.
func TestRunsKeepTheirCaps(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	c := startBooks(t, s, dir)
	r := NewRuns(c, s.Run)
	first, more := gateway.RunCaps{MaxCalls: 3, MaxCost: 500}, gateway.RunCaps{MaxCalls: 100, MaxCost: 1 << 40}
	account, until, _, err := r.Enter(t.Context(), "k", "run", first)
	if err != nil || account.ID != "run:k/run" || !account.Budget.Limited || account.Budget.Limit != 500 || !until.IsZero() {
		t.Fatalf("%+v %v %v", account, until, err)
	}
	if account, _, _, err = r.Enter(t.Context(), "k", "run", more); err != nil || account.Budget.Limit != 500 {
		t.Errorf("a later, larger cap minted money: %+v, %v", account, err)
	}
	if err := enter(t, r, "other", "run", gateway.RunCaps{}); err != nil {
		t.Errorf("another key's run of the same name: %v", err)
	}
	c.Stop()
	s.Close()

	s = openStore(t, dir)
	c = startBooks(t, s, dir)
	r = NewRuns(c, s.Run)
	if err := enter(t, r, "k", "run", more); err != nil {
		t.Errorf("the third of three requests: %v", err)
	}
	if err := enter(t, r, "k", "run", more); gateway.KindOf(err) != gateway.BudgetExceeded {
		t.Errorf("the fourth of three requests: %v", err)
	}
	if known, err := r.Stop(t.Context(), "k", "nothing"); known || err != nil {
		t.Errorf("a run that is not there: %v, %v", known, err)
	}
	if known, err := r.Stop(t.Context(), "other", "run"); !known || err != nil {
		t.Fatal(known, err)
	}
	c.Stop()
	s.Close()

	s = openStore(t, dir)
	c = startBooks(t, s, dir)
	defer c.Stop()
	r = NewRuns(c, s.Run)
	if err := enter(t, r, "other", "run", more); gateway.KindOf(err) != gateway.BudgetExceeded {
		t.Errorf("a stopped run goes on after a restart: %v", err)
	}
	st, known, err := r.State(t.Context(), "k", "run")
	if err != nil || !known || st.Calls != 3 || st.Caps != first || !st.Stopped.IsZero() {
		t.Errorf("%+v, %v, %v", st, known, err)
	}
	if _, known, _ := r.State(t.Context(), "third", "run"); known {
		t.Error("a key sees the run of another")
	}
}

func TestRunsTimeIsOver(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	c := startBooks(t, s, dir)
	defer c.Stop()
	r := NewRuns(c, s.Run)
	_, until, _, err := r.Enter(t.Context(), "k", "run", gateway.RunCaps{MaxTime: 30 * time.Millisecond})
	if err != nil || time.Until(until) > 30*time.Millisecond {
		t.Fatal(until, err)
	}
	time.Sleep(time.Until(until))
	if err := enter(t, r, "k", "run", gateway.RunCaps{MaxTime: time.Hour}); gateway.KindOf(err) != gateway.BudgetExceeded {
		t.Errorf("%v", err)
	}
}

// However many come at once, a run of n requests lets n in.
func TestRunsCountTogether(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	c := startBooks(t, s, dir)
	defer c.Stop()
	r := NewRuns(c, s.Run)
	var in, out atomic.Int64
	var all sync.WaitGroup
	for range 300 {
		all.Go(func() {
			_, _, _, err := r.Enter(t.Context(), "k", "run", gateway.RunCaps{MaxCalls: 100})
			var e *gateway.Error
			switch {
			case err == nil:
				in.Add(1)
			case errors.As(err, &e) && e.Kind == gateway.BudgetExceeded:
				out.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if in.Load() != 100 || out.Load() != 200 {
		t.Errorf("%d let in, %d refused", in.Load(), out.Load())
	}
}

func TestRecordsReadBack(t *testing.T) {
	run := Run{Key: "k", ID: "r", Caps: gateway.RunCaps{MaxCost: 1, MaxCalls: 2, MaxTime: 3}, Begun: when, Calls: 4, Stopped: when.Add(1)}
	_, page, _, _ := unframe(run.frame())
	if got, err := readRun(page); err != nil || got != run {
		t.Errorf("%+v, %v", got, err)
	}
	repeat := Repeat{Key: "k", Name: [32]byte{1}, Body: [32]byte{2}, Request: "r", At: when}
	_, page, _, _ = unframe(repeat.frame())
	if got, err := readRepeat(page); err != nil || got != repeat {
		t.Errorf("%+v, %v", got, err)
	}
}
