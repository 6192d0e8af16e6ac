package main

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
)

// The axes of time show what callers tell apart: a tenth of a second to two minutes.
const leastShown, mostShown = 0.1, 150

func newTimePlot(title, x string) *plot.Plot {
	p := newPlot(title, x, "simulated seconds to first content")
	p.Y.Scale, p.Y.Min, p.Y.Max = plot.LogScale{}, leastShown, mostShown
	var ticks plot.ConstantTicks
	for _, seconds := range []float64{0.1, 0.3, 1, 3, 10, 30, 100} {
		ticks = append(ticks, plot.Tick{Value: seconds, Label: fmt.Sprint(seconds)})
	}
	p.Y.Tick.Marker = ticks
	return p
}

// plotShares draws the time to first content that each share of the requests stayed
// under. The axis below is 1/(1-q): each nine has the same width, and the slow end, where
// policies differ, is seen.
func plotShares(file string, sc scenario, policies []policy, results []outcome) error {
	p := newTimePlot(sc.title, "percentile")
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.ConstantTicks([]plot.Tick{
		{Value: 1, Label: "0"}, {Value: 2, Label: "50"}, {Value: 10, Label: "90"}, {Value: 100, Label: "99"}, {Value: 1000, Label: "99.9"}, {Value: 10_000, Label: "99.99"}})
	p.X.Min, p.X.Max = 1, 10_000
	var lines []any
	for _, policy := range policies {
		var all []float64
		for i := range results {
			if results[i].Scenario == sc.name && results[i].Policy == policy.name {
				all = append(all, results[i].first...)
			}
		}
		slices.Sort(all)
		var points plotter.XYs
		for nines := 0.0; nines <= 4 && math.Pow(10, nines) <= float64(len(all)); nines += 0.02 {
			x := math.Pow(10, nines)
			points = append(points, plotter.XY{X: x, Y: max(leastShown, quantile(all, 1-1/x))})
		}
		if len(points) > 0 {
			lines = append(lines, policy.name, points)
		}
	}
	return save(p, file, lines)
}

// plotOverTime draws the p90 of the time to first content over the first seed's run, with
// the time of the primary's trouble shaded.
func (s *study) plotOverTime(file string, sc scenario, results []outcome) error {
	length := float64(s.requests) / s.rate / scale
	p := newTimePlot(sc.title+": p90", "simulated seconds since the begin; shaded: the primary is in trouble")
	for _, spell := range sc.spells(1, 0, time.Duration(length*float64(time.Second))) {
		from, to := spell.From.Seconds(), min(length, spell.To.Seconds())
		shade, err := plotter.NewPolygon(plotter.XYs{{X: from, Y: leastShown}, {X: to, Y: leastShown}, {X: to, Y: mostShown}, {X: from, Y: mostShown}})
		if err != nil {
			return fmt.Errorf("shading %s: %w", file, err)
		}
		shade.Color, shade.LineStyle.Width = color.Gray{0xe8}, 0
		p.Add(shade)
	}
	var lines []any
	for _, policy := range s.policies {
		for i := range results {
			if r := &results[i]; r.Scenario == sc.name && r.Policy == policy.name && r.Seed == 1 {
				lines = append(lines, policy.name, overTime(r.calls, s.warm, length))
			}
		}
	}
	return save(p, file, lines)
}

// overTime gives the p90 of 60 slices of a run, by the time of arrival.
func overTime(calls []seen, warm time.Duration, length float64) plotter.XYs {
	const slicesShown = 60
	all := make([][]float64, slicesShown)
	for _, call := range calls {
		first := simulatedSeconds(givenUp)
		if call.err == nil {
			first = simulatedSeconds(call.first)
		}
		at := int(simulatedSeconds(call.due-warm) / length * slicesShown)
		if at >= 0 && at < slicesShown {
			all[at] = append(all[at], first)
		}
	}
	var points plotter.XYs
	for i, times := range all {
		if len(times) > 0 {
			slices.Sort(times)
			points = append(points, plotter.XY{X: (float64(i) + 0.5) / slicesShown * length, Y: max(leastShown, quantile(times, 0.9))})
		}
	}
	return points
}
