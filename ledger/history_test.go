package ledger

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"gateway"
)

var (
	histories   = flag.Int("histories", 500, "random histories of holds and settlements; the whole proof is 100000")
	crashPoints = flag.Int("crash-points", 8, "histories that are crashed after every step, whole and torn; the whole proof is 1000")
)

// shelf is a store in memory: the journal is what these tests are about. That SQLite
// keeps the same promises is tested beside it.
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

func (s *shelf) Typical(context.Context, string, string) (Typical, error) { return Typical{}, nil }

func (s *shelf) clone() *shelf {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &shelf{rows: maps.Clone(s.rows)}
}

// world is the real books beside a model of maps.
type world struct {
	t     testing.TB
	rand  *rand.Rand
	seed  uint64
	dir   string
	books *Committer
	shelf *shelf
	now   time.Time

	limits map[string]gateway.Account
	spent  map[string]gateway.Microcents // booked, by account
	unsure map[string]gateway.Microcents
	held   map[string]gateway.Microcents
	out    []flightOf // holds that have not ended
	booked map[holdID]gateway.Microcents
	next   int
	ended  []flightOf // to be ended a second time
}

type flightOf struct {
	hold gateway.Hold
	sent bool
}

func newWorld(t testing.TB, seed uint64) *world {
	w := &world{t: t, seed: seed, rand: rand.New(rand.NewPCG(seed, 7)), dir: scratch(t), shelf: &shelf{rows: map[holdID]Booking{}},
		now: when, limits: map[string]gateway.Account{}, spent: map[string]gateway.Microcents{}, unsure: map[string]gateway.Microcents{},
		held: map[string]gateway.Microcents{}, booked: map[holdID]gateway.Microcents{}}
	for _, id := range []string{"key", "other", "team"} {
		w.limits[id] = gateway.Account{ID: id, Budget: gateway.Budget{Limited: true, Limit: gateway.Microcents(1000 + w.rand.IntN(5000))}}
	}
	w.start()
	return w
}

// scratch is in memory where there is such a place: none of these tests is about the disk.
func scratch(t testing.TB) string {
	if dir, err := os.MkdirTemp("/dev/shm", "ledger"); err == nil {
		return dir
	}
	return t.TempDir()
}

func (w *world) start() {
	books, err := Start(w.shelf, w.dir, false)
	if err != nil {
		w.t.Fatal(err)
	}
	w.books = books
	w.books.Accounts.now = func() time.Time { return w.now }
}

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("seed %d: %s", w.seed, fmt.Sprintf(format, args...))
}

// step does one thing at random.
func (w *world) step() {
	switch n := w.rand.IntN(20); {
	case n < 8:
		w.admit()
	case n < 14 && len(w.out) > 0:
		w.settle(w.takeOut())
	case n < 16 && len(w.out) > 0:
		f := w.takeOut()
		if f.sent {
			w.settle(f)
			return
		}
		if !w.books.Accounts.Release(f.hold) {
			w.fail("a hold could not be released")
		}
		w.free(f.hold)
		w.ended = append(w.ended, f)
	case n < 18 && len(w.ended) > 0:
		f := w.ended[w.rand.IntN(len(w.ended))]
		if w.books.Accounts.Release(f.hold) || w.books.Accounts.Settle(f.hold, 999, 0) {
			w.fail("a hold ended twice")
		}
	case n < 19:
		w.now = w.now.Add(time.Duration(w.rand.IntN(7200)-3600) * time.Second) // the clock goes where it likes
	}
}

