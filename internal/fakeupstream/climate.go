package fakeupstream

import (
	"math"
	"math/rand/v2"
	"time"
)

// Climate is how a simulated provider behaves by chance: how long it takes, how often it
// fails, and through what spells of trouble it goes. What it draws for a call depends on
// the seed and the call alone, so that two gateways which make the same calls meet the
// same provider. Times are those of a real provider; Weather may compress them.
type Climate struct {
	First    time.Duration // median time to first content of a small prompt
	FirstP99 time.Duration
	Prefill  float64 // prompt tokens per second, added to the time to first content
	Speed    float64 // median output tokens per second

	Errors float64 // share of calls that fail fast
	Stalls float64 // share of calls whose first content never comes
	Breaks float64 // share of calls that die in the middle of the answer

	Spells []Spell // in order of time
}

// Regime is what goes on at a provider.
type Regime uint8

// The regimes.
const (
	Fair     Regime = iota
	BrownOut        // times to first content are Strength times as long
	Errors          // the share Strength of the calls fails fast
	Storm           // the share Strength of the calls is answered 429 with a Retry-After
	Down            // connections are reset at once
	Hole            // nothing ever comes back
)

// Spell is a time of trouble, counted from the beginning of the weather.
type Spell struct {
	From, To time.Duration
	Regime   Regime
	Strength float64
}

// Attempt names one attempt of one request at one provider.
type Attempt struct {
	Seed               uint64
	Request, Site, Try int
	Prompt, Output     int // tokens
}

// Fate is what becomes of a call.
type Fate struct {
	Status     int           // 200, 429, 500, or 0: the connection is reset
	Wait       time.Duration // until the first content, or until the failure
	Never      bool          // nothing comes
	RetryAfter time.Duration // with 429
	Decode     time.Duration // from the first content to the end
	Breaks     float64       // the share of Decode after which it dies; 0: it does not
}

// At says what goes on at a moment.
func (c *Climate) At(at time.Duration) Spell {
	for _, s := range c.Spells {
		if s.From <= at && at < s.To {
			return s
		}
	}
	return Spell{Strength: 1}
}

// Draw decides the fate of a call that arrives at a moment.
func (c *Climate) Draw(call Attempt, at time.Duration) Fate {
	r := Random(call.Seed, uint64(call.Request), uint64(call.Site), uint64(call.Try))
	spell := c.At(at)
	switch spell.Regime {
	case Down:
		return Fate{Wait: seconds(0.02 + 0.1*r.Float64())}
	case Hole:
		return Fate{Status: 200, Never: true}
	case Errors:
		if r.Float64() < spell.Strength {
			return fastFailure(r)
		}
	case Storm:
		if r.Float64() < spell.Strength {
			return Fate{Status: 429, Wait: seconds(0.08 + 0.1*r.Float64()), RetryAfter: seconds(2 + 8*r.Float64())}
		}
	}
	luck := r.Float64()
	if luck < c.Errors {
		return fastFailure(r)
	}
	wait := LogNormal(r, c.First.Seconds(), Sigma(c.First.Seconds(), c.FirstP99.Seconds()))
	if spell.Regime == BrownOut {
		wait *= spell.Strength
	}
	f := Fate{Status: 200, Wait: seconds(wait + float64(call.Prompt)/c.Prefill), Never: luck > 1-c.Stalls}
	f.Decode = seconds(float64(call.Output) / LogNormal(r, c.Speed, 0.25))
	if r.Float64() < c.Breaks {
		f.Breaks = max(0.01, r.Float64())
	}
	return f
}

func fastFailure(r *rand.Rand) Fate { return Fate{Status: 500, Wait: seconds(LogNormal(r, 0.4, 0.8))} }

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// Random is a source that depends on its parts alone.
func Random(parts ...uint64) *rand.Rand {
	key := uint64(0x9e3779b97f4a7c15)
	for _, p := range parts {
		key = mix(key ^ (p + 0x9e3779b97f4a7c15 + key<<6 + key>>2))
	}
	return rand.New(rand.NewPCG(key, mix(key)))
}

func mix(a uint64) uint64 {
	a = (a ^ a>>30) * 0xbf58476d1ce4e5b9
	a = (a ^ a>>27) * 0x94d049bb133111eb
	return a ^ a>>31
}

// Sigma is that of the lognormal distribution with this median and this p99.
func Sigma(median, p99 float64) float64 {
	const z99 = 2.3263478740408408 // the p99 of the standard normal distribution
	return math.Log(p99/median) / z99
}

// LogNormal draws from the lognormal distribution.
func LogNormal(r *rand.Rand, median, sigma float64) float64 {
	return median * math.Exp(sigma*r.NormFloat64())
}
