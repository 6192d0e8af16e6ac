package main

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// report gathers samples. Its histograms hold microseconds, to three digits.
type report struct {
	mu     sync.Mutex
	first  *hdrhistogram.Histogram
	whole  *hdrhistogram.Histogram
	ok     int64
	bytes  int64
	failed map[string]int64 // by text
	took   time.Duration
}

func newReport() *report {
	longest := (10 * time.Minute).Microseconds()
	return &report{
		first:  hdrhistogram.New(1, longest, 3),
		whole:  hdrhistogram.New(1, longest, 3),
		failed: map[string]int64{},
	}
}

func (r *report) add(s sample) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.err != nil {
		r.failed[s.err.Error()]++
		return
	}
	r.ok++
	r.bytes += s.bytes
	record(r.first, s.first)
	record(r.whole, s.whole)
}

// record clamps: a call longer than the histogram is still the longest of all.
func record(h *hdrhistogram.Histogram, d time.Duration) {
	_ = h.RecordValue(min(max(d.Microseconds(), 1), h.HighestTrackableValue()))
}

func (r *report) failures() int64 {
	var n int64
	for _, count := range r.failed {
		n += count
	}
	return n
}

// merge adds what another run saw.
func (r *report) merge(other *report) {
	r.first.Merge(other.first)
	r.whole.Merge(other.whole)
	r.ok += other.ok
	r.bytes += other.bytes
	r.took += other.took
	for text, n := range other.failed {
		r.failed[text] += n
	}
}

func (r *report) rate() float64 { return float64(r.ok) / r.took.Seconds() }

func (r *report) print(out io.Writer) {
	fmt.Fprintf(out, "%d answered, %d failed in %.1fs: %.0f/s, %.1f MB\n",
		r.ok, r.failures(), r.took.Seconds(), r.rate(), float64(r.bytes)/1e6)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tp50\tp90\tp99\tp99.9\tmax\t")
	for _, row := range []struct {
		name string
		h    *hdrhistogram.Histogram
	}{{"first content", r.first}, {"whole answer", r.whole}} {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t\n", row.name,
			at(row.h, 50), at(row.h, 90), at(row.h, 99), at(row.h, 99.9), micros(row.h.Max()))
	}
	table.Flush()
	r.printFailures(out)
}

func (r *report) printFailures(out io.Writer) {
	texts := make([]string, 0, len(r.failed))
	for text := range r.failed {
		texts = append(texts, text)
	}
	slices.SortFunc(texts, func(a, b string) int { return int(r.failed[b] - r.failed[a]) })
	for _, text := range texts[:min(len(texts), 5)] {
		fmt.Fprintf(out, "%6d x %s\n", r.failed[text], text)
	}
}

func at(h *hdrhistogram.Histogram, percent float64) time.Duration {
	return micros(h.ValueAtQuantile(percent))
}

func micros(n int64) time.Duration {
	return (time.Duration(n) * time.Microsecond).Round(10 * time.Microsecond)
}
