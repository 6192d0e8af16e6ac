package breaker

import "time"

// authPause is how long a provider that refuses our key is left alone before one
// request may look again. Traffic does not probe it in between.
const authPause = 10 * time.Minute

// lockout keeps calls from who refuses our key. After a while one call at a time may look
// whether the key has been mended; the first good answer ends it. It is not safe for
// concurrent use.
type lockout struct {
	on      bool
	until   time.Time
	looking bool
	denials int // 403s in a row
}

// denialsShut is how many 403s in a row, with no good answer between them, say that the
// key may not use a model. Providers answer so to one request too, for its content or for
// what it points at, and not always in words that tell; then the next request is answered.
const denialsShut = 3

// admit says whether a call may leave, and whether it is the one that looks; wait is
// positive while none may.
func (l *lockout) admit(now time.Time) (look bool, wait time.Duration) {
	switch {
	case !l.on:
		return false, 0
	case now.Before(l.until):
		return false, l.until.Sub(now)
	case l.looking:
		return false, time.Second // its answer will be here by then, as a rule
	}
	l.looking = true
	return true, 0
}

func (l *lockout) refused(now time.Time, pause time.Duration) { l.on, l.until = true, now.Add(pause) }

// denied notes a refusal that may be of the one request alone. Whoever looks after a
// pause and is denied again is answer enough.
func (l *lockout) denied(now time.Time, pause time.Duration) {
	if l.denials++; l.on || l.denials >= denialsShut {
		l.refused(now, pause)
	}
}

func (l *lockout) lift() { l.on, l.denials = false, 0 }

// shut says that no call may leave now.
func (l *lockout) shut(now time.Time) bool { return l.on && (l.looking || now.Before(l.until)) }

// entry is what a call that was let through holds of a lockout and a circuit until it ends.
type entry struct {
	pass pass
	look bool
}

func (e entry) leave(now time.Time, l *lockout, c *circuit, v verdict, content bool) {
	l.looking = l.looking && !e.look
	c.settle(now, e.pass, v, content)
}

// probes: the call tests something.
func (e entry) probes() bool { return e.look || e.pass.probe != nil }
