package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"gateway"
	"gateway/ledger"
)

// audit compares the books with what clients were told and with the provider's bill.
type audit struct {
	cycles, sent, whole, rows int

	lost     int // answers that came whole and have no row
	doubled  int // requests with more rows that cost than the provider has bills for them
	exact    int // requests of which every row is exact
	wrong    int // of them, those whose cost is not the provider's
	exactSum [2]int64
	guessed  int // requests with an estimated row
	guessSum [2]int64
	unbooked int // bills without a row
	invented int // requests with exact rows that cost, without a bill
	phantom  int // requests with an estimated row that costs, without a bill
	verify   int // what `ledger verify` would name

	billed int64  // of requests that are booked at all
	booked int64  // by all rows
	budget stands // what stands on the clients' account after the last kill
}

// ofRequest is what is known of one client's request on both sides, in microcents.
type ofRequest struct {
	booked, billed    int64
	rows, bills       int
	guessed, answered bool
}

func auditBooks(ctx context.Context, data string, t *told, v *vendor, cycles int) (*audit, error) {
	a := &audit{cycles: cycles, sent: t.sent, whole: len(t.whole)}
	all := map[string]*ofRequest{}
	of := func(id string) *ofRequest {
		if all[id] == nil {
			all[id] = &ofRequest{}
		}
		return all[id]
	}
	if err := a.read(ctx, data, of); err != nil {
		return nil, err
	}
	for _, b := range v.now.Load().Bill() {
		if cost := v.picos(&b); cost > 0 {
			r := of(b.ID)
			r.billed += int64(gateway.RoundUp(cost))
			r.bills++
		}
	}
	for id := range t.whole {
		if r := all[id]; r == nil || !r.answered {
			a.lost++
		}
	}
	for _, r := range all {
		a.compare(r)
	}
	return a, nil
}

// read opens the books as the next process would, which books what is in the journal.
func (a *audit) read(ctx context.Context, data string, of func(string) *ofRequest) error {
	store, err := ledger.Open(data, ledger.Options{})
	if err != nil {
		return err
	}
	books, err := ledger.Start(store, data, false)
	if err != nil {
		return errors.Join(err, store.Close())
	}
	err = store.Rows(ctx, ledger.RowQuery{}, func(e *gateway.Entry) error {
		a.rows++
		a.booked += int64(e.Cost)
		r := of(e.Tags["id"])
		r.booked += int64(e.Cost)
		if e.Source != gateway.UsageNone {
			r.rows++
		}
		r.guessed = r.guessed || e.Source == gateway.UsageEstimated
		r.answered = r.answered || e.Winner && e.Outcome == "ok"
		return nil
	})
	found, verr := store.Verify(ctx)
	a.verify = len(found.Wrong)
	account := gateway.RunAccount("bench", killRun)
	state, serr := books.Accounts.State(gateway.Account{ID: account})
	a.budget = stands{Account: account, Limit: killLimit, Spent: int64(state.Spent), Held: int64(state.Held), Unsure: int64(state.Unsure)}
	return errors.Join(err, verr, serr, books.Stop(), store.Close())
}

func (a *audit) compare(r *ofRequest) {
	switch {
	case r.rows == 0 && r.bills > 0:
		a.unbooked++
		return
	case r.booked > 0 && r.bills == 0 && r.guessed:
		a.phantom++
	case r.booked > 0 && r.bills == 0:
		a.invented++
	case r.rows > r.bills:
		a.doubled++
	}
	a.billed += r.billed
	if r.guessed {
		a.guessed++
		a.guessSum[0] += r.booked
		a.guessSum[1] += r.billed
		return
	}
	a.exact++
	a.exactSum[0] += r.booked
	a.exactSum[1] += r.billed
	if r.booked != r.billed {
		a.wrong++
	}
}

func (a *audit) off() float64 {
	return 100 * (float64(a.guessSum[0]) - float64(a.guessSum[1])) / math.Max(1, float64(a.guessSum[1]))
}

func (a *audit) print(out io.Writer, name string) {
	fmt.Fprintf(out, "%s %d times: %d requests sent, %d answered whole, %d rows\n", name, a.cycles, a.sent, a.whole, a.rows)
	fmt.Fprintf(out, "  acknowledged and lost: %d; doubled: %d; named by verify: %d\n", a.lost, a.doubled, a.verify)
	fmt.Fprintf(out, "  exact: %d requests, %d microcents booked, %d billed, %d requests that differ\n", a.exact, a.exactSum[0], a.exactSum[1], a.wrong)
	fmt.Fprintf(out, "  estimated: %d requests, %d microcents booked, %d billed: %+.2f %%\n", a.guessed, a.guessSum[0], a.guessSum[1], a.off())
	if a.guessed < guessedLeast {
		fmt.Fprintf(out, "  these are too few estimates to judge: %d, of %d\n", a.guessed, guessedLeast)
	}
	fmt.Fprintf(out, "  billed and not booked: %d; booked and not billed: %d by estimate, %d as exact\n", a.unbooked, a.phantom, a.invented)
	b := a.budget
	fmt.Fprintf(out, "  on the budget after the last: %d spent, the rows %d; %d unsure; %d held; billed %d of what is booked\n", b.Spent, a.booked, b.Unsure, b.Held, a.billed)
}

// guessedLeast is the number of estimates from which their sum is meant to be right.
const guessedLeast = 1000

// verdict says which promise was broken. A torn file may have lost what was in the bytes
// that were cut off, three records at most, but nothing else. What was about to leave when
// the gateway was killed is booked by estimate, and a few of those did not leave.
func (a *audit) verdict(torn bool) error {
	var broken error
	need := func(ok bool, what string) {
		if !ok {
			broken = errors.Join(broken, errors.New(what))
		}
	}
	most := 0
	if torn {
		most = 3 * a.cycles
	}
	need(a.doubled == 0, "rows are doubled")
	need(a.verify == 0, "the totals are not the sum of the rows")
	need(a.lost <= most, "acknowledged rows are lost")
	need(a.unbooked <= most, "the provider billed what is not booked")
	need(a.wrong == 0 && a.invented == 0, "exact rows are not the provider's bill")
	need(a.phantom <= max(a.cycles, a.sent/50), "too much is booked that the provider did not bill")
	need(a.guessed < guessedLeast || math.Abs(a.off()) <= 5, "the estimates are off by more than 5 %")
	need(a.budget.Held == 0, "something is held for what a killed process began")
	need(a.budget.Spent == a.booked, "what is spent of the budget is not the sum of the rows")
	need(a.billed <= a.budget.Spent+a.budget.Unsure, "the provider billed more than stands on the budget")
	need(a.budget.Unsure <= int64(a.guessed)*killHold, "more is unsure than calls that were cut may have cost")
	return broken
}
