package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// machine says on what and when this ran.
func machine() string {
	model := runtime.GOARCH
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%s, %d cores of %s, %s", time.Now().Format(time.DateOnly), runtime.NumCPU(), model, runtime.Version())
}

// printShape prints what was measured of one shape as a Markdown table.
func printShape(out io.Writer, sh *shape, all []*measure) {
	fmt.Fprintf(out, "**%s**: %s\n\n", sh.name, sh)
	fmt.Fprintln(out, "| | calls/s | failed | CPU/call | against the floor | whole p50 | whole p99 | added p50 | added p99 | RSS |")
	fmt.Fprintln(out, "|---|---|---|---|---|---|---|---|---|---|")
	direct, floor := all[0], all[1]
	for _, m := range all {
		cpu, ratio := "-", "-"
		if m.side.server != nil && m != direct {
			cpu = m.mean().Round(time.Microsecond).String()
			ratio = fmt.Sprintf("%.2f", m.ratio(floor))
		}
		added50, added99 := "-", "-"
		if m != direct && m.open.ok > 0 {
			added50, added99 = added(m, direct, 50).String(), added(m, direct, 99).String()
		}
		fmt.Fprintf(out, "| %s | %.0f | %d | %s | %s | %s | %s | %s | %s | %.0f MB |\n", m.side.name, m.all.rate(), m.all.failures()+m.open.failures(),
			cpu, ratio, at(m.all.whole, 50), at(m.all.whole, 99), added50, added99, float64(m.rss)/1e6)
	}
	printVerdict(out, sh, all)
	for _, m := range all {
		m.all.printFailures(out)
		m.open.printFailures(out)
	}
	fmt.Fprintln(out)
}

// printVerdict holds the gateway against the shape's target.
func printVerdict(out io.Writer, sh *shape, all []*measure) {
	direct, floor, gateway := all[0], all[1], all[2]
	ratio := gateway.ratio(floor)
	low, high := spread(floor.perCall, gateway.perCall)
	verdict := ""
	if sh.most > 0 {
		verdict = fmt.Sprintf(", at most %.2f is wanted: %s", sh.most, reached(ratio <= sh.most))
	}
	fmt.Fprintf(out, "\nCPU per call: %.2f times the floor's (median of the turns; %.2f to %.2f)%s.\n", ratio, low, high, verdict)
	if gateway.open.ok == 0 {
		return
	}
	for _, percent := range []float64{50, 99} {
		mine, least := added(gateway, direct, percent), added(floor, direct, percent)
		fmt.Fprintf(out, "Added p%.0f at 70 %% of the gateway's rate: %s, the floor's %s, at most 2.00 times that is wanted: %s.\n",
			percent, mine, least, reached(mine <= max(0, 2*least))) // below 0 both are the noise of the direct calls
	}
}

func reached(yes bool) string {
	if yes {
		return "reached"
	}
	return "not reached"
}

func added(m, direct *measure, percent float64) time.Duration {
	return at(m.open.whole, percent) - at(direct.open.whole, percent)
}

func (m *measure) mean() time.Duration { return m.cpu / time.Duration(max(m.all.ok, 1)) }

// ratio is the median over the turns of what a call cost here against there. Neighbours
// in time are compared, so that what the machine does beside changes both.
func (m *measure) ratio(floor *measure) float64 {
	var all []float64
	for i := range min(len(m.perCall), len(floor.perCall)) {
		all = append(all, float64(m.perCall[i])/float64(max(floor.perCall[i], 1)))
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return (all[len(all)/2] + all[(len(all)-1)/2]) / 2
}

// spread is the least and the greatest ratio over the turns.
func spread(floor, gateway []time.Duration) (low, high float64) {
	for i := range floor {
		ratio := float64(gateway[i]) / float64(max(floor[i], 1))
		if i == 0 || ratio < low {
			low = ratio
		}
		high = max(high, ratio)
	}
	return low, high
}
