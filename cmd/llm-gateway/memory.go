package main

import (
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/dustin/go-humanize"
)

// leastBudget still lets one body of the largest size in.
const leastBudget = 48 << 20

// memoryBudget gives the bytes that requests may hold at once. "auto" is a share of the
// memory that this process may have: by GOMEMLIMIT, else by its cgroup, else what the
// machine has. In a cgroup it also sets Go's own limit, whatever the text, so that garbage is
// collected before the kernel ends the process. cgroup tells that limit (memlimit.FromCgroup).
func memoryBudget(text string, cgroup func() (uint64, error), log *slog.Logger) (int64, error) {
	limit, by := debug.SetMemoryLimit(-1), "GOMEMLIMIT"
	if limit == math.MaxInt64 {
		limit, by = limitFromOutside(cgroup)
	}
	if text != "auto" {
		n, err := humanize.ParseBytes(text)
		if err != nil || n > math.MaxInt64 || n > 0 && n < leastBudget {
			return 0, fmt.Errorf("--memory-budget %q is not auto, 0 or a size of at least %s", text, humanize.IBytes(leastBudget))
		}
		return int64(n), nil
	}
	// Half of a limit: the other half is garbage, connections and what the runtime needs.
	budget := max(limit/2, leastBudget)
	if by == "machine" {
		budget = max(limit/4, leastBudget) // without a limit the heap may double before it is collected, and others live here too
	}
	log.Debug("memory budget", "budget", humanize.IBytes(uint64(budget)), "limit", humanize.IBytes(uint64(limit)), "by", by)
	return budget, nil
}

// limitFromOutside finds a limit that Go itself does not know of.
func limitFromOutside(cgroup func() (uint64, error)) (limit int64, by string) {
	if n, err := cgroup(); err == nil && n < math.MaxInt64 {
		limit = int64(n / 10 * 9) // the kernel counts more than Go does
		debug.SetMemoryLimit(limit)
		return limit, "cgroup"
	}
	if n, err := memlimit.FromSystem(); err == nil && n < math.MaxInt64 {
		return int64(n), "machine"
	}
	return 2 << 30, "nothing known"
}
