package breaker

import (
	"time"

	"golang.org/x/time/rate"

	"gateway"
)

// Heard tells the gate what the head of the attempt's answer said of the provider's limits.
// It is called as the head comes, not at the end: a reset is counted from then, and an
// answer may take longer than it.
func (p *Permit) Heard(now time.Time, info *gateway.RateInfo) {
	g := p.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	g.arrived(p)
	g.follow(now, info)
}

// arrived notes that what the provider says is left is less what this attempt takes.
func (g *Gate) arrived(p *Permit) {
	if !p.heard {
		p.heard = true
		g.reserved -= p.reserved
	}
}

// follow takes what the headers say. They lower our counts; they raise them only where
// the configuration trusts them, since several gateways may share one account.
func (g *Gate) follow(now time.Time, info *gateway.RateInfo) {
	g.left.see(now, info, g.pace())
	if r := info.Requests; r.Limit > 0 && r.Remaining == 0 && r.Reset > 0 {
		g.cool(now, min(r.Reset, g.pace().of(headerCoolAtMost)))
	}
	for _, w := range [...]gateway.RateWindow{info.InputTokens, info.OutputTokens} {
		if w.Limit > 0 && w.Remaining == 0 && w.Reset > 0 {
			g.cool(now, min(w.Reset, g.pace().of(headerCoolAtMost)))
		}
	}
	if perMinute(info.Requests) {
		g.followRequests(now, info.Requests)
	}
	if t := info.Tokens; perMinute(t) && t.Remaining >= 0 {
		if g.tokens.perMinute == 0 || float64(t.Limit) < g.tokens.perMinute || g.cfg.TrustHeaders {
			g.tokens.set(now, t.Limit)
		}
		g.tokens.lower(now, t.Remaining)
		if g.cfg.TrustHeaders {
			g.tokens.raise(now, t.Remaining-g.reserved)
		}
	}
}

// followRequests moves the rate of requests. Without one in the configuration the headers
// make none unless they are trusted: some count days under the same name.
func (g *Gate) followRequests(now time.Time, w gateway.RateWindow) {
	limit := rate.Limit(float64(w.Limit) / 60)
	switch {
	case g.requests == nil && g.cfg.TrustHeaders:
		g.requests = rate.NewLimiter(limit, max(1, w.Limit/60))
	case g.requests != nil && (limit < g.requests.Limit() || g.cfg.TrustHeaders && limit != g.requests.Limit()):
		g.requests.SetLimitAt(now, limit)
		g.requests.SetBurstAt(now, max(1, w.Limit/60))
	}
}

// perMinute: the window can be one of a minute. A bucket that is refilled all the time is
// full again within a minute; a window of a day names a reset that is further away.
func perMinute(w gateway.RateWindow) bool { return w.Limit > 0 && w.Reset <= time.Minute }

// headerCoolAtMost bounds what a reset header alone can do: some name the end of a
// day-long window although a place frees much sooner.
const headerCoolAtMost = 10 * time.Second
