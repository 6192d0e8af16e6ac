package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gateway"
)

func startBooks(t *testing.T, s *Store, dir string) *Committer {
	t.Helper()
	c, err := Start(s, dir, false)
	if err != nil {
		t.Fatal(err)
	}
	s.ReadAfter(c.Flush)
	return c
}

func submit(t *testing.T, c *Committer, e gateway.Entry, h gateway.Hold) error {
	t.Helper()
	done := make(chan error, 1)
	c.Submit(e, h, 0, func(err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-time.After(10 * time.Second):
		t.Fatal("no word of a row")
		return nil
	}
}

func TestCommitterWritesAllAndStops(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	c := startBooks(t, s, dir)
	var wg sync.WaitGroup
	for i := range 1000 {
		wg.Add(1)
		c.Submit(row(fmt.Sprint("r", i), 1), gateway.Hold{}, 0, func(err error) {
			defer wg.Done()
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if l := total(t, s); l.Attempts != 1000 {
		t.Errorf("a reader sees %d rows of 1000 that are durable", l.Attempts)
	}
	c.Submit(row("last", 1), gateway.Hold{}, 0, nil)
	c.Submit(row("last", 1), gateway.Hold{}, 0, nil)
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	if l := total(t, s); l.Attempts != 1001 || c.Status().Doubled != 1 {
		t.Errorf("%d rows, %d doubled; want 1001 and 1", l.Attempts, c.Doubled())
	}
}

// A journal that cannot be written for a while loses nothing, lets nobody leave
// unbooked, and goes on by itself.
func TestCommitterKeepsWhatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	c := startBooks(t, s, dir)
	if err := submit(t, c, row("before", 1), gateway.Hold{}); err != nil {
		t.Fatal(err)
	}
	mend := breakJournal(c)
	if err := submit(t, c, row("kept", 1), gateway.Hold{}); err == nil {
		t.Fatal("a journal that cannot be written was not noticed")
	}
	if c.Failing() == nil {
		t.Error("nothing says that the books cannot be written")
	}
	if err := c.Begin(t.Context(), &gateway.Outset{Entry: row("late", 1)}); gateway.KindOf(err) != gateway.LedgerDown {
		t.Errorf("an attempt may leave: %v", err)
	}
	mend()
	for try := 0; submit(t, c, row(fmt.Sprint("after", try), 1), gateway.Hold{}) != nil; try++ {
		time.Sleep(20 * time.Millisecond)
	}
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Request(t.Context(), "kept"); err != nil || len(got) != 1 {
		t.Errorf("the row that failed at first: %v, %v", got, err)
	}
}

// breakJournal closes the file under whoever writes and takes the folder away: every record
// fails until mend is called.
func breakJournal(c *Committer) (mend func()) {
	c.journal.pen.Lock()
	defer c.journal.pen.Unlock()
	dir := c.journal.dir
	c.journal.window.close()
	c.journal.file.Close()
	c.journal.dir = filepath.Join(dir, "gone")
	return func() {
		c.journal.pen.Lock()
		defer c.journal.pen.Unlock()
		c.journal.dir = dir
	}
}

// A store that cannot be written holds up readers only: rows are durable all the same,
// and are there after the next start.
func TestStoreBehindTheJournal(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	c := startBooks(t, s, dir)
	if _, err := s.write.Exec("PRAGMA max_page_count = 1"); err != nil { // "database or disk is full"
		t.Fatal(err)
	}
	for i := range 200 {
		e := row(fmt.Sprint("r", i), 1)
		e.Finish = strings.Repeat("x", 1000)
		if err := submit(t, c, e, gateway.Hold{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c.Behind() == nil || c.Failing() != nil {
		t.Errorf("behind: %v, failing: %v", c.Behind(), c.Failing())
	}
	if err := c.Stop(); err == nil {
		t.Error("rows that are not in the store are not reported")
	}
	s.Close()
	s = openStore(t, dir)
	c = startBooks(t, s, dir)
	defer c.Stop()
	if l := total(t, s); l.Attempts != 200 || c.Recovered().Rows == 0 {
		t.Errorf("%d rows, found %+v", l.Attempts, c.Recovered())
	}
}

// Segments are removed when what is in them is in the store, not while an attempt that
// began in one is out.
func TestSegmentsAreRemoved(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	c := startBooks(t, s, dir)
	c.journal.most = 1000
	if err := c.Begin(t.Context(), &gateway.Outset{Entry: row("long", 1)}); err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		if err := submit(t, c, row(fmt.Sprint("r", i), 1), gateway.Hold{}); err != nil {
			t.Fatal(err)
		}
	}
	c.Flush(t.Context())
	if n, err := segments(filepath.Join(dir, "journal")); err != nil || len(n) < 5 {
		t.Errorf("%v, %v: the segment of an attempt that is out was removed, or none was begun", n, err)
	}
	submit(t, c, row("long", 1), gateway.Hold{})
	c.Flush(t.Context())
	if n, err := segments(filepath.Join(dir, "journal")); err != nil || len(n) > 2 {
		t.Errorf("%v, %v: want the last segment only", n, err)
	}
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
}

// An attempt that was sent and whose end nobody saw is booked at the next start, once.
func TestLostAttemptIsBooked(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	c := startBooks(t, s, dir)
	account := gateway.Account{ID: "k1", Budget: gateway.Budget{Limited: true, Limit: 10_000}}
	if err := c.Accounts.Prepare([]gateway.Account{account}); err != nil {
		t.Fatal(err)
	}
	h, short := c.Accounts.Hold(gateway.Ask{Request: "lost", Attempt: 1, Path: []gateway.Account{account}, Want: 4000})
	if short != nil {
		t.Fatal(short)
	}
	e := row("lost", 1)
	e.Begun, e.Usage = time.Now(), gateway.Usage{Fresh: 100, Output: 1000}
	o := gateway.Outset{Entry: e, Hold: h, Takes: time.Hour, Input: 10_000, Output: 20_000, Bills: gateway.BillsSeen}
	if err := c.Begin(t.Context(), &o); err != nil {
		t.Fatal(err)
	}
	o.Entry.Request = "ended"
	if err := errors.Join(c.Begin(t.Context(), &o), submit(t, c, row("ended", 1), gateway.Hold{})); err != nil {
		t.Fatal(err)
	}
	c.Stop() // the record stays: it had not ended
	s.Close()
	for start := range 2 {
		s = openStore(t, dir)
		c = startBooks(t, s, dir)
		if f := c.Recovered(); f.Lost != 1-start {
			t.Errorf("start %d found %+v", start, f)
		}
		got, err := s.Request(t.Context(), "lost")
		if err != nil || len(got) != 1 || got[0].Source != gateway.UsageEstimated || got[0].Cost != 100 || got[0].Outcome != "canceled" {
			t.Errorf("%+v, %v", got, err)
		}
		state, err := c.Accounts.State(account)
		if err != nil || state.Spent != 100+row("", 1).Cost || state.Unsure != 3900 || state.Held != 0 {
			t.Errorf("%+v, %v", state, err)
		}
		if v, err := s.Verify(t.Context()); err != nil || len(v.Wrong) > 0 {
			t.Errorf("%+v, %v", v, err)
		}
		c.Stop()
		s.Close()
	}
}

// TestKilled kills a real process with SIGKILL while it books: every row it said was
// durable is there afterwards, and no row twice.
func TestKilled(t *testing.T) {
	if dir := os.Getenv("LEDGER_VICTIM"); dir != "" {
		victim(dir)
		return
	}
	dir := t.TempDir()
	for cycle := range 5 {
		acknowledged := killOne(t, dir, cycle)
		s, err := Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		c := startBooks(t, s, dir)
		for id := range acknowledged {
			if got, err := s.Request(t.Context(), id); err != nil || len(got) != 1 {
				t.Fatalf("cycle %d: acknowledged row %s: %d found, %v", cycle, id, len(got), err)
			}
		}
		if v, err := s.Verify(t.Context()); err != nil || len(v.Wrong) > 0 {
			t.Fatalf("cycle %d: %+v, %v", cycle, v, err)
		}
		c.Stop()
		s.Close()
	}
}

func killOne(t *testing.T, dir string, cycle int) map[string]bool {
	cmd := exec.Command(os.Args[0], "-test.run", "^TestKilled$")
	cmd.Env = append(os.Environ(), "LEDGER_VICTIM="+dir, fmt.Sprint("LEDGER_CYCLE=", cycle))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acknowledged := map[string]bool{}
	buf, text := make([]byte, 4096), ""
	for len(acknowledged) < 200 {
		n, err := out.Read(buf)
		if err != nil {
			t.Fatalf("the victim ended by itself: %v %q", err, text)
		}
		text += string(buf[:n])
		lines := strings.Split(text, "\n")
		text = lines[len(lines)-1]
		for _, l := range lines[:len(lines)-1] {
			acknowledged[l] = true
		}
	}
	cmd.Process.Kill()
	cmd.Wait()
	return acknowledged
}

func victim(dir string) {
	s, err := Open(dir, Options{})
	var c *Committer
	if err == nil {
		c, err = Start(s, dir, false)
	}
	if err != nil {
		fmt.Println("victim:", err)
		os.Exit(1)
	}
	var mu sync.Mutex
	for i := 0; ; i++ {
		id := fmt.Sprintf("c%s-%d", os.Getenv("LEDGER_CYCLE"), i)
		c.Submit(row(id, 1), gateway.Hold{}, 0, func(err error) {
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				fmt.Println(id)
			}
		})
		if i%64 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
}

// Who waits for the journal to know an attempt need not wait for longer than the request lasts.
func TestBeginEndsWithTheRequest(t *testing.T) {
	dir := t.TempDir()
	c, err := Start(openStore(t, dir), dir, true)
	if err != nil {
		t.Fatal(err)
	}
	c.journal.pen.Lock() // as on a disk that does not answer
	left := errors.New("the client left")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(left)
	if err := c.Begin(ctx, &gateway.Outset{Entry: row("next", 1)}); err != left {
		t.Errorf("%v, want %v", err, left)
	}
	c.journal.pen.Unlock()
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
}
