package actors

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gateway"
	"gateway/ledger"
)

// purse makes a system whose requests can have budgets.
func purse(t *testing.T, change func(*Config), ups ...*fake) (*System, *books) {
	t.Helper()
	accounts := ledger.NewAccounts(func(string) ([]ledger.Charge, error) { return nil, nil }, time.Now)
	s, b := setup(t, func(c *Config) {
		c.Holds = accounts
		c.Books.(*books).accounts = accounts
		if change != nil {
			change(c)
		}
	}, ups...)
	return s, b
}

func limited(id string, limit gateway.Microcents) gateway.Account {
	return gateway.Account{ID: id, Budget: gateway.Budget{Limited: true, Limit: limit}}
}

func spending(id string, accounts ...gateway.Account) *gateway.Request {
	r := ask(id, true)
	r.Key, r.MaxTokens, r.Accounts = "k", 100, accounts
	return r
}

// bills says a word after a time and bills so many tokens of output.
func bills(after time.Duration, output int) func(context.Context, *gateway.Call) (gateway.Stream, error) {
	return func(ctx context.Context, call *gateway.Call) (gateway.Stream, error) {
		usage := &gateway.Usage{Fresh: 100, Output: min(output, call.MaxTokens), Reported: true}
		return &steps{ctx: ctx, end: io.EOF, pause: []time.Duration{after},
			chunks: []gateway.Chunk{{Text: "word"}, {Finish: gateway.FinishStop, Usage: usage}}}, nil
	}
}

// holdOf is what a request of spending holds on the model at that price.
func holdOf(t *testing.T, s *System, id string) gateway.Microcents {
	t.Helper()
	b, lacks := s.boundOf(spending(id), s.cfg.Providers[0].Default, "", time.Now())
	if lacks != "" {
		t.Fatal(lacks)
	}
	return b.cost(b.answer)
}

func state(t *testing.T, b *books, id string) gateway.AccountState {
	t.Helper()
	st, err := b.accounts.State(gateway.Account{ID: id})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// Many callers share a budget that holds few of them at a time. They wait for each
// other; nobody is refused while what is needed is left, and nothing is overspent.
func TestCallersWaitForRoomAndNeverOverspend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, b := purse(t, nil, &fake{open: bills(100*time.Millisecond, 50)})
		limit := 40 * holdOf(t, s, "x")
		account := limited("k", limit)
		var refused, served atomic.Int64
		var all sync.WaitGroup
		for i := range 400 {
			all.Go(func() {
				answer, err := s.Route(t.Context(), spending(fmt.Sprint("r", i), account))
				if err == nil {
					served.Add(1)
					text(t, answer)
					return
				}
				refused.Add(1)
				var e *gateway.Error
				if !errors.As(err, &e) || e.Kind != gateway.BudgetExceeded || e.Short == nil {
					t.Errorf("refused with %v", err)
				} else if e.Short.Spent+e.Short.Needed <= limit {
					t.Errorf("refused while there was room: %+v", *e.Short)
				}
			})
		}
		all.Wait()
		synctest.Wait()
		st := state(t, b, "k")
		if st.Spent > limit || st.Held != 0 || st.Unsure != 0 || st.Spent < limit*9/10 {
			t.Errorf("%+v of %d", st, limit)
		}
		sum := gateway.Microcents(0)
		for _, r := range b.all() {
			sum += r.Cost
		}
		if sum != st.Spent || int(served.Load()) != len(b.all()) || refused.Load() == 0 {
			t.Errorf("rows %d and account %d; %d served, %d refused", sum, st.Spent, served.Load(), refused.Load())
		}
		if n := b.accounts.Holding(); n != 0 {
			t.Errorf("%d holds are left", n)
		}
		stopped(t, s)
	})
}

