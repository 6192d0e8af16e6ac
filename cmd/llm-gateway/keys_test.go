package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestClientKeysComeFromListAndFile(t *testing.T) {
	dir := t.TempDir()
	hashes := filepath.Join(dir, "hashes")
	if err := os.WriteFile(hashes, []byte(strings.Repeat("ab", 32)+" team\n# no key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, []byte("# none yet\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		list, file string
		keys       int // -1: an error
	}{
		"none":              {"", "", 0},
		"list":              {"first-key,second-key", "", 2},
		"file":              {"", hashes, 1},
		"both":              {"first-key", hashes, 2},
		"empty file":        {"", empty, -1}, // nobody is let in by mistake
		"separators only":   {",", "", -1},
		"missing file":      {"", filepath.Join(dir, "none"), -1},
		"a key in the file": {"", writeFile(t, "secret-key-in-clear\n"), -1},
	} {
		keys, err := clientKeys(only(map[string]string{"GATEWAY_API_KEYS": c.list, "GATEWAY_API_KEYS_FILE": c.file}))
		switch {
		case c.keys < 0 && err == nil:
			t.Errorf("%s: no error", name)
		case c.keys < 0 && strings.Contains(err.Error(), "secret-key"):
			t.Errorf("%s: the error holds the key: %v", name, err)
		case c.keys == 0 && (err != nil || keys.Len() != 0 || keys.Asked()):
			t.Errorf("%s: %v, %v; want none", name, keys, err)
		case c.keys > 0 && (err != nil || keys.Len() != c.keys):
			t.Errorf("%s: %v, want %d keys", name, err, c.keys)
		}
	}
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
