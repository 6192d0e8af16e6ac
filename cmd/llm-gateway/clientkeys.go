package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"gateway"
	"gateway/api"
	"gateway/ledger"
)

// clientKeys reads the keys of the environment. Those of the store are added by the caller.
func clientKeys(env environment) (*api.Keys, error) {
	list, path := env.get("GATEWAY_API_KEYS"), env.get("GATEWAY_API_KEYS_FILE")
	keys, err := api.NewKeys(list)
	if err != nil {
		return nil, fmt.Errorf("GATEWAY_API_KEYS: %w", err)
	}
	if path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("GATEWAY_API_KEYS_FILE: %w", err)
		}
		if err := keys.ParseHashes(string(text)); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	if keys.Len() == 0 && (list != "" || path != "") { // meant to have keys and has none: nobody, rather than everybody, is let in
		return nil, errors.New("GATEWAY_API_KEYS and GATEWAY_API_KEYS_FILE hold no key")
	}
	return keys, nil
}

// keptKeys opens the file of keys and puts what it holds among the keys.
func keptKeys(ctx context.Context, dir string, keys *api.Keys) (*ledger.Keys, error) {
	kept, err := ledger.OpenKeys(dir)
	if err != nil {
		return nil, err
	}
	all, secrets, err := kept.Load(ctx)
	if err != nil {
		return nil, errors.Join(err, kept.Close())
	}
	keys.Set(all, secrets)
	return kept, nil
}

// How often changed keys are looked for, and expired ones ended. A change acts within a second.
const keysEvery = 200 * time.Millisecond

// closeKeys is what ends the use of the file of keys before it is watched.
func closeKeys(p parts) func() {
	return func() {
		if p.kept != nil {
			p.kept.Close()
		}
	}
}

// watchKeys follows the file of keys until the function that it returns is called, which
// also closes the file.
func watchKeys(p parts, gw *assembled) (stop func()) {
	if p.kept == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var both sync.WaitGroup
	var last time.Time // of a complaint
	both.Go(func() {   // ends with ctx
		p.kept.Watch(ctx, keysEvery, func(keys []gateway.Key, secrets []gateway.Secret) {
			before := p.keys.Asked()
			turn := p.keys.Set(keys, secrets)
			applyBudgets(keys, turn, gw.books.Accounts, gw.system.EndKey)
			if !before && p.keys.Asked() {
				p.log.Info("there are client keys now: everybody needs one")
			}
		}, func(err error) {
			if time.Since(last) > time.Minute {
				last = time.Now()
				p.log.Error("the keys cannot be read; those that were read last are in force", "err", err)
			}
		})
	})
	both.Go(func() { // ends with ctx
		tick := time.NewTicker(keysEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-tick.C:
				p.keys.Sweep(now)
			}
		}
	})
	return sync.OnceFunc(func() {
		cancel()
		both.Wait()
		if err := p.kept.Close(); err != nil {
			p.log.Error("closing the keys", "err", err)
		}
	})
}

// applyBudgets puts the limits of keys and teams in force for accounts that are in use.
// Where one was lowered below what is spent and held, what runs on it is ended.
func applyBudgets(keys []gateway.Key, turn int64, accounts *ledger.Accounts, end func(key string, why *gateway.Error) int) {
	for i := range keys {
		k := &keys[i]
		if !k.Budget.Limited || !k.Revoked.IsZero() {
			continue
		}
		acc := gateway.Account{ID: k.ID, Budget: k.Budget, Clamp: k.Clamp, Turn: turn}
		if !accounts.Limits(acc) {
			continue // nothing runs on it; to read it may take long, and the next revocation would wait
		}
		st, err := accounts.State(acc)
		if err != nil || st.Held == 0 || st.Spent+st.Held+st.Unsure <= k.Budget.Limit {
			continue
		}
		why := gateway.Errorf(gateway.BudgetExceeded, "The budget of %s was lowered below what is spent and held.", k.ID)
		why.Short = &gateway.Shortage{Account: k.ID, Spent: st.Spent, Held: st.Held + st.Unsure, Limit: k.Budget.Limit}
		for j := range keys {
			if keys[j].ID == k.ID || keys[j].Parent == k.ID {
				end(keys[j].ID, why)
			}
		}
	}
}
