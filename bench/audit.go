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
	phantom  int // rows that cost, without a bill
	verify   int // what `ledger verify` would name
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
	return errors.Join(err, verr, books.Stop(), store.Close())
}

func (a *audit) compare(r *ofRequest) {
	switch {
	case r.rows == 0 && r.bills > 0:
		a.unbooked++
		return
	case r.rows > 0 && r.bills == 0:
		a.phantom++
	case r.rows > r.bills:
		a.doubled++
	}
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
	fmt.Fprintf(out, "  billed and not booked: %d; booked and not billed: %d\n", a.unbooked, a.phantom)
}

// verdict says which promise was broken. A torn file may have lost what was in the bytes
// that were cut off, but nothing else.
func (a *audit) verdict(torn bool) error {
	var broken error
	need := func(ok bool, what string) {
		if !ok {
			broken = errors.Join(broken, errors.New(what))
		}
	}
	need(a.doubled == 0, "rows are doubled")
	need(a.verify == 0, "the totals are not the sum of the rows")
	if torn {
		need(a.lost <= 3*a.cycles, "more rows are lost than were torn off")
		return broken
	}
	need(a.lost == 0, "acknowledged rows are lost")
	need(a.wrong == 0, "exact rows are not the provider's bill")
	need(a.unbooked == 0, "the provider billed what is not booked")
	need(a.guessed < 1000 || math.Abs(a.off()) <= 5, "the estimates are off by more than 5 %")
	return broken
}