func (w *world) admit() {
	path := [][]gateway.Account{{w.limits["key"], w.limits["team"]}, {w.limits["other"], w.limits["team"]}, {w.limits["other"]}}[w.rand.IntN(3)]
	w.next++
	ask := gateway.Ask{Request: fmt.Sprint("r", w.next), Attempt: 1, Path: path, Want: gateway.Microcents(1 + w.rand.IntN(900))}
	if w.rand.IntN(4) == 0 {
		ask.Least = 1 + ask.Want/2
		if ask.Least == ask.Want {
			ask.Least = 0
		}
	}
	if err := w.books.Accounts.Prepare(path); err != nil {
		w.fail("%v", err)
	}
	room, fits := gateway.Microcents(1<<62), true
	for _, a := range path {
		left := a.Budget.Limit - w.spent[a.ID] - w.unsure[a.ID] - w.held[a.ID]
		room = min(room, left)
		fits = fits && ask.Want <= left
	}
	h, short := w.books.Accounts.Hold(ask)
	switch {
	case fits && short != nil:
		w.fail("refused with room for it: %+v", *short)
	case short != nil:
		return
	case h.Amount > room || h.Amount > ask.Want || h.Amount < ask.Want && (ask.Least == 0 || h.Amount < ask.Least):
		w.fail("held %d of a room of %d for %+v", h.Amount, room, ask)
	}
	for _, a := range path {
		w.held[a.ID] += h.Amount
	}
	f := flightOf{hold: h, sent: w.rand.IntN(3) > 0}
	if f.sent {
		e := row(h.Request, h.Attempt)
		if err := w.books.Begin(&gateway.Outset{Entry: e, Hold: h, Input: 1, Output: 1}); err != nil {
			w.fail("%v", err)
		}
	}
	w.out = append(w.out, f)
}

func (w *world) takeOut() flightOf {
	i := w.rand.IntN(len(w.out))
	f := w.out[i]
	w.out = append(w.out[:i], w.out[i+1:]...)
	return f
}

func (w *world) free(h gateway.Hold) {
	for _, p := range h.Places {
		w.held[p.Account] -= h.Amount
	}
}

func (w *world) settle(f flightOf) {
	e := row(f.hold.Request, f.hold.Attempt)
	e.Cost = gateway.Microcents(w.rand.Int64N(int64(f.hold.Amount) + 1))
	unsure := gateway.Microcents(0)
	if w.rand.IntN(5) == 0 {
		e.Source, unsure = gateway.UsageEstimated, gateway.Microcents(w.rand.Int64N(int64(f.hold.Amount-e.Cost)+1))
	}
	done := make(chan error, 1)
	w.books.Submit(e, f.hold, unsure, func(err error) { done <- err })
	if err := <-done; err != nil {
		w.fail("%v", err)
	}
	w.free(f.hold)
	w.book(f.hold, e.Cost, unsure)
	w.ended = append(w.ended, f)
}

func (w *world) book(h gateway.Hold, cost, unsure gateway.Microcents) {
	w.booked[holdID{h.Request, h.Attempt}] = cost
	for _, p := range h.Places {
		w.spent[p.Account] += cost
		w.unsure[p.Account] += unsure
	}
}

// check compares the accounts with the model, and both with the limits.
func (w *world) check() {
	for id, a := range w.limits {
		st, err := w.books.Accounts.State(a)
		if err != nil || st.Spent != w.spent[id] || st.Unsure != w.unsure[id] || st.Held != w.held[id] {
			w.fail("%s is %+v, %v; want spent %d, unsure %d, held %d", id, st, err, w.spent[id], w.unsure[id], w.held[id])
		}
		if st.Spent+st.Unsure+st.Held > a.Budget.Limit {
			w.fail("%s: %+v is over %d", id, st, a.Budget.Limit)
		}
	}
}

