package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

// plots writes latency by percentile of all runs, and answers over time of each, in a
// format that is named by its extension.
func (r *result) plots(folder, format string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if err := r.plotLatency(filepath.Join(folder, "latency."+format)); err != nil {
		return fmt.Errorf("plotting latency: %w", err)
	}
	for i, one := range r.Runs {
		if len(one.Timeline) == 0 {
			continue
		}
		if err := one.plotTime(filepath.Join(folder, fmt.Sprintf("time-%d.%s", i+1, format))); err != nil {
			return fmt.Errorf("plotting %s over time: %w", one.Name, err)
		}
	}
	return nil
}

// plotLatency draws the whole answer's time at each percentile. The axis below is
// 1/(1-q), so that each nine has the same width.
func (r *result) plotLatency(file string) error {
	p := newPlot("whole answer by percentile", "percentile", "ms")
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.ConstantTicks([]plot.Tick{
		{Value: 1, Label: "0"}, {Value: 2, Label: "50"}, {Value: 10, Label: "90"}, {Value: 100, Label: "99"}, {Value: 1000, Label: "99.9"}, {Value: 10_000, Label: "99.99"}})
	p.X.Min, p.X.Max = 1, 10_000
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	var lines []any
	for _, one := range r.Runs {
		if one.report.whole.TotalCount() == 0 {
			continue
		}
		var points plotter.XYs
		for nines := 0.0; nines <= 4; nines += 0.05 {
			x := math.Pow(10, nines)
			q := 100 * (1 - 1/x)
			points = append(points, plotter.XY{X: x, Y: max(float64(one.report.whole.ValueAtQuantile(q))/1000, 0.001)})
		}
		lines = append(lines, one.Name, points)
	}
	if len(lines) == 0 {
		return nil
	}
	return save(p, file, lines)
}

func (one *measured) plotTime(file string) error {
	p := newPlot(one.Name, "seconds", "per second; ms")
	var ok, failed, slow plotter.XYs
	for _, m := range one.Timeline {
		ok = append(ok, plotter.XY{X: m.Second, Y: m.OK})
		failed = append(failed, plotter.XY{X: m.Second, Y: m.Failed})
		slow = append(slow, plotter.XY{X: m.Second, Y: m.P99})
	}
	p.Y.Min = 0
	return save(p, file, []any{"answered per second", ok, "failed per second", failed, "p99, ms", slow})
}

func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Legend.Top, p.Legend.Left = true, true
	p.Add(plotter.NewGrid())
	return p
}

func save(p *plot.Plot, file string, lines []any) error {
	if err := plotutil.AddLines(p, lines...); err != nil {
		return err
	}
	return p.Save(18*vg.Centimeter, 10*vg.Centimeter, file)
}
