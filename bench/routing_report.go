package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// lateAllowed is how late load generator or providers may be, p99 in real milliseconds,
// before the machine and not the gateway was measured: a tenth of the median time to
// first content.
const lateAllowed = 5

// report prints the tables, and saves them.
func (s *study) report(results []outcome, out io.Writer) error {
	if _, err := io.WriteString(out, "\n"+s.markdown(results, findings(results))); err != nil {
		return err
	}
	return s.save(results)
}

// save writes report and plots into the folder that was named.
func (s *study) save(results []outcome) error {
	if s.out == "" {
		return nil
	}
	all := findings(results)
	text := s.markdown(results, all)
	if err := os.MkdirAll(s.out, 0o755); err != nil {
		return err
	}
	data, err := json.MarshalIndent(struct {
		Rate     float64   `json:"requests_per_second"`
		Results  []outcome `json:"results"`
		Findings []finding `json:"findings"`
	}{s.rate, results, all}, "", "  ")
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{"routing.md": []byte(text), "routing.json": append(data, '\n')} {
		if err := os.WriteFile(filepath.Join(s.out, name), data, 0o644); err != nil {
			return err
		}
	}
	for _, sc := range s.scenarios {
		if !slices.ContainsFunc(results, func(r outcome) bool { return r.Scenario == sc.name }) {
			continue
		}
		if err := plotShares(filepath.Join(s.out, "ttft-"+sc.name+".svg"), sc, s.policies, results); err != nil {
			return fmt.Errorf("plotting %s: %w", sc.name, err)
		}
		if err := s.plotOverTime(filepath.Join(s.out, "timeline-"+sc.name+".svg"), sc, results); err != nil {
			return fmt.Errorf("plotting %s over time: %w", sc.name, err)
		}
	}
	return nil
}

func (s *study) markdown(results []outcome, all []finding) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d requests a run at %g/s real (%g/s simulated), %d seeds. Times are simulated seconds, of which ten pass in a real one.\n\n",
		s.requests, s.rate, s.rate*scale, s.seeds)
	b.WriteString("| scenario | figure | by seed | median | bar | |\n|---|---|---|---|---|---|\n")
	for _, f := range all {
		var seeds []string
		for _, v := range f.Seeds {
			seeds = append(seeds, fmt.Sprintf("%.2f", v))
		}
		verdict := "met"
		if !f.Met {
			verdict = "**missed**"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %.2f | %s | %s |\n", f.Scenario, f.What, strings.Join(seeds, ", "), f.Median, f.Bar, verdict)
	}
	b.WriteString("\nMedians of the seeds:\n\n| scenario | policy | TTFT p50 | p95 | p99 | p99.9 | answered % | hedges % | extra attempts % | wasted cost % | bill |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, sc := range s.scenarios {
		if len(triosOf(results, sc.name)) == 0 {
			continue
		}
		for _, p := range s.policies {
			s.row(&b, sc.name, p.name, results)
		}
	}
	fmt.Fprintf(&b, "\n%s\n", s.machine(results))
	return b.String()
}

func (s *study) row(b *strings.Builder, scenario, policy string, results []outcome) {
	of := func(figure func(r *outcome) float64) float64 { return medianOf(results, scenario, policy, figure) }
	cost := of(func(r *outcome) float64 { return float64(r.Cost) })
	base := medianOf(results, scenario, seq30, func(r *outcome) float64 { return float64(r.Cost) })
	fmt.Fprintf(b, "| %s | %s | %.2f | %.2f | %.2f | %.1f | %.3f | %.1f | %.1f | %.1f | %+.1f %% |\n", scenario, policy,
		of(func(r *outcome) float64 { return r.P50 }), of(func(r *outcome) float64 { return r.P95 }),
		of(tail99), of(tail999), of(func(r *outcome) float64 { return r.Success }),
		of(func(r *outcome) float64 { return 100 * float64(r.Hedges) / float64(r.Requests) }),
		of(func(r *outcome) float64 { return r.Extra }), of(func(r *outcome) float64 { return r.Waste }), 100*(cost/max(base, 1)-1))
}

func medianOf(results []outcome, scenario, policy string, figure func(r *outcome) float64) float64 {
	var all []float64
	for i := range results {
		if results[i].Scenario == scenario && results[i].Policy == policy {
			all = append(all, figure(&results[i]))
		}
	}
	slices.Sort(all)
	return quantile(all, 0.5)
}

// machine says whether the machine kept up.
func (s *study) machine(results []outcome) string {
	cpu, load, site, busy := 0.0, 0.0, 0.0, 0
	for i := range results {
		r := &results[i]
		cpu, load, site = max(cpu, r.GatewayCPU), max(load, r.LoadLate), max(site, r.SiteLate)
		if r.late() > lateAllowed {
			busy++
		}
	}
	return fmt.Sprintf("The gateway used %.2f cores at most. The load generator was late by %.1f ms at most and the providers by %.1f ms (p99 of the worst run); %d of %d runs were above %d ms, which is a tenth of the median time to first content: there other work on the machine is part of what was measured.",
		cpu, load, site, busy, len(results), lateAllowed)
}
