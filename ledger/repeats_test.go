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