// Each attempt holds anew: a fallback needs room of its own, and a hedge without room
// does not happen.
func TestEveryAttemptHoldsAndAHedgeNeedsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		second := &fake{open: bills(time.Millisecond, 50)}
		s, b := purse(t, func(c *Config) { c.HedgeAfter = time.Second }, &fake{open: bills(5*time.Second, 50)}, second)
		one := holdOf(t, s, "x")
		request := spending("tight", limited("k", one))
		request.Options.Hedge = "force"
		answer, err := s.Route(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		text(t, answer)
		if n := second.calls.Load(); n != 0 || answer.Hedged {
			t.Errorf("%d hedges left without room", n)
		}
		request = spending("wide", limited("w", 10*one))
		request.Options.Hedge = "force"
		if answer, err = s.Route(t.Context(), request); err != nil {
			t.Fatal(err)
		}
		text(t, answer)
		synctest.Wait()
		st := state(t, b, "w")
		if second.calls.Load() != 1 || st.Held != 0 || st.Unsure == 0 || st.Spent+st.Unsure > 3*one {
			t.Errorf("%d hedges, account %+v, one hold is %d", second.calls.Load(), st, one)
		}
		stopped(t, s)
	})
}

func TestTeamAndKeyAdmitTogetherOrNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, b := purse(t, nil, &fake{open: bills(time.Second, 50)})
		one := holdOf(t, s, "x")
		_, err := s.Route(t.Context(), spending("r1", limited("k", 100*one), limited("team", one-1)))
		if gateway.KindOf(err) != gateway.BudgetExceeded {
			t.Fatalf("%v", err)
		}
		if st := state(t, b, "k"); st.Held != 0 || st.Spent != 0 {
			t.Errorf("the key was charged though the team refused: %+v", st)
		}
		stopped(t, s)
	})
}

// A client that leaves while it waits for room, or for a place at the provider, holds
// nothing afterwards.
func TestLeavingFreesTheRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, b := purse(t, func(c *Config) { c.Providers[0].Limits.MaxInFlight = 1 }, &fake{open: bills(time.Minute, 50)})
		one := holdOf(t, s, "x")
		account := limited("k", 2*one) // one runs, one waits for its place, the others for room
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for i := range 5 {
			all.Go(func() {
				if _, err := s.Route(ctx, spending(fmt.Sprint("r", i), account)); gateway.KindOf(err) != gateway.Canceled {
					t.Errorf("%v", err)
				}
			})
		}
		time.Sleep(2 * time.Second)
		if st := state(t, b, "k"); st.Held != 2*one {
			t.Errorf("%+v while two of %d are held", st, one)
		}
		cancel()
		all.Wait()
		synctest.Wait()
		if st := state(t, b, "k"); st.Held != 0 || b.accounts.Holding() != 0 {
			t.Errorf("%+v after all have left", st)
		}
		stopped(t, s)
	})
}

// clamp_max_tokens: the answer is asked as short as what is left pays for.
func TestClampAsksForLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var most atomic.Int64
		s, b := purse(t, nil, &fake{open: func(ctx context.Context, call *gateway.Call) (gateway.Stream, error) {
			most.Store(int64(call.MaxTokens))
			return bills(0, 1<<20)(ctx, call)
		}})
		account := limited("k", holdOf(t, s, "x")*9)
		account.Clamp = true
		r := spending("r", account)
		r.MaxTokens = 4000
		answer, err := s.Route(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		text(t, answer)
		synctest.Wait()
		if st := state(t, b, "k"); most.Load() < leastAnswer || most.Load() >= 4000 || st.Spent > account.Budget.Limit || st.Spent == 0 {
			t.Errorf("asked for %d tokens, %+v", most.Load(), st)
		}
		account.Clamp = false
		r = spending("r2", account)
		r.MaxTokens = 4000
		if _, err := s.Route(t.Context(), r); gateway.KindOf(err) != gateway.BudgetExceeded {
			t.Errorf("without clamp: %v", err)
		}
		stopped(t, s)
	})
}

func TestBooksDownRefuseBudgetedOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := &fake{open: bills(0, 5)}
		s, b := purse(t, nil, up)
		b.failing = errors.New("no space left on device")
		if _, err := s.Route(t.Context(), spending("r1", limited("k", 1e9))); gateway.KindOf(err) != gateway.LedgerDown {
			t.Errorf("a budgeted request: %v", err)
		}
		if n := up.calls.Load(); n != 0 {
			t.Errorf("%d calls left unbooked", n)
		}
		answer, err := s.Route(t.Context(), ask("r2", true))
		if err != nil {
			t.Fatal(err)
		}
		text(t, answer)
		s.cfg.RefuseOnLedgerError = true
		if _, err := s.Route(t.Context(), ask("r3", true)); gateway.KindOf(err) != gateway.LedgerDown {
			t.Errorf("on_ledger_error refuse: %v", err)
		}
		s.cfg.RefuseOnLedgerError, b.full = false, errors.New("too many rows wait")
		before := up.calls.Load()
		if _, err := s.Route(t.Context(), ask("r4", true)); gateway.KindOf(err) != gateway.LedgerDown || up.calls.Load() != before {
			t.Errorf("no memory for more rows: %v, %d calls left", err, up.calls.Load()-before)
		}
		stopped(t, s)
	})
}

func TestUnboundedIsRefusedUnderABudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := &fake{open: bills(0, 5)}
		s, _ := purse(t, func(c *Config) { c.Providers[0].Default.Tariff = nil }, up)
		if _, err := s.Route(t.Context(), spending("r1", limited("k", 1e9))); gateway.KindOf(err) != gateway.BudgetExceeded {
			t.Errorf("a model without a price: %v", err)
		}
		answer, err := s.Route(t.Context(), ask("r2", true))
		if err != nil {
			t.Fatal(err)
		}
		text(t, answer)
		stopped(t, s)
	})
}

// A noisy key with hundreds in line does not make the others of its team wait behind
// them all.
func TestLineGoesRoundByKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, b := purse(t, nil, &fake{open: bills(100*time.Millisecond, 1)})
		one := holdOf(t, s, "x")
		team := limited("team", 4*one)
		var all sync.WaitGroup
		send := func(key string, i int) {
			r := spending(fmt.Sprint(key, i), gateway.Account{ID: key}, team)
			r.Key = key
			if answer, err := s.Route(t.Context(), r); err == nil {
				text(t, answer)
			}
		}
		for i := range 200 {
			all.Go(func() { send("noisy", i) })
		}
		time.Sleep(50 * time.Millisecond)
		begun := time.Now()
		send("light", 0)
		if took := time.Since(begun); took > 400*time.Millisecond {
			t.Errorf("the light key waited %v behind the noisy one", took)
		}
		all.Wait()
		synctest.Wait()
		if st := state(t, b, "team"); st.Held != 0 {
			t.Errorf("%+v", st)
		}
		stopped(t, s)
	})
}

// A race that the budget had no room for takes nothing from its request: when the first
// attempt fails, the candidate of the race serves as the fallback.
func TestRefusedRaceLeavesItsCandidate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, b := purse(t, nil, &fake{open: func(ctx context.Context, call *gateway.Call) (gateway.Stream, error) {
			time.Sleep(2 * time.Second)
			return fails(gateway.Unavailable, 503)(ctx, call)
		}}, &fake{open: bills(time.Millisecond, 50)})
		// The second is twice as dear: it has room alone, and none beside the first.
		r := spending("r", limited("k", 2*holdOf(t, s, "x")+1))
		r.Options.Hedge = "force"
		answer, err := s.Route(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if text(t, answer); answer.Provider != "b" || answer.Hedged {
			t.Errorf("%s served, hedged %v", answer.Provider, answer.Hedged)
		}
		synctest.Wait()
		if st := state(t, b, "k"); st.Held != 0 {
			t.Errorf("%+v", st)
		}
		stopped(t, s)
	})
}
