package route

import (
	"slices"
	"time"
)

// baseline is how a model answers when it is well: the median of the last periods'
// quantiles, taken while the model is neither open nor demoted. An incident that fills
// fewer than half of the periods does not move it; after that many periods of steady
// slowness it has followed, which is how a lasting change of the provider is accepted.
type baseline struct {
	period   time.Duration
	now      *sketch
	began    time.Time
	p95, p50 []time.Duration
	m95, m50 time.Duration
}

const (
	baselinePeriods = 20
	baselineNeeds   = 30 // samples of a period before it counts
)

func newBaseline(period time.Duration) *baseline {
	return &baseline{period: period, now: newSketch(1000 * time.Hour)}
}

func (b *baseline) add(now time.Time, d time.Duration) {
	if b.began.IsZero() {
		b.began = now
	}
	if now.Sub(b.began) >= b.period {
		b.close(now)
	}
	b.now.add(now, d)
}

func (b *baseline) close(now time.Time) {
	if q95, n := b.now.quantile(now, 0.95); n >= baselineNeeds {
		q50, _ := b.now.quantile(now, 0.5)
		b.p95, b.p50 = keepLast(b.p95, q95), keepLast(b.p50, q50)
		b.m95, b.m50 = median(b.p95), median(b.p50)
	}
	*b.now = sketch{slot: b.now.slot}
	b.began = now
}

func keepLast(list []time.Duration, d time.Duration) []time.Duration {
	if len(list) == baselinePeriods {
		copy(list, list[1:])
		list = list[:baselinePeriods-1]
	}
	return append(list, d)
}

func median(list []time.Duration) time.Duration {
	sorted := slices.Clone(list)
	slices.Sort(sorted)
	return sorted[len(sorted)/2]
}
