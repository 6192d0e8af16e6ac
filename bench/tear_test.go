package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Tearing takes bytes off the last file and leaves the time on it: by that the books tell
// until when the process that was killed may have been at work.
func TestTearing(t *testing.T) {
	folder, written := t.TempDir(), time.Now().Add(-time.Hour).Truncate(time.Second)
	for _, name := range []string{"1.journal", "2.journal"} {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, append([]byte("0123456789abcdef"), make([]byte, 4096)...), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, written, written); err != nil {
			t.Fatal(err)
		}
	}
	if err := tear(folder, rand.New(rand.NewPCG(1, 2))); err != nil {
		t.Fatal(err)
	}
	first, err1 := os.Stat(filepath.Join(folder, "1.journal"))
	last, err2 := os.Stat(filepath.Join(folder, "2.journal"))
	if err1 != nil || err2 != nil || first.Size() != 16+4096 || last.Size() > 15 || !last.ModTime().Equal(written) {
		t.Errorf("%v, %v; %v, %v", first, last, err1, err2)
	}
}
