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

// world is the real books beside a model of maps.
type world struct {
	t     testing.TB
	rand  *rand.Rand
	seed  uint64
	dir   string
	books *Committer
	rack  rack
	now   time.Time

	limits map[string]gateway.Account
	stands map[string]ledge
	out    []flightOf // holds that have not ended
	booked map[holdID]gateway.Microcents
	next   int
	ended  []flightOf // to be ended a second time
}

type flightOf struct {
	hold gateway.Hold
	sent bool
}

// onSQLite is the share of the histories that run on the real store: one in so many.
const onSQLite = 100

func newWorld(t testing.TB, seed uint64) *world {
	w := &world{t: t, seed: seed, rand: rand.New(rand.NewPCG(seed, 7)), dir: scratch(t), rack: &shelf{rows: map[holdID]Booking{}},
		now: when, limits: map[string]gateway.Account{}, stands: map[string]ledge{}, booked: map[holdID]gateway.Microcents{}}
	if seed%onSQLite == onSQLite-1 {
		w.rack = newCabinet(t, w.dir)
	}
	for _, id := range []string{"key", "other", "team"} {
		w.limits[id] = gateway.Account{ID: id, Budget: gateway.Budget{Limited: true, Limit: gateway.Microcents(1000 + w.rand.IntN(5000)),
			Every: []gateway.Period{gateway.Once, gateway.Daily, gateway.Daily, gateway.Weekly, gateway.Monthly}[w.rand.IntN(5)],
			Zone:  []string{"", "Asia/Kathmandu", "America/New_York"}[w.rand.IntN(3)]}}
		w.stands[id] = ledge{}
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
	books, err := Start(w.rack, w.dir, false)
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
	switch n := w.rand.IntN(22); {
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
		w.put(f.hold, money{held: -f.hold.Amount}, 0)
		w.ended = append(w.ended, f)
	case n < 18 && len(w.ended) > 0:
		f := w.ended[w.rand.IntN(len(w.ended))]
		if w.books.Accounts.Release(f.hold) || w.books.Accounts.Settle(f.hold, 999, 0) {
			w.fail("a hold ended twice")
		}
	case n < 19:
		w.now = w.now.Add(time.Duration(w.rand.IntN(7200)-3600) * time.Second) // the clock goes where it likes
	case n < 20:
		w.now = w.now.Add(time.Duration(w.rand.IntN(96)-48) * time.Hour)
	default:
		w.glance()
	}
}

// glance has somebody look at the accounts while the clock is elsewhere for a moment.
func (w *world) glance() {
	now := w.now
	w.now = now.Add(time.Duration(w.rand.IntN(2*100*24)-100*24) * time.Hour)
	for _, a := range w.limits {
		switch path := []gateway.Account{a}; w.rand.IntN(4) {
		case 0:
			w.checkOne(a)
		case 1:
			if err := w.books.Accounts.Prepare(path); err != nil {
				w.fail("%v", err)
			}
			w.books.Accounts.Look(gateway.Ask{Request: "look", Path: path, Want: 1})
		case 2:
			w.books.Accounts.Limits(a)
		}
	}
	w.now = now
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
		in := w.present(a)
		left := a.Budget.Limit - in.spent - in.unsure - in.held
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
	for i, p := range h.Places {
		if q := w.quarter(path[i].ID); p.Account != path[i].ID || p.Quarter != q {
			w.fail("held on %+v; want %s in %d", p, path[i].ID, q)
		}
	}
	w.put(h, money{held: h.Amount}, 0)
	f := flightOf{hold: h, sent: w.rand.IntN(3) > 0}
	if f.sent {
		e := row(h.Request, h.Attempt)
		if err := w.books.Begin(context.Background(), &gateway.Outset{Entry: e, Hold: h, Input: 1, Output: 1}); err != nil {
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
	w.put(f.hold, money{held: -f.hold.Amount}, 0)
	w.book(f.hold, e.Cost, unsure)
	w.ended = append(w.ended, f)
}

func (w *world) book(h gateway.Hold, cost, unsure gateway.Microcents) {
	w.booked[holdID{h.Request, h.Attempt}] = cost
	w.put(h, money{spent: cost, unsure: unsure}, 1)
}

// check compares the accounts with the model, and both with the limits.
func (w *world) check() {
	for _, a := range w.limits {
		w.checkOne(a)
		for from, m := range w.stands[a.ID].byPeriod(a.Budget) {
			if m.spent+m.unsure+m.held > a.Budget.Limit {
				w.fail("%s: %+v is over %d in the period from second %d", a.ID, m, a.Budget.Limit, from)
			}
		}
	}
}

func (w *world) checkOne(a gateway.Account) {
	st, err := w.books.Accounts.State(a)
	if want := w.present(a); err != nil || st.Spent != want.spent || st.Unsure != want.unsure || st.Held != want.held {
		w.fail("%s (%+v) at %v is %+v, %v; want %+v", a.ID, a.Budget, w.now, st, err, want)
	}
}

// crash takes the files as a killed process leaves them and the store as far as it has
// come, and goes on from there. Cut bytes are torn off the end of the records, half of the
// time so that there are zeros instead.
func (w *world) crash(cut int) *world {
	left := w.files()
	next := *w
	next.dir = scratch(w.t)
	next.rack = w.rack.clone(w.t, next.dir)
	next.rand = rand.New(rand.NewPCG(w.seed, uint64(w.next)))
	next.limits, next.booked, next.stands = maps.Clone(w.limits), maps.Clone(w.booked), map[string]ledge{}
	for id, on := range w.stands {
		next.stands[id] = on.crashed()
	}
	next.out, next.ended = nil, nil
	if err := os.MkdirAll(filepath.Join(next.dir, "journal"), 0o700); err != nil {
		w.t.Fatal(err)
	}
	for i, f := range left {
		if i == len(left)-1 {
			if end := max(0, recordsOf(f.data)-cut); cut > 0 && cut%2 == 0 {
				clear(f.data[end:])
			} else if cut > 0 {
				f.data = f.data[:end]
			}
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
			data = data[:min(len(data), recordsOf(data)+1000)] // of all zeros some will do
			list = append(list, file{segmentName(n), data})
		}
	}
	return list
}

func (w *world) close() {
	w.books.Stop()
	w.rack.Close()
	os.RemoveAll(w.dir)
}

// checkRows: every row that was acknowledged is there once, with its cost.
func (w *world) checkRows() {
	costs := w.rack.costs(w.t)
	for id, cost := range w.booked {
		if got, has := costs[id]; !has || got != cost {
			w.fail("row %v: %v %d, want %d", id, has, got, cost)
		}
	}
	if len(costs) > len(w.booked) {
		w.fail("%d rows, %d were booked", len(costs), len(w.booked))
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
						w.checkRows()
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
			after.checkRows()
			after.check()
			after.close()
			w.tear(sizeOf(w.files()) - before)
		}
		w.close()
	}
}

func sizeOf(files []file) (n int) {
	for _, f := range files {
		n += recordsOf(f.data)
	}
	return n
}

// recordsOf is the length of the whole records of a segment.
func recordsOf(data []byte) int {
	rest, ok := data, true
	for ok {
		var next []byte
		if _, _, next, ok = unframe(rest); ok {
			rest = next
		}
	}
	return len(data) - len(rest)
}

// tear crashes with what the last step wrote torn off in part. The record that
// is torn is lost; the store may have it already.
func (w *world) tear(written int) {
	for cut := 1; cut <= written; cut += 1 + written/12 {
		torn := w.crash(cut)
		costs := torn.rack.costs(w.t)
		for id := range w.booked {
			_, has := costs[id]
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
