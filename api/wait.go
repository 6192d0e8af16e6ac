package api

import (
	"runtime/metrics"
	"time"
)

// waitMetric is how long goroutines were ready and did not run.
const waitMetric = "/sched/latencies:seconds"

// waits reads how long ready work waits for a processor. One goroutine uses it.
type waits struct {
	sample []metrics.Sample
	seen   []uint64
}

func newWaits() *waits { return &waits{sample: []metrics.Sample{{Name: waitMetric}}} }

// since gives the wait that a tenth of all work since the last call had or was over.
func (w *waits) since() time.Duration {
	metrics.Read(w.sample)
	if w.sample[0].Value.Kind() != metrics.KindFloat64Histogram {
		return 0 // this Go does not tell
	}
	h := w.sample[0].Value.Float64Histogram()
	if len(w.seen) != len(h.Counts) {
		w.seen = make([]uint64, len(h.Counts))
	}
	var all uint64
	for i, n := range h.Counts {
		all += n - w.seen[i]
	}
	at := all / 10 // counted from the longest
	for i := len(h.Counts) - 1; i > 0; i-- {
		n := h.Counts[i] - w.seen[i]
		if n > at && all > 0 {
			copy(w.seen, h.Counts)
			return time.Duration(h.Buckets[i] * float64(time.Second)) // the bucket's lower end: finite for the last too
		}
		at -= n
	}
	copy(w.seen, h.Counts)
	return 0
}
