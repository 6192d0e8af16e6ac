package ledger

import (
	"context"
	"database/sql"
)

// byAccount compares what stands on each account with the hours of its key, team or run,
// which are compared with the rows. What is unsure is in no row, nor in which quarter of
// an hour an attempt was admitted.
const byAccount = `WITH booked AS (SELECT account, SUM(cost) AS cost FROM charges GROUP BY account),
of AS (
 SELECT key AS account, cost FROM cells WHERE scope = 1 AND grain = 0 AND key <> ''
 UNION ALL SELECT who, cost FROM cells WHERE scope = 1 AND grain = 0 AND who <> ''
 UNION ALL SELECT 'run:' || key || '/' || who, cost FROM cells WHERE scope = 2 AND grain = 0
), spent AS (SELECT account, SUM(cost) AS cost FROM of GROUP BY account)
SELECT account, COALESCE(booked.cost, 0), COALESCE(spent.cost, 0) FROM booked FULL JOIN spent USING (account)`

func (v *Verdict) accounts(ctx context.Context, tx *sql.Tx) error {
	rows, err := tx.QueryContext(ctx, byAccount)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var account string
		var booked, spent int64
		if err := rows.Scan(&account, &booked, &spent); err != nil {
			return err
		}
		v.Accounts++
		if booked != spent {
			v.wrong("account %s: %d are booked to it, its rows cost %d", account, booked, spent)
		}
	}
	return rows.Err()
}
