package main

import (
	"fmt"
	"slices"
	"strings"
)

// bar is a figure of the routing reference, section 9, that a scenario must meet.
type bar struct {
	scenarios string // names, or "all"
	what      string
	// figure is computed for each seed; the median of the seeds is held against most, or
	// against least where that is set.
	figure      func(t trio) float64
	most, least float64
	each        float64 // most of every single seed; 0: none
	unit        string
}

// trio are the runs of the three policies with one seed in one scenario.
type trio struct{ ours, seq30, seq5 *outcome }

func ratio(of func(r *outcome) float64, against func(t trio) *outcome) func(trio) float64 {
	return func(t trio) float64 { return of(t.ours) / of(against(t)) }
}

func tail99(r *outcome) float64  { return r.P99 }
func tail999(r *outcome) float64 { return r.P999 }

func toSeq30(t trio) *outcome { return t.seq30 }
func toSeq5(t trio) *outcome  { return t.seq5 }

func more(t trio) float64 { return 100 * (float64(t.ours.Cost)/float64(t.seq30.Cost) - 1) }

// bars are in the order of that section. Those about the engine alone (a decision's
// time, budgets, fairness, the ledger) have tests of their own.
var bars = []bar{
	{"steady", "p99 TTFT to sequential 30 s", ratio(tail99, toSeq30), 0.65, 0, 0, "x"},
	{"steady", "p99.9 TTFT to sequential 30 s", ratio(tail999, toSeq30), 0.30, 0, 0, "x"},
	{"steady", "p99 TTFT to sequential 5 s", ratio(tail99, toSeq5), 0.80, 0, 0, "x"},
	{"incidents", "p99 TTFT to sequential 30 s", ratio(tail99, toSeq30), 0.35, 0, 0.65, "x"},
	{"brownout", "p99 TTFT to sequential 30 s", ratio(tail99, toSeq30), 0.25, 0, 0, "x"},
	{"blackhole", "p99 TTFT to sequential 30 s", ratio(tail99, toSeq30), 0.20, 0, 0, "x"},
	{"storm429,errors", "p99 TTFT to sequential 30 s", ratio(tail99, toSeq30), 0.70, 0, 0, "x"},
	{"allslow", "p99 TTFT to sequential 30 s", ratio(tail99, toSeq30), 0.80, 0, 0, "x"},
	{"allslow", "bill to sequential 30 s", more, 25, 0, 0, "%"},
	{"all", "hedges beyond a burst of 20", func(t trio) float64 {
		return 100 * float64(max(0, t.ours.Hedges-20)) / float64(t.ours.Requests)
	}, 5, 0, 0, "%"},
	{"all", "extra attempts", func(t trio) float64 { return t.ours.Extra }, 8, 0, 0, "%"},
	{"steady", "wasted cost", func(t trio) float64 { return t.ours.Waste }, 5, 0, 0, "%"},
	{"steady", "bill to sequential 30 s", more, 8, 0, 0, "%"},
	{"all", "answered", func(t trio) float64 { return t.ours.Success }, 0, 99.9, 0, "%"},
	{"all", "answered, against sequential 30 s", func(t trio) float64 { return t.ours.Success - t.seq30.Success }, 0, -0.02, 0, " points"},
	{"blackhole", "time to the last call without a probe, beyond 1.05 x p95", func(t trio) float64 {
		return t.ours.LeftHole - 1.05*t.seq30.calm
	}, 1.5, 0, 0, "s"},
}

// finding is a bar held against what was measured.
type finding struct {
	Scenario string    `json:"scenario"`
	What     string    `json:"what"`
	Seeds    []float64 `json:"seeds"`
	Median   float64   `json:"median"`
	Bar      string    `json:"bar"`
	Met      bool      `json:"met"`
}

func (b *bar) applies(scenario string) bool {
	return b.scenarios == "all" || slices.Contains(strings.Split(b.scenarios, ","), scenario)
}

func (b *bar) hold(scenario string, trios []trio) finding {
	f := finding{Scenario: scenario, What: b.what, Met: true}
	for _, t := range trios {
		v := b.figure(t)
		f.Seeds = append(f.Seeds, v)
		if b.each > 0 && v > b.each {
			f.Met = false
		}
	}
	sorted := slices.Sorted(slices.Values(f.Seeds))
	f.Median = sorted[len(sorted)/2]
	if b.most != 0 {
		f.Bar = fmt.Sprintf("≤ %g%s", b.most, b.unit)
		f.Met = f.Met && f.Median <= b.most
	} else {
		f.Bar = fmt.Sprintf("≥ %g%s", b.least, b.unit)
		f.Met = f.Met && f.Median >= b.least
	}
	if b.each > 0 {
		f.Bar += fmt.Sprintf(", each ≤ %g%s", b.each, b.unit)
	}
	return f
}

// findings hold every bar against the results. A scenario without all three policies
// has none.
func findings(results []outcome) []finding {
	var all []finding
	for _, sc := range scenarios {
		trios := triosOf(results, sc.name)
		if len(trios) == 0 {
			continue
		}
		for i := range bars {
			if bars[i].applies(sc.name) {
				all = append(all, bars[i].hold(sc.name, trios))
			}
		}
	}
	return all
}

func triosOf(results []outcome, scenario string) []trio {
	bySeed := map[uint64]*trio{}
	var order []uint64
	for i := range results {
		r := &results[i]
		if r.Scenario != scenario {
			continue
		}
		t := bySeed[r.Seed]
		if t == nil {
			t = &trio{}
			bySeed[r.Seed] = t
			order = append(order, r.Seed)
		}
		switch r.Policy {
		case ours:
			t.ours = r
		case seq30:
			t.seq30 = r
		case seq5:
			t.seq5 = r
		}
	}
	var all []trio
	for _, seed := range order {
		if t := bySeed[seed]; t.ours != nil && t.seq30 != nil && t.seq5 != nil {
			all = append(all, *t)
		}
	}
	return all
}
