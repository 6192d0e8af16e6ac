package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gateway"
)

// KeepTariffs writes down the price lists of these models, each once under its ID, so
// that rows which name them can be priced again when the configuration has long moved
// on. Call it before the first row is priced by them. A list without an ID is not kept.
func (s *Store) KeepTariffs(ctx context.Context, models []*gateway.Model) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("keeping price lists: %w", err)
	}
	err = func() error {
		for _, m := range models {
			if m.Tariff == nil || m.Tariff.ID == "" {
				continue
			}
			prices, err := json.Marshal(m.Tariff)
			if err != nil {
				return err
			}
			const add = "INSERT INTO tariffs VALUES (?,?,?) ON CONFLICT DO NOTHING"
			if _, err := tx.ExecContext(ctx, add, m.Tariff.ID, string(prices), time.Now().Unix()); err != nil {
				return err
			}
		}
		return nil
	}()
	if err := errors.Join(err, end(tx, err)); err != nil {
		return fmt.Errorf("keeping price lists: %w", err)
	}
	return nil
}

// tariffs reads every price list that is kept. One whose text does not come to its ID
// was changed by somebody, and is left out.
func (s *Store) tariffs(ctx context.Context) (map[string]*gateway.Tariff, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT id, prices FROM tariffs")
	if err != nil {
		return nil, fmt.Errorf("reading price lists: %w", err)
	}
	defer rows.Close()
	all := map[string]*gateway.Tariff{}
	for rows.Next() {
		var id, prices string
		if err := rows.Scan(&id, &prices); err != nil {
			return nil, fmt.Errorf("reading price lists: %w", err)
		}
		var t gateway.Tariff
		if err := json.Unmarshal([]byte(prices), &t); err != nil {
			continue
		}
		if t.Identify(); t.ID == id {
			all[id] = &t
		}
	}
	return all, rows.Err()
}
