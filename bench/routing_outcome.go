package main

import (
	"fmt"
	"slices"
	"time"

	"gateway/internal/fakeupstream"
)

// outcome is what one run came to. Times are in simulated seconds, shares in per cent.
type outcome struct {
	Scenario string `json:"scenario"`
	Policy   string `json:"policy"`
	Seed     uint64 `json:"seed"`

	Requests int     `json:"requests"`
	P50      float64 `json:"p50_s"`
	P95      float64 `json:"p95_s"`
	P99      float64 `json:"p99_s"`
	P999     float64 `json:"p999_s"`
	Mean     float64 `json:"mean_s"`
	Success  float64 `json:"success_percent"`
	Hedges   int     `json:"hedges"`
	Extra    float64 `json:"extra_attempts_percent"`
	Waste    float64 `json:"wasted_cost_percent"`
	Cost     int64   `json:"cost_picodollars"`
	LeftHole float64 `json:"left_hole_after_s,omitempty"` // black hole: until calls to it stop

	GatewayCPU float64 `json:"gateway_cpu_cores"`
	LoadLate   float64 `json:"load_late_p99_ms"` // how late the generator was, in real time
	SiteLate   float64 `json:"site_late_p99_ms"` // how late a provider's timer was

	Failures map[string]int `json:"failures,omitempty"` // by what clients were told

	calls    []seen
	first    []float64 // sorted
	calm     float64   // p95 of the time to first content before any spell began
	answered int
}

// late is how far the machine itself was behind, in real milliseconds.
func (r *outcome) late() float64 { return max(r.LoadLate, r.SiteLate) }

func (r *outcome) line() string {
	return fmt.Sprintf("p50 %.2f p95 %.2f p99 %.2f p99.9 %.1f s, %.3f %% answered, %d hedges, %.1f %% extra, %.1f %% wasted, cost %d µ$; gateway %.2f cores, late by %.0f and %.0f ms",
		r.P50, r.P95, r.P99, r.P999, r.Success, r.Hedges, r.Extra, r.Waste, r.Cost/1_000_000, r.GatewayCPU, r.LoadLate, r.SiteLate)
}

func simulatedSeconds(d time.Duration) float64 { return d.Seconds() / scale }

// judge works the figures out of what clients and providers saw. What warmed up does
// not count.
func (r *outcome) judge(w *weathers, warming int, spells []fakeupstream.Spell, offset time.Duration) {
	r.Requests = len(r.calls)
	var late, before []float64
	sum := 0.0
	for _, c := range r.calls {
		first := simulatedSeconds(givenUp)
		if c.err != nil {
			if r.Failures == nil {
				r.Failures = map[string]int{}
			}
			r.Failures[plainly(c.err).Error()]++
		} else {
			r.answered++
			first = simulatedSeconds(c.first)
		}
		if c.hedged {
			r.Hedges++
		}
		sum += first
		r.first = append(r.first, first)
		if len(spells) == 0 || simulatedSeconds(c.due) < (offset+spells[0].From).Seconds() {
			before = append(before, first)
		}
		late = append(late, c.late.Seconds()*1000)
	}
	slices.Sort(r.first)
	slices.Sort(late)
	slices.Sort(before)
	r.calm = quantile(before, 0.95)
	r.P50, r.P95, r.P99, r.P999 = quantile(r.first, 0.5), quantile(r.first, 0.95), quantile(r.first, 0.99), quantile(r.first, 0.999)
	r.Mean, r.LoadLate = sum/float64(len(r.first)), quantile(late, 0.99)
	r.Success = 100 * float64(r.answered) / float64(r.Requests)
	r.bill(w, warming)
	if len(spells) == 1 && spells[0].Regime == fakeupstream.Hole {
		r.LeftHole = leftHole(w.weather[0], spells[0], offset)
	}
}

// bill adds up what the providers charge. Wasted is what was paid for calls that did not
// serve the caller: all but the last whole answer of each request.
func (r *outcome) bill(w *weathers, warming int) {
	var late []float64
	var served int64
	visits := 0
	for i, one := range w.weather {
		for _, v := range one.Visits() {
			if v.Request < warming {
				continue
			}
			visits++
			late = append(late, v.Late.Seconds()*1000)
			cost := int64(v.Prompt)*sites[i].in + int64(v.Output)*sites[i].out
			r.Cost += cost
			if v.Whole {
				served += cost
			}
		}
	}
	slices.Sort(late)
	r.SiteLate = quantile(late, 0.99)
	r.Extra = 100 * float64(visits-r.Requests) / float64(r.Requests)
	if served > 0 {
		r.Waste = 100 * float64(r.Cost-served) / float64(served)
	}
}

// leftHole is the time from the begin of a black hole until calls to it stop: until
// nothing has come for a second. What comes later are single probes.
func leftHole(w *fakeupstream.Weather, spell fakeupstream.Spell, offset time.Duration) float64 {
	from, to := offset+spell.From, offset+spell.To
	var at []time.Duration
	for _, v := range w.Visits() {
		if since := w.Since(v.At); since >= from && since < to {
			at = append(at, since)
		}
	}
	slices.Sort(at)
	last := from
	for _, t := range at {
		if t-last > time.Second {
			break
		}
		last = t
	}
	return (last - from).Seconds()
}

func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// why gives the first errors.
func (r *outcome) why() string {
	for _, c := range r.calls {
		if c.err != nil {
			return c.err.Error()
		}
	}
	return "without an error"
}
