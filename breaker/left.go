package breaker

import (
	"time"

	"gateway"
)

// left is what the provider's headers last said of its limits: requests, tokens, and
// Anthropic's input and output tokens apart.
type left [4]remainder

// remainder is one limit, as it stood when the header came.
type remainder struct {
	limit, remaining int
	until            time.Time // it is full again then
}

// namelessWindow is how long a remainder is believed that names no reset. Most windows
// are of a minute.
const namelessWindow = time.Minute

// see keeps what one answer said. A limit that it did not name stays as it was.
func (l *left) see(now time.Time, info *gateway.RateInfo, p pace) {
	for i, w := range [len(left{})]gateway.RateWindow{info.Requests, info.Tokens, info.InputTokens, info.OutputTokens} {
		if w.Limit <= 0 || w.Remaining < 0 {
			continue
		}
		reset := w.Reset
		if reset <= 0 {
			reset = p.of(namelessWindow)
		}
		l[i] = remainder{w.Limit, w.Remaining, now.Add(reset)}
	}
}

// tight says whether one of them has under a tenth left. Source: routing reference
// section 1 (no hedge to a target whose learned remaining is under 10 %).
func (l *left) tight(now time.Time) bool {
	for _, r := range l {
		if now.Before(r.until) && 10*r.remaining < r.limit {
			return true
		}
	}
	return false
}
