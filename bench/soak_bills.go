package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"gateway"
	"gateway/internal/fakeupstream"
	"gateway/ledger"
)

// account is what one provider and the books say of each other's requests, in
// microcents. Requests are compared one by one: those of which every row is exact must
// cost what the provider charges, to the microcent.
type account struct {
	rows, bills int64 // that were sent
	resent      int64 // of the bills: for a call whose kept connection was reset, which left again over another
	booked      int64 // by all rows

	exact       int64 // requests whose rows are all exact
	exactBooked int64
	exactBilled int64
	wrong       []string // those that differ

	guessed       int64 // requests with an estimated row
	guessedBooked int64
	guessedBilled int64
	wholeGuessed  int64 // of them, those that the provider gave whole
	unbooked      int64 // requests with a bill and without a row, and what they cost
	unbookedSum   int64
}

// sides is what both say of one request at one provider.
type sides struct {
	booked, billed    int64
	rows, sent, bills int
	resets            int // of the bills: the connection was reset without an answer
	guessed, whole    bool
}

// accounts reads the books of a gateway that has ended, and the providers' bills.
func (s *soak) accounts(ctx context.Context, fakes *providersAtHand) (all []account, err error) {
	data, err := filepath.Glob(filepath.Join(s.rig.folder, "data-*"))
	if err != nil || len(data) != 1 {
		return nil, errors.Join(errors.New("the gateway's books are not found"), err)
	}
	store, err := ledger.Open(data[0], ledger.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	all = make([]account, len(providerNames))
	at := make([]map[string]*sides, len(all))
	of := func(i int, id string) *sides {
		if at[i] == nil {
			at[i] = map[string]*sides{}
		}
		if at[i][id] == nil {
			at[i][id] = &sides{}
		}
		return at[i][id]
	}
	err = store.Rows(ctx, ledger.RowQuery{}, func(e *gateway.Entry) error {
		i := slices.Index(providerNames, e.Provider)
		r := of(i, e.Tags["id"])
		r.booked += int64(e.Cost)
		r.rows++
		r.guessed = r.guessed || e.Source == gateway.UsageEstimated
		if e.Source != gateway.UsageNone || e.Status != 0 {
			r.sent++
			all[i].rows++ // not those that were cancelled before anything was sent
		}
		all[i].booked += int64(e.Cost)
		return nil
	})
	for i := range fakes.all {
		for _, b := range fakes.all[i].Bill() {
			r := of(i, b.ID)
			pico := int64(b.Usage.Prompt)*providerPrices[i][0] + int64(b.Usage.Output)*providerPrices[i][1]
			r.billed += int64(gateway.RoundUp(pico))
			r.bills++
			if b.Fault == fakeupstream.Reset {
				r.resets++
			}
			r.whole = r.whole || !b.Cut && b.Fault == fakeupstream.None
			all[i].bills++
		}
		for id, r := range at[i] {
			all[i].compare(id, r)
		}
	}
	return all, err
}

func (a *account) compare(id string, r *sides) {
	a.resent += int64(min(max(r.bills-r.sent, 0), r.resets))
	switch {
	case r.rows == 0:
		a.unbooked++
		a.unbookedSum += r.billed
	case r.guessed:
		a.guessed++
		a.guessedBooked += r.booked
		a.guessedBilled += r.billed
		if r.whole {
			a.wholeGuessed++
		}
	default:
		a.exact++
		a.exactBooked += r.booked
		a.exactBilled += r.billed
		if r.booked != r.billed {
			a.wrong = append(a.wrong, fmt.Sprintf("%s: booked %d, billed %d, %d rows, %d bills", id, r.booked, r.billed, r.rows, r.bills))
		}
	}
}

// bills compares what the ledger says with what the providers charge.
func (s *soak) bills(ctx context.Context, v *verdict, spend []spendLine, fakes *providersAtHand) error {
	all, err := s.accounts(ctx, fakes)
	if err != nil {
		return err
	}
	for i, name := range providerNames {
		a := &all[i]
		var total int64
		for _, l := range spend {
			if l.Group["provider"] == name {
				total = l.Cost
			}
		}
		v.add(total == a.booked, name+": cost that /v1/spend gives", "the sum of the rows", "%d, the rows %d", total, a.booked)
		// An attempt may be cancelled between sending and arrival. One whose kept connection is
		// reset without an answer is sent again on another, and the provider has seen both.
		seen := a.bills - a.resent
		few := seen/100 + 5
		v.add(a.rows >= seen-few && a.rows <= seen+few, name+": attempts that were sent", "what the provider saw, within 1 % and 5",
			"%d, it saw %d and %d that it reset and that came again", a.rows, seen, a.resent)
		v.add(len(a.wrong) == 0 && a.unbookedSum == 0, name+": requests booked exactly", "each costs what the provider charges",
			"%d, of which %d differ: %d microcents, charged %d; %d charged and not booked, %d microcents", a.exact, len(a.wrong), a.exactBooked, a.exactBilled, a.unbooked, a.unbookedSum)
		off := 100 * float64(a.guessedBooked-a.guessedBilled) / float64(max(a.exactBilled+a.guessedBilled, 1))
		v.add(off > -1 && off < 10, name+": requests that were cut, by estimate", "at most 1 % of all below the bill and 10 % above",
			"%d (%d of them the provider had ended): %d microcents, charged %d: %+.3f %% of all", a.guessed, a.wholeGuessed, a.guessedBooked, a.guessedBilled, off)
		for _, text := range a.wrong[:min(len(a.wrong), 10)] {
			s.say("%s %s", name, text)
		}
	}
	return nil
}
