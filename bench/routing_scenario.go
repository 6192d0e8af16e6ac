package main

import (
	"math/rand/v2"
	"time"

	"gateway/internal/fakeupstream"
)

// scenario is what happens to the providers in a run.
type scenario struct {
	name  string
	title string
	// spells are those of one provider. horizon is the length of the run that counts, in
	// simulated time; spells begin no earlier than the run does.
	spells func(seed uint64, site int, horizon time.Duration) []fakeupstream.Spell
}

// scenarios are those of the routing reference, section 8. Trouble there comes for 120 s
// of every 900 s (60 for the black hole, 180 where everything is slow); a run is shorter
// and has it once, for the same share of its time.
var scenarios = []scenario{
	{"steady", "nothing special", func(uint64, int, time.Duration) []fakeupstream.Spell { return nil }},
	{"incidents", "random incidents at all providers", incidents},
	{"brownout", "the primary answers 8 times as slowly", primary(120, fakeupstream.BrownOut, 8)},
	{"blackhole", "the primary swallows everything", primary(60, fakeupstream.Hole, 0)},
	{"storm429", "the primary answers 90 % of calls with 429", primary(120, fakeupstream.Storm, 0.9)},
	{"errors", "half of the primary's calls fail fast", primary(120, fakeupstream.Errors, 0.5)},
	{"allslow", "every provider answers 4 times as slowly", everybody(180, fakeupstream.BrownOut, 4)},
}

func scenarioNames() []string {
	var names []string
	for _, s := range scenarios {
		names = append(names, s.name)
	}
	return names
}

func once(horizon time.Duration, of900 float64, regime fakeupstream.Regime, strength float64) []fakeupstream.Spell {
	from := horizon * 2 / 5
	return []fakeupstream.Spell{{From: from, To: from + time.Duration(of900/900*float64(horizon)), Regime: regime, Strength: strength}}
}

func primary(of900 float64, regime fakeupstream.Regime, strength float64) func(uint64, int, time.Duration) []fakeupstream.Spell {
	return func(_ uint64, site int, horizon time.Duration) []fakeupstream.Spell {
		if site > 0 {
			return nil
		}
		return once(horizon, of900, regime, strength)
	}
}

func everybody(of900 float64, regime fakeupstream.Regime, strength float64) func(uint64, int, time.Duration) []fakeupstream.Spell {
	return func(_ uint64, _ int, horizon time.Duration) []fakeupstream.Spell {
		return once(horizon, of900, regime, strength)
	}
}

// incidents is trouble of every kind at every provider, one per provider and 12 minutes in
// the mean. A run is shorter than that, so it is the stretch of a longer history in which
// the primary's first trouble begins after two fifths of it.
func incidents(seed uint64, site int, horizon time.Duration) []fakeupstream.Spell {
	const history = 6 * time.Hour
	begin := -horizon * 2 / 5
	if first := drawIncidents(seed, 0, history); len(first) > 0 {
		begin += first[0].From
	}
	var all []fakeupstream.Spell
	for _, s := range drawIncidents(seed, site, history) {
		s.From, s.To = max(0, s.From-begin), s.To-begin
		if s.To > 0 && s.From < horizon {
			all = append(all, s)
		}
	}
	return all
}

func drawIncidents(seed uint64, site int, history time.Duration) []fakeupstream.Spell {
	r := fakeupstream.Random(seed, 7777, uint64(site))
	span := func(least, mean float64) time.Duration {
		return time.Duration((least + mean*r.ExpFloat64()) * float64(time.Second))
	}
	var all []fakeupstream.Spell
	for at := span(0, 720); at < history; at = all[len(all)-1].To + span(0, 720) {
		s := fakeupstream.Spell{From: at}
		switch pick(r, 0.35, 0.25, 0.20, 0.10, 0.10) {
		case 0:
			s.Regime, s.Strength, s.To = fakeupstream.BrownOut, 3+7*r.Float64(), at+span(30, 60)
		case 1:
			s.Regime, s.Strength, s.To = fakeupstream.Errors, 0.2+0.6*r.Float64(), at+span(10, 30)
		case 2:
			s.Regime, s.Strength, s.To = fakeupstream.Storm, 0.5+0.5*r.Float64(), at+span(15, 45)
		case 3:
			s.Regime, s.To = fakeupstream.Down, at+span(30, 60)
		default:
			s.Regime, s.To = fakeupstream.Hole, at+span(20, 40)
		}
		all = append(all, s)
	}
	return all
}

func pick(r *rand.Rand, weights ...float64) int {
	u := r.Float64()
	for i, w := range weights {
		if u < w {
			return i
		}
		u -= w
	}
	return len(weights) - 1
}

// site is one of the four providers, in the order of their prices.
type site struct {
	name    string
	in, out int64 // picodollars per token: 100,000 is $0.10 for a million
	climate fakeupstream.Climate
}

// sites are those of the simulation behind the routing reference: prices of the order of
// small and large hosted models, times to first content with a long tail.
var sites = []site{
	{"cheap-a", 100_000, 400_000, climate(500, 5000, 40_000, 90)},
	{"cheap-b", 150_000, 600_000, climate(500, 3000, 40_000, 80)},
	{"mid", 270_000, 1_100_000, climate(900, 8000, 30_000, 60)},
	{"dear", 3_000_000, 15_000_000, climate(800, 6000, 40_000, 70)},
}

func climate(median, p99 int, prefill, speed float64) fakeupstream.Climate {
	return fakeupstream.Climate{
		First: time.Duration(median) * time.Millisecond, FirstP99: time.Duration(p99) * time.Millisecond,
		Prefill: prefill, Speed: speed, Errors: 0.004, Stalls: 0.005, Breaks: 0.001,
	}
}

// arrival is one request of the workload.
type arrival struct {
	due            time.Duration // after the begin, in real time
	prompt, output int           // tokens
	stream         bool
}

// workload draws the requests of a seed: Poisson arrivals, lognormal sizes, 60 % streams.
func workload(seed uint64, n int, rate float64) []arrival {
	r := fakeupstream.Random(seed, 42)
	all := make([]arrival, n)
	at := 0.0
	for i := range all {
		at += r.ExpFloat64() / rate
		all[i] = arrival{
			due:    time.Duration(at * float64(time.Second)),
			prompt: int(min(120_000, fakeupstream.LogNormal(r, 1500, fakeupstream.Sigma(1500, 24_000)))),
			output: int(max(1, min(8000, fakeupstream.LogNormal(r, 220, fakeupstream.Sigma(220, 1800))))),
			stream: r.Float64() < 0.6,
		}
	}
	return all
}
