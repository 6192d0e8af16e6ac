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
			d.done(look.use, after)
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
