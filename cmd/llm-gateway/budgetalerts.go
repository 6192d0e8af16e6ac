package main

import (
	"context"
	"log/slog"

	"gateway"
	"gateway/alerts"
	"gateway/ledger"
)

// startAlerts tells the webhook of the environment of budgets that are nearly spent; nil
// where there is none. It looks at every budget once, for what an earlier process did not
// get to notice, and then after each settled attempt.
func startAlerts(env environment, kept *ledger.Keys, accounts *ledger.Accounts, log *slog.Logger) (*alerts.Notifier, error) {
	if kept == nil {
		return nil, nil
	}
	url := env.get("LLM_GATEWAY_ALERT_URL")
	if url == "" {
		return nil, nil
	}
	ctx := context.Background()
	keys, err := kept.All(ctx)
	if err != nil {
		return nil, err
	}
	n, err := alerts.Start(alerts.Config{URL: url, Secret: env.get("LLM_GATEWAY_ALERT_SECRET"), Outbox: kept, Log: log,
		Name: func(account string) string {
			key, err := kept.Find(ctx, account)
			if err != nil {
				return ""
			}
			return key.Alias
		}})
	if err != nil {
		return nil, err
	}
	accounts.Watch(n.Note)
	for i := range keys {
		k := &keys[i]
		if !k.Budget.Limited || !k.Revoked.IsZero() {
			continue
		}
		if st, err := accounts.State(gateway.Account{ID: k.ID, Budget: k.Budget}); err == nil {
			n.Note(st, k.Budget)
		}
	}
	return n, nil
}
