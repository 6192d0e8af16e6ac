package ledger

import (
	"testing"

	"gateway"
)

// One Idempotency-Key, one answer that is paid for; also over a restart. Failures may be
// repeated, keys of different clients have nothing to do with each other.
func TestRepeats(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	c := startBooks(t, s, dir)
	r := NewRepeats(c, s)
	enter := func(key, name, body, request string) (func(), gateway.Kind, bool) {
		leave, err := r.Enter(t.Context(), key, name, []byte(body), request)
		return leave, gateway.KindOf(err), err == nil
	}
	leave, _, ok := enter("k", "name", "body", "r1")
	if !ok {
		t.Fatal("the first was refused")
	}
	if _, kind, _ := enter("k", "name", "body", "r2"); kind != gateway.Conflict {
		t.Errorf("while it runs: %v", kind)
	}
	if _, kind, _ := enter("k", "name", "other", "r2"); kind != gateway.Invalid {
		t.Errorf("another body: %v", kind)
	}
	if other, _, ok := enter("k2", "name", "body", "r3"); !ok {
		t.Error("another client's was refused")
	} else {
		other()
	}
	failed := row("r1", 1)
	failed.Winner, failed.Outcome = false, "unavailable"
	submit(t, c, failed, gateway.Hold{})
	leave()
	if leave, _, ok = enter("k", "name", "body", "r4"); !ok {
		t.Fatal("one that failed may not be repeated")
	}
	submit(t, c, row("r4", 1), gateway.Hold{})
	leave()
	for range 2 {
		if _, kind, _ := enter("k", "name", "body", "r5"); kind != gateway.Conflict {
			t.Errorf("one that was answered is asked again: %v", kind)
		}
		c.Stop()
		s.Close()
		s = openStore(t, dir)
		c = startBooks(t, s, dir)
		r = NewRepeats(c, s)
	}
	c.Stop()
}

// While the store is behind, what it lacks is known all the same; when it has everything,
// nothing is kept in memory.
func TestRepeatsAreKnownWhileTheStoreIsBehind(t *testing.T) {
	dir := t.TempDir()
	s := &heldUp{Store: openStore(t, dir)}
	c, err := Start(s, dir, false)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	r := NewRepeats(c, s.Store)
	s.gate.Lock()
	enter := func(name, body, request string) (func(), error) {
		return r.Enter(t.Context(), "k", name, []byte(body), request)
	}
	for _, name := range []string{"answered", "failed"} {
		leave, err := enter(name, "body", name)
		if err != nil {
			t.Fatal(err)
		}
		e := row(name, 1)
		if name == "failed" {
			e.Winner, e.Outcome = false, "unavailable"
		}
		submit(t, c, e, gateway.Hold{})
		leave()
		if _, err := enter(name, "other", "r2"); gateway.KindOf(err) != gateway.Invalid {
			t.Errorf("%s, with another body: %v", name, err)
		}
	}
	if _, err := enter("answered", "body", "r3"); gateway.KindOf(err) != gateway.Conflict {
		t.Errorf("one that was answered is asked again: %v", err)
	}
	leave, err := enter("failed", "body", "r4")
	if err != nil {
		t.Fatalf("one that failed may not be repeated: %v", err)
	}
	if _, err := enter("failed", "body", "r5"); gateway.KindOf(err) != gateway.Conflict {
		t.Errorf("two at one time: %v", err)
	}
	s.gate.Unlock()
	within(t, "all is in the store", func() bool { return c.Waiting() == 0 })
	if len(r.recent) != 1 || len(r.byRequest) != 1 {
		t.Errorf("%v are in memory", r.recent)
	}
	leave()
	if len(r.recent) != 0 || len(r.byRequest) != 0 {
		t.Errorf("%v are in memory", r.recent)
	}
	if _, err := enter("answered", "body", "r6"); gateway.KindOf(err) != gateway.Conflict {
		t.Errorf("one that was answered is asked again: %v", err)
	}
}

// A request that was refused because the books could not be written was never let in:
// its Idempotency-Key is free, for another body too.
func TestRefusedRepeatsStandForNothing(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	c := startBooks(t, s, dir)
	r := NewRepeats(c, s)
	submit(t, c, row("first", 1), gateway.Hold{})
	mend := breakJournal(c)
	if _, err := r.Enter(t.Context(), "k", "name", []byte("body"), "r1"); gateway.KindOf(err) != gateway.LedgerDown {
		t.Fatal(err)
	}
	mend()
	within(t, "it goes on", func() bool { return c.Failing() == nil && c.Waiting() == 0 })
	leave, err := r.Enter(t.Context(), "k", "name", []byte("other"), "r2")
	if err != nil {
		t.Fatal(err)
	}
	leave()
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
	if len(r.recent) != 0 {
		t.Errorf("%v are in memory", r.recent)
	}
}
