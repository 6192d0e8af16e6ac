package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"gateway"
)

// PutAlert keeps an alert until it is sent. One that was kept before, sent or not,
// changes nothing.
func (k *Keys) PutAlert(ctx context.Context, a *gateway.BudgetAlert) error {
	return k.change(ctx, "keeping a budget alert", func(tx *sql.Tx) error {
		budget, err := json.Marshal(keptBudget{a.Budget.Limit, a.Budget.Every, a.Budget.Zone})
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO alerts VALUES (?,?,?,?,?,?,?,?,0) ON CONFLICT DO NOTHING", a.ID, a.Account, a.Percent, int64(a.Spent),
			string(budget), unix(a.Begun), unix(a.Until), unix(a.At))
		return err
	})
}

// SentAlert notes that an alert's receiver has it.
func (k *Keys) SentAlert(ctx context.Context, id string, at time.Time) error {
	return k.change(ctx, "noting a budget alert as sent", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE alerts SET sent = ? WHERE id = ?", unix(at), id)
		return err
	})
}

// DropAlert notes that an alert is not tried any more.
func (k *Keys) DropAlert(ctx context.Context, id string, at time.Time) error {
	return k.change(ctx, "noting a budget alert as given up", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE alerts SET sent = ? WHERE id = ?", -unix(at), id)
		return err
	})
}

// PendingAlerts are those that are neither sent nor given up, the oldest first.
func (k *Keys) PendingAlerts(ctx context.Context) ([]gateway.BudgetAlert, error) {
	rows, err := k.db.QueryContext(ctx, "SELECT id, account, percent, spent, budget, begun, until, at FROM alerts WHERE sent = 0 ORDER BY at, percent")
	if err != nil {
		return nil, fmt.Errorf("reading budget alerts: %w", err)
	}
	defer rows.Close()
	var all []gateway.BudgetAlert
	for rows.Next() {
		var a gateway.BudgetAlert
		var budget string
		var begun, until, at int64
		if err := rows.Scan(&a.ID, &a.Account, &a.Percent, &a.Spent, &budget, &begun, &until, &at); err != nil {
			return nil, fmt.Errorf("reading budget alerts: %w", err)
		}
		var b keptBudget
		if err := json.Unmarshal([]byte(budget), &b); err != nil {
			return nil, fmt.Errorf("reading budget alerts: %w", err)
		}
		a.Budget = gateway.Budget{Limited: true, Limit: b.Limit, Every: b.Every, Zone: b.Zone}
		a.Begun, a.Until, a.At = fromUnix(begun), fromUnix(until), fromUnix(at)
		all = append(all, a)
	}
	return all, rows.Err()
}
