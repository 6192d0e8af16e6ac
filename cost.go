package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"
)

// At gives the rates of a request with a prompt of so many tokens, begun at that time.
// A scheduled change replaces the base; an hour window replaces that; a tier by
// prompt length reprices the whole request.
func (t *Tariff) At(prompt int, at time.Time) Rates {
	rates := t.Base
	for _, s := range t.Scheduled {
		if !at.Before(s.From) {
			rates = s.Rates
		}
	}
	for i := range t.Windows {
		if t.Windows[i].covers(at) {
			rates = t.Windows[i].Rates
			break
		}
	}
	for _, tier := range t.Tiers {
		if prompt > tier.PromptAbove {
			rates = tier.Rates
		}
	}
	return rates
}

func (w *Window) covers(at time.Time) bool {
	utc := at.UTC()
	local := utc.Add(w.DayShift)
	if len(w.Days) > 0 && !slices.Contains(w.Days, local.Weekday()) {
		return false
	}
	if slices.Contains(w.Except, local.Format(time.DateOnly)) {
		return false
	}
	minute := utc.Hour()*60 + utc.Minute()
	for _, s := range w.Spans {
		if minute >= s.From && minute < s.To {
			return true
		}
	}
	return false
}

// Picos is the exact cost of a usage at these rates, in picodollars.
func (r Rates) Picos(u Usage) int64 {
	return int64(u.Fresh)*int64(r.Input) +
		int64(u.CachedRead)*int64(r.CachedRead) +
		int64(u.CacheWrite5m)*int64(r.CacheWrite5m) +
		int64(u.CacheWrite1h)*int64(r.CacheWrite1h) +
		int64(u.Output)*int64(r.Output)
}

// Cost is ⌈Σ tokens × price / 10,000⌉ microcents: summed exactly and rounded up once
// per attempt, so that a row never under-counts and a total is the plain sum of its
// rows. What the provider says it charged replaces the tariff.
func (t *Tariff) Cost(u Usage, at time.Time) Microcents {
	if u.HasBilled {
		return u.Billed
	}
	return RoundUp(t.At(u.Prompt(), at).Picos(u))
}

// Identify gives the price list its ID: a hash of everything else in it, so that the
// same prices have the same ID and other prices another.
func (t *Tariff) Identify() {
	text, err := json.Marshal(t)
	if err != nil {
		panic(err) // a struct of numbers and strings can always be written
	}
	sum := sha256.Sum256(text)
	t.ID = hex.EncodeToString(sum[:16])
}

// RoundUp turns picodollars into microcents, never under-counting.
func RoundUp(picos int64) Microcents {
	return Microcents((picos + PicosPerMicrocent - 1) / PicosPerMicrocent)
}