// crash takes the files as a killed process leaves them and the store as far as it has
// come, and goes on from there. Cut bytes are torn off the end.
func (w *world) crash(cut int) *world {
	left := w.files()
	next := *w
	next.dir, next.shelf = scratch(w.t), w.shelf.clone()
	next.rand = rand.New(rand.NewPCG(w.seed, uint64(w.next)))
	next.limits, next.spent, next.unsure = maps.Clone(w.limits), maps.Clone(w.spent), maps.Clone(w.unsure)
	next.held, next.booked = map[string]gateway.Microcents{}, maps.Clone(w.booked)
	next.out, next.ended = nil, nil
	if err := os.MkdirAll(filepath.Join(next.dir, "journal"), 0o700); err != nil {
		w.t.Fatal(err)
	}
	for i, f := range left {
		if i == len(left)-1 {
			f.data = f.data[:max(0, len(f.data)-cut)]
		}
		if err := os.WriteFile(filepath.Join(next.dir, "journal", f.name), f.data, 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	for _, f := range w.out {
		if f.sent { // booked at the full hold: estimate and doubt together
			cost := gateway.RoundUp(int64(row("", 1).Usage.Prompt() + row("", 1).Usage.Output))
			next.book(f.hold, cost, max(0, f.hold.Amount-cost))
		}
	}
	next.start()
	return &next
}

type file struct {
	name string
	data []byte
}

func (w *world) files() (list []file) {
	numbers, err := segments(filepath.Join(w.dir, "journal"))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, n := range numbers {
		data, err := os.ReadFile(filepath.Join(w.dir, "journal", segmentName(n)))
		if err == nil { // one that is gone meanwhile is in the store
			list = append(list, file{segmentName(n), data})
		}
	}
	return list
}

func (w *world) close() {
	w.books.Stop()
	os.RemoveAll(w.dir)
}

// checkRows: every row that was acknowledged is there once, with its cost.
func (w *world) checkRows(except holdID) {
	w.shelf.mu.Lock()
	defer w.shelf.mu.Unlock()
	for id, cost := range w.booked {
		if got, has := w.shelf.rows[id]; (!has || got.Entry.Cost != cost) && id != except {
			w.fail("row %v: %v %d, want %d", id, has, got.Entry.Cost, cost)
		}
	}
	if len(w.shelf.rows) > len(w.booked) {
		w.fail("%d rows, %d were booked", len(w.shelf.rows), len(w.booked))
	}
}

// Random histories of holds, settlements, releases, second ends, clocks that jump and
// crashes: the books are what a model of maps says, and no limit is ever passed.
func TestHistoriesAgreeWithAModel(t *testing.T) {
	var all sync.WaitGroup
	seeds := make(chan uint64, *histories)
	for seed := range uint64(*histories) {
		seeds <- seed
	}
	close(seeds)
	for range 4 {
		all.Go(func() {
			for seed := range seeds {
				w := newWorld(t, seed)
				for range 10 + w.rand.IntN(30) {
					if w.step(); w.rand.IntN(15) == 0 {
						next := w.crash(0)
						w.close()
						w = next
						w.checkRows(holdID{})
					}
					w.check()
				}
				w.close()
			}
		})
	}
	all.Wait()
}

// Every moment of a history is a good one to crash in: after each step, and with the
// last record torn at a dozen places, which may cost that record and nothing else.
func TestEveryCrashPoint(t *testing.T) {
	for seed := range uint64(*crashPoints) {
		w := newWorld(t, 1_000_000+seed)
		for range 25 {
			before := sizeOf(w.files())
			w.step()
			after := w.crash(0)
			after.checkRows(holdID{})
			after.check()
			after.close()
			w.tear(sizeOf(w.files()) - before)
		}
		w.close()
	}
}

func sizeOf(files []file) (n int) {
	for _, f := range files {
		n += len(f.data)
	}
	return n
}

// tear crashes with what the last step wrote torn off in part. The record that
// is torn is lost; the store may have it already.
func (w *world) tear(written int) {
	for cut := 1; cut <= written; cut += 1 + written/12 {
		torn := w.crash(cut)
		for id := range w.booked {
			torn.shelf.mu.Lock()
			_, has := torn.shelf.rows[id]
			torn.shelf.mu.Unlock()
			if last := w.ended; !has && (len(last) == 0 || id.request != last[len(last)-1].hold.Request) {
				w.fail("cut %d: row %v is lost, and was not the last", cut, id)
			}
		}
		for id, a := range w.limits {
			st, err := torn.books.Accounts.State(a)
			if err != nil || st.Spent+st.Unsure+st.Held > a.Budget.Limit || st.Held != 0 {
				w.fail("cut %d: %s is %+v, %v", cut, id, st, err)
			}
		}
		torn.close()
	}
}
