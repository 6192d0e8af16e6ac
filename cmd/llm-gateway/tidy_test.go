package main

import (
	"testing"
	"time"
)

// It tidies up when little is allocated and something may be gained, and goes on only
// while it gains.
func TestTidyWhenThereIsLittleToDo(t *testing.T) {
	const mib = 1 << 20
	var d tidy
	every := 3 * time.Second
	looks := []struct {
		what string
		use  use
		due  bool
		left uint64 // of the stacks, if it is due
	}{
		{"streams begin", use{60 * mib, 30 * mib, 100 * mib}, false, 0},
		{"they wait", use{60 * mib, 30 * mib, 101 * mib}, true, 16 * mib},
		{"stacks were halved", use{50 * mib, 16 * mib, 101 * mib}, true, 16 * mib},
		{"nothing was gained", use{50 * mib, 16 * mib, 101 * mib}, false, 0},
		{"little was allocated", use{50 * mib, 16 * mib, 104 * mib}, false, 0},
		{"a sixteenth was", use{50 * mib, 16 * mib, 106 * mib}, true, 16 * mib},
		{"it is busy", use{50 * mib, 16 * mib, 206 * mib}, false, 0},
		{"it is busy still", use{50 * mib, 16 * mib, 306 * mib}, false, 0},
	}
	for _, look := range looks {
		due := d.due(look.use, every)
		if due != look.due {
			t.Fatalf("%s: due %v", look.what, due)
		}
		if due {
			after := look.use
			after.stacks = look.left
			d.done(look.use, after, 5*time.Millisecond)
		}
	}
}

// What dies without anything being allocated, as connections to providers that are closed
// when nobody needed them for long, is given back too, at the price of little.
func TestTidyAgainAfterAWhile(t *testing.T) {
	at := use{live: 5 << 20, stacks: 1 << 20, allocated: 100 << 20}
	for _, c := range []struct{ took, want time.Duration }{
		{5 * time.Millisecond, tidyAgain},
		{300 * time.Millisecond, 5 * time.Minute},
	} {
		var d tidy
		if d.due(at, tidyEvery); !d.due(at, tidyEvery) {
			t.Fatal("not due at first")
		}
		d.done(at, at, c.took)
		for range 2 {
			waited := tidyEvery
			for ; !d.due(at, tidyEvery); waited += tidyEvery {
				if waited > time.Hour {
					t.Fatalf("after %s it tidies no more", c.took)
				}
			}
			if waited != c.want {
				t.Errorf("what took %s comes again after %s, want %s", c.took, waited, c.want)
			}
			d.done(at, at, c.took)
		}
		busy := at
		for range 1000 {
			if busy.allocated += 2 * tidyQuiet * uint64(tidyEvery/time.Second); d.due(busy, tidyEvery) {
				t.Fatal("it tidies while there is much to do")
			}
		}
	}
}

// What a process reads of itself is what the decision needs.
func TestUseIsTold(t *testing.T) {
	before := readUse()
	kept := make([]byte, 8<<20)
	after := readUse()
	if before.stacks == 0 || before.allocated == 0 || after.allocated-before.allocated < uint64(len(kept)) {
		t.Errorf("%+v, then %+v", before, after)
	}
}
