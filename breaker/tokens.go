package breaker

import "time"

// bucket counts something per minute that is known only afterwards (tokens): it
// takes an estimate before, and the difference after. x/time/rate cannot give back
// once the time to act has come, so this one is ours. The zero bucket has no limit.
type bucket struct {
	perMinute float64
	level     float64 // may be negative: a debt
	at        time.Time
}

func (b *bucket) set(now time.Time, perMinute int) {
	if b.perMinute == 0 && perMinute > 0 {
		b.level, b.at = float64(perMinute), now
	}
	b.fill(now)
	b.perMinute = float64(perMinute)
	b.level = min(b.level, b.perMinute)
}

func (b *bucket) fill(now time.Time) {
	if d := now.Sub(b.at); d > 0 {
		b.level = min(b.perMinute, b.level+b.perMinute*d.Minutes())
		b.at = now
	}
}

// take subtracts n, or says how long until n would be there. A request larger than
// the whole minute is let through when the bucket is full; refusing it would be for ever.
func (b *bucket) take(now time.Time, n int) (wait time.Duration, ok bool) {
	if b.perMinute <= 0 {
		return 0, true
	}
	b.fill(now)
	need := min(float64(n), b.perMinute)
	if b.level < need {
		return time.Duration((need - b.level) / b.perMinute * float64(time.Minute)), false
	}
	b.level -= float64(n)
	return 0, true
}

// until is the time until the bucket is out of debt.
func (b *bucket) until(now time.Time) time.Duration {
	if b.perMinute <= 0 {
		return 0
	}
	b.fill(now)
	if b.level >= 0 {
		return 0
	}
	return time.Duration(-b.level / b.perMinute * float64(time.Minute))
}

// give returns n, or takes a further -n as a debt.
func (b *bucket) give(now time.Time, n int) {
	if b.perMinute <= 0 {
		return
	}
	b.fill(now)
	b.level = min(b.perMinute, b.level+float64(n))
}

// lower follows what a header said is left; headers only ever lower our count.
func (b *bucket) lower(now time.Time, remaining int) {
	b.fill(now)
	b.level = min(b.level, float64(remaining))
}

// raise follows a header that is trusted: what the provider has left, less what is on its
// way there.
func (b *bucket) raise(now time.Time, remaining int) {
	b.fill(now)
	b.level = min(b.perMinute, max(b.level, float64(remaining)))
}
