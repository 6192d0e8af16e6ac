package breaker

import (
	"time"

	"gateway"
)

// How long a refusal keeps callers away. One that names a rate is believed for a minute;
// whoever means longer says so again to the first call after it. Spent credit and quotas
// of hours or days last as long as they say, or ten minutes, but are asked after once a
// day. Source: routing reference section 3; wire reference 12.5 (the full value closes a
// provider).
const (
	rateCoolAtMost  = time.Minute
	quotaPause      = 10 * time.Minute
	quotaCoolAtMost = 25 * time.Hour // the longest day, where clocks change
)

// cooling is how long a failure asks to be left alone; 0: it does not, or not for a time
// that it names.
func (p pace) cooling(e *gateway.Error) time.Duration {
	switch {
	case e.Kind == gateway.ProviderBilling:
		return min(max(e.RetryAfter, p.of(quotaPause)), quotaCoolAtMost)
	case e.Kind == gateway.RateLimited && e.Quota:
		if e.RetryAfter <= 0 {
			return p.of(quotaPause)
		}
		return min(e.RetryAfter, quotaCoolAtMost)
	case e.Kind == gateway.RateLimited, e.Kind == gateway.Overloaded:
		return min(max(e.RetryAfter, 0), p.of(rateCoolAtMost))
	}
	return 0
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
