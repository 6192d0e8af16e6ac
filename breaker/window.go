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
	midway [windowSize]bool // of those that failed: after the first content
	n      int              // outcomes ever recorded
	age    time.Duration
}

func (w *window) add(now time.Time, failed, midway bool) {
	i := w.n % windowSize
	w.at[i], w.failed[i], w.midway[i] = now, failed, midway
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

// breaksOff says whether at least half of the failures that are known came after the first
// content.
func (w *window) breaksOff() bool {
	bad, midway := 0, 0
	for i := range min(w.n, windowSize) {
		if w.failed[i] {
			bad++
			if w.midway[i] {
				midway++
			}
		}
	}
	return bad > 0 && 2*midway >= bad
}

func (w *window) clear() { w.n = 0 }
