package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gateway"
)

// small mounts a disk of so many bytes, where that is allowed.
func small(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("a small disk cannot be mounted here, which needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// A full disk: who must be booked is refused, nothing that was acknowledged is lost, and
// the books go on by themselves when there is room again.
func TestDiskFull(t *testing.T) {
	dir := small(t, "3m")
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := startBooks(t, s, dir)
	var acknowledged, kept []string
	n := 0
	book := func() bool {
		n++
		e := row(fmt.Sprint("r", n), 1)
		err := submit(t, c, e, gateway.Hold{})
		if kept = append(kept, e.Request); err == nil {
			acknowledged = append(acknowledged, e.Request)
		}
		return err == nil
	}
	for range 50 {
		if !book() {
			t.Fatal("the disk was full at once")
		}
	}
	ballast := filepath.Join(dir, "ballast")
	if err := fillDisk(ballast); err != nil {
		t.Fatal(err)
	}
	for tries := 0; book(); tries++ { // the last page of the journal's file may still have room
		if tries > 2000 {
			t.Fatal("a full disk was never noticed")
		}
	}
	for range 50 {
		book()
	}
	if err := c.Failing(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("failing: %v", err)
	}
	if err := c.Begin(t.Context(), &gateway.Outset{Entry: row("new", 1)}); gateway.KindOf(err) != gateway.LedgerDown {
		t.Errorf("an attempt may leave: %v", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); c.Failing() != nil || c.Behind() != nil; time.Sleep(10 * time.Millisecond) {
		if time.Since(begun) > 10*time.Second {
			t.Fatalf("it does not go on: %v, %v", c.Failing(), c.Behind())
		}
	}
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, id := range kept {
		if got, err := s.Request(t.Context(), id); err != nil || len(got) != 1 {
			t.Fatalf("row %s: %d found, %v", id, len(got), err)
		}
	}
	if err := errors.Join(c.Stop(), s.Close()); err != nil {
		t.Error(err)
	}
	t.Logf("%d rows, %d acknowledged at once", len(kept), len(acknowledged))
}

func fillDisk(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for block := make([]byte, 4096); ; {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// A directory that cannot be written is refused at the start, by name.
func TestReadOnlyDirectory(t *testing.T) {
	dir := small(t, "1m")
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), dir) || !errors.Is(err, syscall.EROFS) {
		t.Errorf("%v", err)
	}
}
