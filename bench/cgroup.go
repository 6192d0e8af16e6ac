package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// cgroup is a limit by the kernel, of one resource. A nil cgroup limits nothing.
type cgroup struct {
	folder string
	v2     bool
}

// memoryGroup makes a group that may have so many bytes, where the machine lets it.
func memoryGroup(limit int64) (*cgroup, error) {
	return newCgroup("memory", map[bool]map[string]string{
		true:  {"memory.max": strconv.FormatInt(limit, 10)},
		false: {"memory.limit_in_bytes": strconv.FormatInt(limit, 10)},
	})
}

// cpuGroup makes a group that may have this part of a processor, in short turns: with
// the usual ones of 100 ms it would stand still for most of each. It weighs as much as a
// group may, so that it is its part that bounds it and not what else runs here: a
// group's weight is shared by all that is in it, and who sends is in none.
func cpuGroup(part float64) (*cgroup, error) {
	const period = 10_000 // microseconds
	quota := int(part * period)
	return newCgroup("cpu", map[bool]map[string]string{
		true:  {"cpu.max": fmt.Sprintf("%d %d", quota, period), "cpu.weight": "10000"},
		false: {"cpu.cfs_period_us": strconv.Itoa(period), "cpu.cfs_quota_us": strconv.Itoa(quota), "cpu.shares": "262144"},
	})
}

// newCgroup makes a group of this program's own. files are by whether the machine has
// version 2 of cgroups.
func newCgroup(resource string, files map[bool]map[string]string) (*cgroup, error) {
	const root = "/sys/fs/cgroup"
	name := fmt.Sprintf("llm-gateway-bench-%d", os.Getpid())
	g := &cgroup{folder: filepath.Join(root, name), v2: true}
	if _, err := os.Stat(filepath.Join(root, resource, "cgroup.procs")); err == nil {
		g = &cgroup{folder: filepath.Join(root, resource, name)}
	}
	if err := os.Mkdir(g.folder, 0o755); err != nil {
		return nil, err
	}
	for file, value := range files[g.v2] {
		if err := os.WriteFile(filepath.Join(g.folder, file), []byte(value), 0o644); err != nil {
			return nil, errors.Join(err, os.Remove(g.folder))
		}
	}
	return g, nil
}

// command makes a command that moves itself into the group and goes on as the program.
func (g *cgroup) command(name string, args []string) (string, []string) {
	if g == nil {
		return name, args
	}
	script := `echo $$ > "$0" && exec "$@"`
	return "/bin/sh", append([]string{"-c", script, filepath.Join(g.folder, "cgroup.procs"), name}, args...)
}

// peak is the most memory that was in use, and killed how many processes the kernel ended.
func (g *cgroup) peak() (bytes int64, killed int, err error) {
	peakFile, eventFile := "memory.max_usage_in_bytes", "memory.oom_control"
	if g.v2 {
		peakFile, eventFile = "memory.peak", "memory.events"
	}
	text, err := os.ReadFile(filepath.Join(g.folder, peakFile))
	if err != nil {
		return 0, 0, err
	}
	if bytes, err = strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err != nil {
		return 0, 0, err
	}
	events, err := os.ReadFile(filepath.Join(g.folder, eventFile))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(events)) {
		if n, found := strings.CutPrefix(line, "oom_kill "); found {
			killed, err = strconv.Atoi(strings.TrimSpace(n))
		}
	}
	return bytes, killed, err
}

// remove ends the group; its processes must have ended.
func (g *cgroup) remove() error {
	if g == nil {
		return nil
	}
	var err error
	for range 20 { // the kernel takes a moment to notice that a process is gone
		if err = os.Remove(g.folder); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return err
}
