package ledger

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"gateway"
)

// When the disk is full and only those ask who are refused for it, nothing is kept that
// would be tried again; the books go on all the same when there is room.
func TestBooksGoOnThoughNobodyMayWrite(t *testing.T) {
	dir := small(t, "3m")
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := startBooks(t, s, dir)
	ballast := filepath.Join(dir, "ballast")
	if err := fillDisk(ballast); err != nil {
		t.Fatal(err)
	}
	attempt := &gateway.Outset{Entry: row("r", 1)}
	if err := c.Begin(t.Context(), attempt); gateway.KindOf(err) != gateway.LedgerDown || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("an attempt may leave: %v", err)
	}
	time.Sleep(3 * retryEvery) // the disk stays full for some tries
	if c.Failing() == nil {
		t.Error("the books do not fail on a full disk")
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); c.Failing() != nil; time.Sleep(10 * time.Millisecond) {
		if time.Since(begun) > 10*time.Second {
			t.Fatalf("they do not go on: %v", c.Failing())
		}
	}
	if err := c.Begin(t.Context(), attempt); err != nil {
		t.Error(err)
	}
	submit(t, c, attempt.Entry, gateway.Hold{})
	if err := errors.Join(c.Stop(), s.Close()); err != nil {
		t.Error(err)
	}
	if v := reopened(t, dir); v != 1 {
		t.Errorf("%d rows, want 1", v)
	}
}

// reopened is how many rows there are after a restart.
func reopened(t *testing.T, dir string) int64 {
	t.Helper()
	s := openStore(t, dir)
	c := startBooks(t, s, dir)
	defer c.Stop()
	if found := c.Recovered(); found.Torn > 0 {
		t.Errorf("%+v", found)
	}
	return total(t, s).Attempts
}
