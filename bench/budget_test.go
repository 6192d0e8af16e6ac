package main

import (
	"bytes"
	"testing"
)

// One round of the whole proof: a budget of a dollar is spent to its end by a hundred
// callers of the real program, and the providers' bill is not over it.
func TestBudgetIsNeverOverspent(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: builds and runs the gateway")
	}
	var out bytes.Buffer
	err := run(t.Context(), []string{"budget", "--n", "1", "--callers", "100", "--limit", "100000000"}, &out)
	t.Log(out.String())
	if err != nil {
		t.Error(err)
	}
}
