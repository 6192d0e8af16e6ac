package route

import (
	"time"

	"gateway"
)

// next chooses the candidate to try now: the cheapest that is well. A slow one is
// passed over only for one that is clearly faster now and not too dear; when every
// affordable one is slow, the least slow serves, and nothing moves to a dear model
// because of slowness alone.
func (w *Walk) next(now time.Time) (int, bool) {
	if w.rules.NoFallback && w.attempts > w.rules.Numbered {
		return 0, false
	}
	if w.sent > len(w.cands) { // one more than there are candidates is the most
		return 0, false
	}
	if w.rules.Demote {
		if i, ok := w.nextWell(now); ok {
			return i, ok
		}
	}
	for i := range w.cands {
		if w.open(i) && !w.fleet.Gate(w.cands[i].Model).Shut {
			return i, true
		}
	}
	for i := range w.cands { // the gate has the last word; its refusal tells when to come back
		if w.open(i) {
			return i, true
		}
	}
	return 0, false
}

func (w *Walk) nextWell(now time.Time) (int, bool) {
	slowest, found := w.leastSlow(&w.cands[0], false, now)
	for i := range w.cands {
		c := &w.cands[i]
		if !w.open(i) || !affordable(&w.cands[0], c, w.fleet.Times.PriceRatio) || w.fleet.Gate(c.Model).Shut {
			continue
		}
		h := w.fleet.at(c)
		if h.demotion.on && !h.demotion.rested(now) {
			continue
		}
		if !h.demotion.on && found && i > slowest && h.typical(now)*5 > w.fleet.at(&w.cands[slowest]).typical(now)*4 {
			continue // dearer than the slow one and not clearly faster
		}
		return i, true
	}
	return slowest, found
}

// leastSlow is the quickest of the affordable candidates that are only slow. One that is
// to be raced must have room besides, time to answer, and no breaker that tests it.
func (w *Walk) leastSlow(than *Candidate, race bool, now time.Time) (int, bool) {
	best, found, quickest := 0, false, time.Duration(0)
	left := w.rules.Deadline.Sub(now)
	for i := range w.cands {
		c := &w.cands[i]
		h := w.fleet.at(c)
		if !w.open(i) || !h.demotion.on || !affordable(than, c, w.fleet.Times.PriceRatio) {
			continue
		}
		if g := w.fleet.Gate(c.Model); g.Shut || race && (!g.Closed || g.Tight || w.state[i] == dropped || left < 2*h.base.m50 || !h.raceable()) {
			continue
		}
		if d := h.typical(now); !found || d < quickest {
			best, found, quickest = i, true, d
		}
	}
	return best, found
}

// open says whether a candidate may still be asked by this request.
func (w *Walk) open(i int) bool {
	c := &w.cands[i]
	switch {
	case w.state[i] == inUse || w.state[i] == spent || w.state[i] == full:
		return false
	case w.state[i] == shut && !w.fleet.Gate(c.Model).Closed:
		return false
	case w.needWindow > 0 && c.Model.Context > 0 && c.Model.Context <= w.needWindow:
		return false
	case w.rules.MaxCost > 0 && (!c.Priced || c.Expected > w.rules.MaxCost):
		return false
	}
	return true
}

// hedge sends a second attempt after a late one, if the budgets and a target allow it.
// Otherwise it looks again later: those that wait longest get the next token.
func (w *Walk) hedge(i int, now time.Time) {
	f := &w.flying[i]
	waited := f.waited(now)
	f.hedgeAt = time.Time{}
	if w.pushed || w.hedges >= w.rules.MaxHedges || w.anyContent() || w.sent > len(w.cands) {
		return
	}
	target, ok := w.hedgeTarget(f.cand, now)
	if ok {
		paid := price{}
		if !f.probe { // the call that tests a sick model never makes its caller pay for the test
			paid, ok = w.fleet.spend(w.hedgeCost(f.cand, target), waited, f.delay)
		}
		if ok {
			w.hedges++
			w.start(target, gateway.Hedge, now).paid = paid
			return
		}
	}
	if now.Sub(w.begun) < w.fleet.giveUp(&w.cands[f.cand], f.delay) {
		f.hedgeAt = now.Add(max(w.fleet.Times.HedgeLeast, f.delay/2))
	}
}

// hedgeTarget is the cheapest other candidate that is well, not nearly full and not
// too dear, and that has a chance to answer before the deadline.
func (w *Walk) hedgeTarget(late int, now time.Time) (int, bool) {
	left := w.rules.Deadline.Sub(now)
	for i := range w.cands {
		c := &w.cands[i]
		if !w.open(i) || w.state[i] == dropped || !affordable(&w.cands[late], c, w.fleet.Times.PriceRatio) {
			continue
		}
		g, h := w.fleet.Gate(c.Model), w.fleet.at(c)
		if !g.Closed || g.Tight || h.demotion.on || left < 2*h.base.m50 || !h.raceable() {
			continue
		}
		return i, true
	}
	if w.rules.Demote {
		return w.leastSlow(&w.cands[late], true, now)
	}
	return 0, false
}

// hedgeCost is the expected extra money: the prompt is paid twice; the answer once, at
// the winner's price, where cutting stops the meter, and twice where it does not, or where
// one of the two is a plain call and the whole answer decides. A hedge wins about six times in ten. Source:
// routing reference section 1.
func (w *Walk) hedgeCost(late, target int) float64 {
	const wins = 0.6
	a, b := &w.cands[late], &w.cands[target]
	answerA, answerB := float64(a.Expected-a.Prompt), float64(b.Expected-b.Prompt)
	cost := float64(b.Prompt) + wins*(answerB-answerA)
	whole := a.Plain || b.Plain
	if whole || b.Model.Bills == gateway.BillsInFull {
		cost += (1 - wins) * answerB
	}
	if whole || a.Model.Bills == gateway.BillsInFull {
		cost += wins * answerA
	}
	return max(0, cost)
}

// price is what a race took from the buckets: one hedge, and its expected extra money.
type price struct{ hedges, money float64 }

// spend takes a hedge from both buckets. The last fifth of the hedges is for calls
// that have waited 1.4 times the delay; the money may be overdrawn by one that has
// waited 1.9 times. One that is forced at once has waited for nothing.
func (f *Fleet) spend(cost float64, waited, delay time.Duration) (price, bool) {
	need := 1.0
	if waited*10 <= delay*14 {
		need += 0.2 * f.Times.HedgeBurst
	}
	if f.hedges < need || cost > f.money && waited*10 <= delay*19 {
		return price{}, false
	}
	f.hedges--
	f.money -= cost
	return price{1, cost}, true
}

// refund gives back what a race paid that did not leave.
func (f *Fleet) refund(p price) {
	f.hedges = min(f.hedges+p.hedges, f.Times.HedgeBurst)
	f.money += p.money
}
