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

// fewWaits are too few to judge by: who has that little to do is not overloaded.
const fewWaits = 30

// since gives the wait that a tenth of all work since the last call had or was over. It
// is not the half: much work is handed on by who runs and waits for nothing, however
// long the line is for the rest.
func (w *waits) since() time.Duration {
	metrics.Read(w.sample)
	if w.sample[0].Value.Kind() != metrics.KindFloat64Histogram {
		return 0 // this Go does not tell
	}
	h := w.sample[0].Value.Float64Histogram()
	if len(w.seen) != len(h.Counts) {
		w.seen = make([]uint64, len(h.Counts))
	}
	defer func() { copy(w.seen, h.Counts) }()
	var all, sum uint64
	for i, n := range h.Counts {
		all += n - w.seen[i]
	}
	if all < fewWaits {
		return 0
	}
	for i, n := range h.Counts {
		if sum += n - w.seen[i]; 10*sum >= 9*all {
			return time.Duration(max(h.Buckets[i], 0) * float64(time.Second)) // the bucket's lower end: the first one's is infinite
		}
	}
	return 0
}
