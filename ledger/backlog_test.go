package ledger

import (
	"context"
	"fmt"
	"testing"
	"time"

	"gateway"
)

func within(t *testing.T, what string, so func() bool) {
	t.Helper()
	for begun := time.Now(); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Since(begun) > 10*time.Second {
			t.Fatalf("not within ten seconds: %s", what)
		}
	}
}

// In an outage rows wait in memory, but no more than the bound and what is in flight:
// then nothing may leave. None of them is lost, and what is durable weighs nothing.
func TestWhatWaitsInAnOutageIsBounded(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	c := startBooks(t, s, dir)
	c.waits.most = 200 << 10
	if err := c.Begin(t.Context(), &gateway.Outset{Entry: row("in flight", 1)}); err != nil {
		t.Fatal(err)
	}
	mend := breakJournal(c)
	within(t, "all is in the store", func() bool { return c.Waiting() == 0 })
	kept := 0
	for ; c.Full() == nil; kept++ {
		if kept > 1000 {
			t.Fatalf("%d bytes wait, and there is no end", c.Waiting())
		}
		if err := submit(t, c, row(fmt.Sprint("r", kept), 1), gateway.Hold{}); err == nil {
			t.Fatal("a row is acknowledged that is nowhere")
		}
	}
	if kept < 50 {
		t.Errorf("only %d rows fill %d bytes", kept, c.waits.most)
	}
	before := c.Waiting()
	if st := c.Status(); !st.Full || st.Waiting != before {
		t.Errorf("%+v, %d bytes wait", st, before)
	}
	repeats := NewRepeats(c, s)
	for i := range 100 {
		if err := c.Begin(t.Context(), &gateway.Outset{Entry: row("new", i+1)}); gateway.KindOf(err) != gateway.LedgerDown {
			t.Fatalf("an attempt may leave: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if _, err := repeats.Enter(ctx, "key", fmt.Sprint(i), nil, "id"); gateway.KindOf(err) != gateway.LedgerDown {
			t.Fatalf("a repeat is entered: %v", err)
		}
		cancel()
	}
	if got := c.Waiting(); got != before {
		t.Errorf("%d bytes wait after refusals, before %d", got, before)
	}
	_ = submit(t, c, row("in flight", 1), gateway.Hold{}) // left before, and is kept all the same
	mend()
	within(t, "it goes on", func() bool { return c.Failing() == nil && c.Waiting() == 0 })
	for i := range kept {
		if got, err := s.Request(t.Context(), fmt.Sprint("r", i)); err != nil || len(got) != 1 {
			t.Fatalf("row %d: %d found, %v", i, len(got), err)
		}
	}
	if got, err := s.Request(t.Context(), "in flight"); err != nil || len(got) != 1 || c.Full() != nil || c.Status().Full {
		t.Errorf("%v %v %v", got, err, c.Full())
	}
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
}
