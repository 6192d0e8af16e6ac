package main

import (
	"context"
	"errors"
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
	gaps   *hdrhistogram.Histogram
	after  *hdrhistogram.Histogram // the whole answer, from when the call left
	late   *hdrhistogram.Histogram // from due to left
	ok     int64
	bytes  int64
	failed map[string]int64 // by text
	cut    int64            // calls under way when the run was interrupted
	took   time.Duration
	line   *timeline // nil: not kept
}

// differentFailures bounds how many texts are told apart.
const differentFailures = 200

const longest = 10 * time.Minute

func newReport() *report {
	return &report{first: newHistogram(3), whole: newHistogram(3), gaps: newHistogram(3),
		after: newHistogram(3), late: newHistogram(3), failed: map[string]int64{}}
}

func newHistogram(digits int) *hdrhistogram.Histogram {
	return hdrhistogram.New(1, longest.Microseconds(), digits)
}

func (r *report) add(s sample) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if errors.Is(s.err, context.Canceled) {
		r.cut++ // nobody's failure: whoever runs this wanted to stop
		return
	}
	r.line.add(s)
	if s.err != nil {
		text := s.err.Error()
		if _, known := r.failed[text]; !known && len(r.failed) >= differentFailures {
			text = "other"
		}
		r.failed[text]++
		return
	}
	r.ok++
	r.bytes += s.bytes
	record(r.first, s.first)
	record(r.whole, s.whole)
	record(r.after, s.whole-s.late)
	record(r.late, s.late)
	for _, gap := range s.gaps {
		record(r.gaps, gap)
	}
}

// record clamps: a call longer than the histogram is still the longest of all.
func record(h *hdrhistogram.Histogram, d time.Duration) {
	_ = h.RecordValue(min(max(d.Microseconds(), 1), h.HighestTrackableValue()))
}

// counts are what a progress bar shows.
func (r *report) counts() (ok, failed int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ok, r.failures()
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
	r.gaps.Merge(other.gaps)
	r.after.Merge(other.after)
	r.late.Merge(other.late)
	r.ok += other.ok
	r.bytes += other.bytes
	r.cut += other.cut
	r.took += other.took
	for text, n := range other.failed {
		r.failed[text] += n
	}
}

func (r *report) rate() float64 { return float64(r.ok) / max(r.took.Seconds(), 1e-9) }

func (r *report) print(out io.Writer) {
	fmt.Fprintf(out, "%d answered, %d failed in %.1fs: %.0f/s, %.1f MB\n",
		r.ok, r.failures(), r.took.Seconds(), r.rate(), float64(r.bytes)/1e6)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tp50\tp90\tp99\tp99.9\tmax\t")
	for _, row := range []struct {
		name string
		h    *hdrhistogram.Histogram
	}{{"first content", r.first}, {"between tokens", r.gaps}, {"whole answer", r.whole}} {
		if row.h.TotalCount() == 0 {
			continue
		}
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
	if r.cut > 0 {
		fmt.Fprintf(out, "%6d under way when it was interrupted\n", r.cut)
	}
}

func at(h *hdrhistogram.Histogram, percent float64) time.Duration {
	return micros(h.ValueAtQuantile(percent))
}

func micros(n int64) time.Duration {
	return (time.Duration(n) * time.Microsecond).Round(10 * time.Microsecond)
}
