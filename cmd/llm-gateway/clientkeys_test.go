package main

import (
	"fmt"
	"testing"
	"time"

	"gateway"
	"gateway/ledger"
)

// Budgets of keys that are not in use are put in force without reading what stands on
// them: the store may be stuck, and what was revoked would wait for it.
func TestBudgetsOfIdleKeysAreNotRead(t *testing.T) {
	read := map[string]int{}
	accounts := ledger.NewAccounts(func(id string) ([]ledger.Charge, error) {
		read[id]++
		return nil, nil
	}, time.Now)
	keys := make([]gateway.Key, 100)
	for i := range keys {
		keys[i] = gateway.Key{ID: fmt.Sprint("k", i), Budget: gateway.Budget{Limited: true, Limit: 1000}}
	}
	path := []gateway.Account{{ID: "k7", Budget: keys[7].Budget}}
	if err := accounts.Prepare(path); err != nil {
		t.Fatal(err)
	}
	if _, short := accounts.Hold(gateway.Ask{Request: "r", Attempt: 1, Path: path, Want: 800}); short != nil {
		t.Fatal(*short)
	}
	var ended []string
	end := func(key string, _ *gateway.Error) int { ended = append(ended, key); return 1 }
	applyBudgets(keys, 1, accounts, end)
	for i := range keys {
		keys[i].Budget.Limit = 500
	}
	applyBudgets(keys, 2, accounts, end)
	if len(read) != 1 || read["k7"] != 1 {
		t.Errorf("read: %v", read)
	}
	if len(ended) != 1 || ended[0] != "k7" {
		t.Errorf("ended: %v", ended)
	}
}
