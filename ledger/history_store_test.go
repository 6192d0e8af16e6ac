package ledger

import (
	"context"
	"maps"
	"path/filepath"
	"sync"
	"testing"

	"gateway"
)

// rack is a store of which a crashed process leaves a copy.
type rack interface {
	Rows
	clone(t testing.TB, dir string) rack
	costs(t testing.TB) map[holdID]gateway.Microcents // of all rows
	Close() error
}

// shelf is a store in memory: the journal and the accounts are what most histories are
// about. A share of them runs on the real one.
type shelf struct {
	mu   sync.Mutex
	rows map[holdID]Booking
}

func (s *shelf) Apply(_ context.Context, b Batch) (doubled int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, row := range b.Bookings {
		id := holdID{row.Entry.Request, row.Entry.Attempt}
		if _, has := s.rows[id]; has {
			doubled++
			continue
		}
		s.rows[id] = row
	}
	return doubled, nil
}

func (s *shelf) Charges(account string) (list []Charge, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, row := range s.rows {
		for _, c := range row.Charges {
			if c.Account == account {
				list = append(list, c)
			}
		}
	}
	return list, nil
}

func (s *shelf) Missing(_ context.Context, of []gateway.Outset) (missing []gateway.Outset, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range of {
		if _, has := s.rows[holdID{o.Entry.Request, o.Entry.Attempt}]; !has {
			missing = append(missing, o)
		}
	}
	return missing, nil
}

func (s *shelf) Typical(context.Context, string, string, bool) (Typical, error) {
	return Typical{}, nil
}

func (s *shelf) clone(testing.TB, string) rack {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &shelf{rows: maps.Clone(s.rows)}
}

func (s *shelf) costs(testing.TB) map[holdID]gateway.Microcents {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[holdID]gateway.Microcents, len(s.rows))
	for id, b := range s.rows {
		all[id] = b.Entry.Cost
	}
	return all
}

func (s *shelf) Close() error { return nil }

// cabinet is the real store.
type cabinet struct{ *Store }

func newCabinet(t testing.TB, dir string) rack {
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return cabinet{s}
}

// clone is the store as far as it has come.
func (s cabinet) clone(t testing.TB, dir string) rack {
	if _, err := s.read.Exec("VACUUM INTO ?", filepath.Join(dir, "ledger.db")); err != nil {
		t.Fatal(err)
	}
	return newCabinet(t, dir)
}

func (s cabinet) costs(t testing.TB) map[holdID]gateway.Microcents {
	all := map[holdID]gateway.Microcents{}
	err := s.Rows(t.Context(), RowQuery{}, func(e *gateway.Entry) error {
		all[holdID{e.Request, e.Attempt}] = e.Cost
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
