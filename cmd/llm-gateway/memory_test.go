package main

import (
	"errors"
	"log/slog"
	"math"
	"runtime/debug"
	"testing"
)

// TestMemoryOfACgroupIsGosLimit: also for who says himself what requests may hold. What
// gathers as garbage is beside that, and the kernel counts it.
func TestMemoryOfACgroupIsGosLimit(t *testing.T) {
	was := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(was)
	const cgroup, within = 200 << 20, 200 << 20 / 10 * 9
	for _, c := range []struct {
		text        string
		budget, own int64 // own: what GOMEMLIMIT says
		want        int64 // Go's limit
	}{
		{"auto", within / 2, math.MaxInt64, within},
		{"64MiB", 64 << 20, math.MaxInt64, within},
		{"0", 0, math.MaxInt64, within},
		{"auto", 50 << 20, 100 << 20, 100 << 20},
		{"64MiB", 64 << 20, 100 << 20, 100 << 20},
	} {
		debug.SetMemoryLimit(c.own)
		budget, err := memoryBudget(c.text, func() (uint64, error) { return cgroup, nil }, slog.New(slog.DiscardHandler))
		if limit := debug.SetMemoryLimit(-1); budget != c.budget || limit != c.want || err != nil {
			t.Errorf("%s: budget %d, limit %d (%v); want %d, %d", c.text, budget, limit, err, c.budget, c.want)
		}
	}
	debug.SetMemoryLimit(math.MaxInt64)
	none := func() (uint64, error) { return 0, errors.New("no cgroup") }
	if _, err := memoryBudget("auto", none, slog.New(slog.DiscardHandler)); err != nil || debug.SetMemoryLimit(-1) != math.MaxInt64 {
		t.Errorf("without a cgroup the limit is %d (%v)", debug.SetMemoryLimit(-1), err)
	}
	for _, bad := range []string{"", "much", "1MiB"} {
		if n, err := memoryBudget(bad, none, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%q is taken for %d", bad, n)
		}
	}
}
