package route

import (
	"slices"
	"time"

	"gateway"
)

// Candidate is a model that may serve a request, with what that is expected to cost.
type Candidate struct {
	Model    *gateway.Model
	Prompt   gateway.Microcents // expected cost of the prompt
	Expected gateway.Microcents // of prompt and answer
	Priced   bool
	Plain    bool          // asked without a stream: its first content is its whole answer
	Long     time.Duration // with Plain: the longest that an answer of more than seconds may take; 0: none is so long
	Usual    time.Duration // with Long: what the model's answers take in the mean
	Limit    time.Duration // configured limit on time to first content; 0: learned
	OnBreak  string        // stream_failure of the provider

	known *health // of its way, once looked up: they are never replaced
}

// expectedAnswer is how many tokens of answer the order assumes when the client set
// no bound, as in the simulation behind the routing reference.
const expectedAnswer = 400

// Expect computes what a request of so many prompt tokens is expected to cost at a model.
// cached is the part of the prompt that the model's cache is expected to hold.
func Expect(m *gateway.Model, promptTokens, cached, maxTokens int, now time.Time) Candidate {
	c := Candidate{Model: m}
	if m.Tariff == nil {
		return c
	}
	answer := expectedAnswer
	if maxTokens > 0 {
		answer = min(answer, maxTokens)
	}
	c.Priced = true
	rates := m.Tariff.At(promptTokens, now)
	prompt := gateway.Usage{Fresh: promptTokens - cached, CachedRead: cached}
	c.Prompt = gateway.RoundUp(rates.Picos(prompt))
	prompt.Output = answer
	c.Expected = gateway.RoundUp(rates.Picos(prompt))
	return c
}

// Order sorts candidates cheapest first; those without a price come last, and equal
// ones keep the order of the configuration.
func Order(cands []Candidate) {
	slices.SortStableFunc(cands, func(a, b Candidate) int {
		switch {
		case a.Priced != b.Priced:
			if a.Priced {
				return -1
			}
			return 1
		case a.Expected < b.Expected:
			return -1
		case a.Expected > b.Expected:
			return 1
		}
		return 0
	})
}

// Affordable says whether b is not more than ratio times as dear as a. A model without
// a price is never an alternative to one that has one. Ratio 0 means no limit.
func affordable(a, b *Candidate, ratio float64) bool {
	if ratio <= 0 {
		return true
	}
	if b.Priced != a.Priced {
		return !a.Priced
	}
	return float64(b.Expected) <= ratio*float64(a.Expected)
}
