package route

import (
	"time"

	"gateway"
)

// health is what the router has learned about one model.
type health struct {
	live, long *sketch
	class      [classes]*sketch // by prompt size
	base       *baseline
	outcomes   outcomes
	demotion   demotion
	window     time.Duration
	strikes    float64 // races that failed here lately, less a tenth for each answer
}

// Limits of the races to one target that is failing: no more after this many failures in a
// row, and ten answers make up for one. Source: routing reference section 1, after gRPC's
// A6 (10 tokens, ratio 0.1, none below half).
const (
	strikesMost = 10
	strikesStop = 5
	strikesHeal = 0.1
)

// struck notes that a race to this model failed.
func (h *health) struck() { h.strikes = min(h.strikes+1, strikesMost) }

// healed notes that it answered.
func (h *health) healed() { h.strikes = max(h.strikes-strikesHeal, 0) }

// raceable says whether races may still go here.
func (h *health) raceable() bool { return h.strikes < strikesStop }

const classes = 4

// classOf sorts prompts by estimated tokens: under 2k, 8k, 32k, more.
func classOf(promptTokens int) int {
	switch {
	case promptTokens < 2_000:
		return 0
	case promptTokens < 8_000:
		return 1
	case promptTokens < 32_000:
		return 2
	}
	return 3
}

// enough is the number of samples from which a window speaks for itself.
const enough = 50

func newHealth(t *Times) *health {
	h := &health{live: newSketch(t.LiveWindow), long: newSketch(t.LongWindow), base: newBaseline(t.BaselinePeriod), window: t.LiveWindow}
	return h
}

func (h *health) observe(now time.Time, class int, ttft time.Duration, well bool) {
	h.live.add(now, ttft)
	h.long.add(now, ttft)
	if h.class[class] == nil {
		h.class[class] = newSketch(h.window)
	}
	h.class[class].add(now, ttft)
	if well {
		h.base.add(now, ttft)
	}
}

// quantile is the best estimate there is for a prompt of this class: its own window,
// else all prompts of the last minute, else of the last five. ok is false while even
// that has too few samples.
func (h *health) quantile(now time.Time, class int, q float64) (d time.Duration, ok bool) {
	if s := h.class[class]; s != nil {
		if d, n := s.quantile(now, q); n >= enough {
			return d, true
		}
	}
	if d, n := h.live.quantile(now, q); n >= enough {
		return d, true
	}
	d, n := h.long.quantile(now, q)
	return d, n >= enough
}

// typical is what a call takes now: the live p75, or 1.5 times the baseline's median
// while there are few samples; 0 when nothing is known.
func (h *health) typical(now time.Time) time.Duration {
	if d, n := h.live.quantile(now, 0.75); n >= 20 {
		return d
	}
	return h.base.m50 * 3 / 2
}

// outcomes are the last 50 outcomes of a model, for slowness; the breaker keeps its
// own for failures.
type outcomes struct {
	at   [50]time.Time
	what [50]verdict
	n    int
}

type verdict uint8

const (
	fine verdict = iota
	slow
	failed
)

func (o *outcomes) add(now time.Time, v verdict) {
	i := o.n % len(o.at)
	o.at[i], o.what[i] = now, v
	o.n++
}

// share is the part of recent outcomes that are slow or failed, and how many there are.
func (o *outcomes) share(now time.Time, age time.Duration) (float64, int) {
	n, bad := 0, 0
	for i := range min(o.n, len(o.at)) {
		if now.Sub(o.at[i]) > age {
			continue
		}
		n++
		if o.what[i] != fine {
			bad++
		}
	}
	if n == 0 {
		return 0, 0
	}
	return float64(bad) / float64(n), n
}

// demotion rests a slow model: it keeps its place in the order but is passed over for
// one that is faster now and not too dear. One live request at a time tests it.
type demotion struct {
	on      bool
	until   time.Time
	rest    time.Duration
	probing uint64    // the number of the call that tests it; 0: none does
	good    int       // probes in a row
	since   time.Time // of the first of the demotions in a row
}

// demoteNeeds is the number of outcomes before their share counts.
const demoteNeeds = 20

// record notes an outcome and says whether the model has just been demoted.
func (h *health) record(now time.Time, v verdict, t *Times) bool {
	h.outcomes.add(now, v)
	share, n := h.outcomes.share(now, t.OutcomeAge)
	if n < demoteNeeds {
		return false
	}
	if h.demotion.on {
		// It is still used because nothing better exists, and has become well again.
		if share < t.RestoreShare {
			h.demotion = demotion{}
		}
		return false
	}
	if share < t.DemoteShare {
		return false
	}
	h.demote(now, t)
	return true
}

func (h *health) demote(now time.Time, t *Times) {
	rest := min(max(2*h.demotion.rest, t.DemoteFor), t.DemoteAtMost)
	since := h.demotion.since
	if !h.demotion.on {
		since = now
	}
	h.outcomes.n = 0
	if now.Sub(since) >= t.Rebaseline && h.rebase(now) {
		h.demotion = demotion{}
		return
	}
	h.demotion = demotion{on: true, rest: rest, until: now.Add(rest), since: since}
}

// rebase takes what the model does now as its new normal: after so long a slowness
// it is no incident but how the provider is.
func (h *health) rebase(now time.Time) bool {
	p95, n := h.long.quantile(now, 0.95)
	if n < 3 {
		return false
	}
	p50, _ := h.long.quantile(now, 0.5)
	h.base.p95, h.base.p50 = append(h.base.p95[:0], p95), append(h.base.p50[:0], p50)
	h.base.m95, h.base.m50 = p95, p50
	return true
}

// probed notes how a testing call ended.
func (h *health) probed(now time.Time, v verdict, t *Times) {
	if !h.demotion.on {
		return
	}
	if v != fine {
		h.demote(now, t)
		return
	}
	if h.demotion.good++; h.demotion.good >= 3 {
		h.demotion = demotion{}
		h.outcomes.n = 0
	}
}

// GateView is what the router sees of a model's gate. It is advice: the gate itself
// decides when the attempt asks.
type GateView struct {
	Closed bool // a call would be let through and is not a probe
	Shut   bool // open, cooling or misconfigured: no call would be let through
	Tight  bool // no hedge should go here
	// Wait is the time until a call would be let through, as far as that is known.
	Wait time.Duration
}

// Model returns what people may see of a model.
func (f *Fleet) Model(now time.Time, m *gateway.Model) gateway.ModelStatus {
	h := f.of(m)
	p50, _ := h.live.quantile(now, 0.5)
	p95, _ := h.live.quantile(now, 0.95)
	return gateway.ModelStatus{Model: m.Name, P50: p50, P95: p95, Baseline: h.base.m95, Demoted: h.demotion.on, HedgeBucket: f.hedges}
}
