package fakeupstream

import (
	"fmt"
	"net/http"
	"sync"
	"time"
)

// window counts requests in whole minutes.
type window struct {
	mu    sync.Mutex
	ends  time.Time
	spent int
}

// take counts a request in. reset is the time until the next minute begins.
func (w *window) take(limit int, now time.Time) (remaining int, reset time.Duration, allowed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !now.Before(w.ends) {
		w.ends, w.spent = now.Add(time.Minute), 0
	}
	allowed = w.spent < limit
	if allowed {
		w.spent++
	}
	return limit - w.spent, w.ends.Sub(now), allowed
}

// limit announces the limits on requests and refuses what is above them.
func (p *play) limit(inFlight int) *refusal {
	c := p.server.config
	if c.MaxInFlight > 0 && inFlight > c.MaxInFlight {
		no := faultRefusal(RateLimitedMute, Step{}, p.talk)
		return &no
	}
	if c.RPM <= 0 {
		return nil
	}
	now := time.Now()
	remaining, reset, allowed := p.server.window.take(c.RPM, now)
	announce(p.w.Header(), c.Kind, c.RPM, remaining, now, reset)
	if allowed {
		return nil
	}
	no := faultRefusal(RateLimited, Step{RetryAfter: reset.Truncate(time.Second) + time.Second}, p.talk)
	return &no
}

// announce sets the headers of those kinds that have them.
func announce(h http.Header, kind Kind, limit, remaining int, now time.Time, reset time.Duration) {
	switch kind {
	case OpenAI:
		h.Set("X-Ratelimit-Limit-Requests", fmt.Sprint(limit))
		h.Set("X-Ratelimit-Remaining-Requests", fmt.Sprint(remaining))
		h.Set("X-Ratelimit-Reset-Requests", reset.Round(time.Millisecond).String())
	case Anthropic:
		h.Set("Anthropic-Ratelimit-Requests-Limit", fmt.Sprint(limit))
		h.Set("Anthropic-Ratelimit-Requests-Remaining", fmt.Sprint(remaining))
		h.Set("Anthropic-Ratelimit-Requests-Reset", now.Add(reset).UTC().Format(time.RFC3339))
	}
}
