package breaker

import "time"

// Sizes of the failure window. Source: routing reference section 4; a count of
// outcomes notices an outage in half a second at 40 requests/s, where a 20 s time
// window full of old successes takes 7 s longer.
const (
	windowSize   = 50
	windowAge    = 60 * time.Second
	windowNeeds  = 20 // outcomes before the share counts
	failureShare = 50 // per cent of failures that opens
)

// window holds the last outcomes of one target.
type window struct {
	at     [windowSize]time.Time
	failed [windowSize]bool
	n      int // outcomes ever recorded
	age    time.Duration
}

func (w *window) add(now time.Time, failed bool) {
	i := w.n % windowSize
	w.at[i], w.failed[i] = now, failed
	w.n++
}

// sick says whether enough recent outcomes are failures.
func (w *window) sick(now time.Time) bool {
	n, bad := 0, 0
	for i := range min(w.n, windowSize) {
		if now.Sub(w.at[i]) > w.age {
			continue
		}
		n++
		if w.failed[i] {
			bad++
		}
	}
	return n >= windowNeeds && bad*100 >= failureShare*n
}

func (w *window) clear() { w.n = 0 }
