package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDotenvNeverOverrides(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".env")
	if err := os.WriteFile(path, []byte("SET=file\nEMPTY=file\nONLY=file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env, err := withDotenv(only(map[string]string{"SET": "outside", "EMPTY": ""}), path)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"SET": "outside", "EMPTY": "", "ONLY": "file", "NONE": ""} {
		if got := env.get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if _, set := env("NONE"); set {
		t.Error("NONE is said to be set")
	}
}

func TestDotenvMayBeMissingButNotBroken(t *testing.T) {
	dir := t.TempDir()
	if _, err := withDotenv(only(nil), filepath.Join(dir, "none")); err != nil {
		t.Errorf("missing file: %v", err)
	}
	path := filepath.Join(dir, "broken")
	if err := os.WriteFile(path, []byte("a b c\n=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := withDotenv(only(nil), path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("broken file: %v, want an error with its path", err)
	}
}
