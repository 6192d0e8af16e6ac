package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/spf13/cobra"
)

// outputs say where a result goes besides the terminal.
type outputs struct{ jsonFile, markdownFile, svgFolder, pngFolder string }

func (o *outputs) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.jsonFile, "json", "", "file for the result as JSON")
	f.StringVar(&o.markdownFile, "markdown", "", "file for the result as a Markdown table")
	f.StringVar(&o.svgFolder, "svg", "", "folder for plots: latency by percentile, answers over time")
	f.StringVar(&o.pngFolder, "png", "", "folder for the same plots as PNG")
}

// result is what a command measured: its runs, and what they ran on.
type result struct {
	Command string     `json:"command"` // as it was typed
	URL     string     `json:"url"`
	Model   string     `json:"model"`
	At      time.Time  `json:"at"`
	Machine string     `json:"machine"`
	Runs    []measured `json:"runs"`
}

// measured is one run in numbers. Times are in milliseconds.
type measured struct {
	Name      string           `json:"name"`
	Offered   float64          `json:"offered_per_second,omitempty"` // of an open loop
	Answered  int64            `json:"answered"`
	Failed    int64            `json:"failed"`
	Cut       int64            `json:"interrupted,omitempty"`
	Seconds   float64          `json:"seconds"`
	PerSecond float64          `json:"answered_per_second"`
	Bytes     int64            `json:"bytes"`
	First     *percentiles     `json:"first_content_ms,omitempty"`
	Gaps      *percentiles     `json:"between_tokens_ms,omitempty"`
	Whole     *percentiles     `json:"whole_answer_ms,omitempty"`
	Failures  map[string]int64 `json:"failures,omitempty"`
	Timeline  []moment         `json:"timeline,omitempty"`

	report *report
}

type percentiles struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99_9"`
	Max  float64 `json:"max"`
	Mean float64 `json:"mean"`
}

// moment is one slice of a timeline.
type moment struct {
	Second float64 `json:"second"` // its begin
	OK     float64 `json:"answered_per_second"`
	Failed float64 `json:"failed_per_second"`
	P50    float64 `json:"p50_ms"`
	P99    float64 `json:"p99_ms"`
}

func newResult(name, url, model string) *result {
	command := "go run ./bench " + name
	if len(os.Args) > 1 && os.Args[1] == name {
		command = "go run ./bench " + strings.Join(hideKey(os.Args[1:]), " ")
	}
	return &result{Command: command, URL: url, Model: model, At: time.Now().UTC().Truncate(time.Second), Machine: machine()}
}

// hideKey leaves the value of --key out of what is written down.
func hideKey(args []string) []string {
	out := make([]string, len(args))
	for i, arg := range args {
		switch {
		case strings.HasPrefix(arg, "--key="):
			arg = "--key=..."
		case i > 0 && args[i-1] == "--key":
			arg = "..."
		}
		out[i] = arg
	}
	return out
}

func (r *result) add(name string, offered float64, from *report) {
	r.Runs = append(r.Runs, measured{
		Name: name, Offered: offered, Answered: from.ok, Failed: from.failures(), Cut: from.cut,
		Seconds: from.took.Seconds(), PerSecond: from.rate(), Bytes: from.bytes,
		First: percentilesOf(from.first), Gaps: percentilesOf(from.gaps), Whole: percentilesOf(from.whole),
		Failures: from.failed, Timeline: moments(from.line), report: from,
	})
}

func (r *result) answered() (n int64) {
	for _, one := range r.Runs {
		n += one.Answered
	}
	return n
}

func percentilesOf(h *hdrhistogram.Histogram) *percentiles {
	if h.TotalCount() == 0 {
		return nil
	}
	ms := func(q float64) float64 { return float64(h.ValueAtQuantile(q)) / 1000 }
	return &percentiles{ms(50), ms(90), ms(99), ms(99.9), float64(h.Max()) / 1000, h.Mean() / 1000}
}

func moments(l *timeline) []moment {
	if l == nil {
		return nil
	}
	all := make([]moment, 0, len(l.slices))
	for i, one := range l.slices {
		m := moment{Second: (time.Duration(i) * l.width).Seconds(),
			OK: float64(one.ok) / l.width.Seconds(), Failed: float64(one.failed) / l.width.Seconds()}
		if one.whole != nil {
			m.P50, m.P99 = float64(one.whole.ValueAtQuantile(50))/1000, float64(one.whole.ValueAtQuantile(99))/1000
		}
		all = append(all, m)
	}
	return all
}

// write prints the result and puts it into the files that were asked for.
func (o *outputs) write(out io.Writer, r *result) error {
	for _, one := range r.Runs {
		fmt.Fprintf(out, "%s: ", one.Name)
		one.report.print(out)
	}
	if o.jsonFile != "" {
		data, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(o.jsonFile, append(data, '\n'), 0o644); err != nil {
			return err
		}
	}
	if o.markdownFile != "" {
		if err := os.WriteFile(o.markdownFile, []byte(r.markdown()), 0o644); err != nil {
			return err
		}
	}
	for format, folder := range map[string]string{"svg": o.svgFolder, "png": o.pngFolder} {
		if folder == "" {
			continue
		}
		if err := r.plots(folder, format); err != nil {
			return err
		}
	}
	return nil
}

// markdown is the result as a table, with the command that made it.
func (r *result) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "`%s`\n\n%s, %s, model %s\n\n", r.Command, r.At.Format("2006-01-02 15:04 MST"), r.Machine, r.Model)
	b.WriteString("| run | answered | failed | answers/s | first p50 | first p99 | gap p50 | gap p99 | whole p50 | whole p90 | whole p99 | whole p99.9 |\n")
	b.WriteString("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, one := range r.Runs {
		fmt.Fprintf(&b, "| %s | %d | %d | %.0f |", one.Name, one.Answered, one.Failed, one.PerSecond)
		for _, cell := range []struct {
			p    *percentiles
			pick func(*percentiles) float64
		}{
			{one.First, p50}, {one.First, p99}, {one.Gaps, p50}, {one.Gaps, p99},
			{one.Whole, p50}, {one.Whole, func(p *percentiles) float64 { return p.P90 }}, {one.Whole, p99}, {one.Whole, func(p *percentiles) float64 { return p.P999 }},
		} {
			if cell.p == nil {
				b.WriteString(" - |")
				continue
			}
			fmt.Fprintf(&b, " %.1f ms |", cell.pick(cell.p))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func p50(p *percentiles) float64 { return p.P50 }
func p99(p *percentiles) float64 { return p.P99 }
