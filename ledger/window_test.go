package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"gateway"
)

func lastSegment(t *testing.T, dir string) string {
	t.Helper()
	numbers, err := segments(filepath.Join(dir, "journal"))
	if err != nil || len(numbers) == 0 {
		t.Fatalf("%v %v", numbers, err)
	}
	return filepath.Join(dir, "journal", segmentName(numbers[len(numbers)-1]))
}

// Records are put by many at once, over several windows: all are in the file, whole and
// without a gap, while the process lives and with nothing flushed.
func TestRecordsArePutByMany(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	c := startBooks(t, s, dir)
	const each, callers = 500, 8
	var all sync.WaitGroup
	for n := range callers {
		all.Go(func() {
			for i := range each {
				e := row(fmt.Sprint(n, "-", i), 1)
				if err := errors.Join(c.Begin(t.Context(), &gateway.Outset{Entry: e}), submit(t, c, e, gateway.Hold{})); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if len(c.journal.window.mem) == 0 && runtime.GOOS == "linux" {
		t.Error("nothing was put through a window")
	}
	data, err := os.ReadFile(lastSegment(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	records := 0
	for {
		_, _, rest, ok := unframe(data)
		if !ok {
			break
		}
		data, records = rest, records+1
	}
	if records != 2*each*callers || !blank(data) {
		t.Errorf("%d records of %d, and then %d bytes, blank: %v", records, 2*each*callers, len(data), blank(data))
	}
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	if got := total(t, s).Attempts; got != each*callers {
		t.Errorf("%d rows", got)
	}
}

// A disk that fails under a mapped file is an error like another: the record is written
// elsewhere, and the process lives.
func TestFaultOfTheDisk(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	c := startBooks(t, s, dir)
	for i := range 3 {
		if err := submit(t, c, row(fmt.Sprint("before", i), 1), gateway.Hold{}); err != nil {
			t.Fatal(err)
		}
	}
	cut := lastSegment(t, dir)
	if err := os.Truncate(cut, 0); err != nil { // the next touch is SIGBUS
		t.Fatal(err)
	}
	if err := submit(t, c, row("after", 1), gateway.Hold{}); err != nil {
		t.Fatal(err)
	}
	if lastSegment(t, dir) == cut {
		t.Error("the segment that failed is written on")
	}
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Request(t.Context(), "after"); err != nil || len(got) != 1 {
		t.Errorf("%v %v", got, err)
	}
}

// Where no window can be made, records are written, and a window is tried again later.
func TestNoRoomForAWindow(t *testing.T) {
	dir := small(t, "1m")
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := startBooks(t, s, dir)
	ballast := filepath.Join(dir, "ballast")
	if err := fillDisk(ballast); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(ballast)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(ballast, info.Size()-windowLength/2); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if err := submit(t, c, row(fmt.Sprint("r", i), 1), gateway.Hold{}); err != nil {
			t.Fatal(err)
		}
	}
	if c.journal.window.mem != nil {
		t.Fatal("a window was made without room for it")
	}
	info, err = os.Stat(lastSegment(t, dir))
	if err != nil || info.Size() != c.journal.size {
		t.Errorf("%d bytes of %d are left: %v", info.Size(), c.journal.size, err)
	}
	if err := errors.Join(c.Stop(), s.Close()); err != nil {
		t.Error(err)
	}
}
