package main

import (
	"bytes"
	"testing"

	"gateway/internal/fakeupstream"
)

// Six rounds of the whole proof: budgets of a dollar, of runs, a key and a team, are spent
// to their end by a hundred callers of the real program, and the providers' bill is not
// over them.
func TestBudgetIsNeverOverspent(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: builds and runs the gateway")
	}
	var out bytes.Buffer
	err := run(t.Context(), []string{"budget", "--rounds", "6", "--n", "1", "--callers", "100", "--limit", "100000000"}, &out)
	t.Log(out.String())
	if err != nil {
		t.Error(err)
	}
}

// Two providers that have charged nothing: whatever a gateway claims, there is room.
func TestAGatewayCannotTalkItsWayOut(t *testing.T) {
	var o outside
	for _, v := range []**vendor{&o.first, &o.second} {
		made, err := newVendor(fakeupstream.Config{}, purseInput, purseOutput)
		if err != nil {
			t.Fatal(err)
		}
		defer made.close()
		*v = made
	}
	const limit = 1_000_000_000
	of := &fund{account: "key_a", limit: limit}
	for _, s := range []stands{{Spent: limit / 2, Unsure: limit / 2}, {Spent: limit}, {Unsure: limit}, {}} {
		var sum budgetSum
		if sum.judge(of, s, &o); sum.verdict() == nil || sum.roomy != 1 || (s.Unsure > 0) != (sum.unproven > 0) {
			t.Errorf("%+v passes: %+v", s, sum)
		}
	}
	for _, text := range []string{
		`"account":"key_a","spent":999900000,"held":0,"unsure":0,"limit":1000000000,"needed":1400000`,         // more than was charged
		`"account":"key_a","spent":0,"held":999900000,"unsure":999900000,"limit":1000000000,"needed":1400000`, // more than was cut
		`"account":"key_a","spent":0,"held":0,"unsure":0,"limit":1000000000,"needed":2000000000`,              // more than a call costs
		`"account":"key_a","spent":0,"held":100,"unsure":0,"limit":1000000000,"needed":1400000`,               // with room by its own numbers
		`"account":"key_b","spent":0,"held":999900000,"unsure":0,"limit":1000000000,"needed":1400000`,         // of another account
	} {
		c := newSpenders("", of, &o)
		if c.refused402([]byte(`{"error":{"code":"budget_exceeded",` + text + `}}`)); c.unwarranted.Load() != 1 {
			t.Errorf("%s passes", text)
		}
	}
}
