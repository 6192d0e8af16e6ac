package ledger

import (
	"context"
	"errors"
	"time"

	"gateway"
)

// accountsOf are all that the cost of a row is put on, whether they have a budget or not:
// the key, its team and the run; "" for none. A budget that is made later begins with
// what its period has cost already, and what stands on an account is the sum of its rows.
func accountsOf(e *gateway.Entry) [3]string {
	of := [3]string{e.Key, e.Team}
	if e.Run != "" {
		of[2] = gateway.RunAccount(e.Key, e.Run)
	}
	return of
}

// besides appends the charges of a row on accounts that held nothing for it.
func (b *Booking) besides(list []Charge) []Charge {
	e := &b.Entry
	if e.Cost == 0 {
		return list
	}
	for _, id := range accountsOf(e) {
		if id != "" && !b.charged(id) {
			list = append(list, Charge{Account: id, Quarter: quarterOf(e.Begun), Cost: e.Cost})
		}
	}
	return list
}

func (b *Booking) charged(account string) bool {
	for i := range b.Charges {
		if b.Charges[i].Account == account {
			return true
		}
	}
	return false
}

// beside puts the row of an attempt on the accounts that held nothing for it: they had no
// budget when it left. Those that are not in memory will be read with it.
func (a *Accounts) beside(b *Booking) {
	var room [3]Charge
	list := b.besides(room[:0])
	if len(list) == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range list {
		switch acc := a.all[c.Account]; {
		case acc != nil:
			acc.add(c.Quarter, money{spent: c.Cost})
		case a.reading[c.Account] > 0:
			a.gone++ // it may be read without this row
		}
	}
}

// flushMost is how long a key waits to have its account read, of which rows may be on
// their way to the store.
const flushMost = 5 * time.Second

// charges reads what stands on an account that is not in memory. What is on its way to the
// store of a run's is in memory, since every request of a run holds on it. For others it
// fails while rows cannot be brought to the store: an account that begins without them
// would be short of them for good.
func (c *Committer) charges(account string) ([]Charge, error) {
	if s := (gateway.AccountState{ID: account}); !s.IsRun() {
		ctx, cancel := context.WithTimeout(context.Background(), flushMost)
		defer cancel()
		if whole, err := c.flush(ctx); err != nil {
			return nil, err
		} else if !whole {
			return nil, errors.Join(errors.New("the store lacks the newest rows"), c.Behind())
		}
	}
	return c.rows.Charges(account)
}
