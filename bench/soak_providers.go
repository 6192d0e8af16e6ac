package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"gateway/internal/fakeupstream"
)

// providerNames are the simulated ones, cheapest first.
var providerNames = []string{"first", "second", "third"}

// picodollars per token of each, in and out.
var providerPrices = [][2]int64{{100_000, 400_000}, {200_000, 800_000}, {300_000, 1_200_000}}

// billsFull says who charges for a whole answer when the caller leaves, and is
// configured so; the others stop.
var billsFull = []bool{false, true, false}

// providersAtHand are providers that have incidents when told to.
type providersAtHand struct {
	all  []*fakeupstream.Server
	turn time.Duration // of each at being ill

	mu     sync.Mutex
	begun  time.Time // of the incidents; zero: none
	random *rand.Rand
}

func startProviders(turn time.Duration) (*providersAtHand, error) {
	p := &providersAtHand{turn: turn, random: rand.New(rand.NewPCG(3, 5))}
	for i := range providerNames {
		one, err := fakeupstream.Start(fakeupstream.Config{
			Kind: fakeupstream.OpenAI, BillsInFull: billsFull[i], Tokens: 40, Gap: 150 * time.Millisecond, Seed: uint64(i),
			First:  fakeupstream.Delay{Median: 150 * time.Millisecond, Sigma: 0.5},
			Script: func(fakeupstream.Seen) fakeupstream.Step { return p.step(i, time.Now()) },
		})
		if err != nil {
			return nil, errors.Join(err, p.stop())
		}
		p.all = append(p.all, one)
	}
	return p, nil
}

func (p *providersAtHand) stop() error {
	var err error
	for _, one := range p.all {
		err = errors.Join(err, one.Close())
	}
	return err
}

// misbehave begins the incidents; the zero time ends them.
func (p *providersAtHand) misbehave(from time.Time) {
	p.mu.Lock()
	p.begun = from
	p.mu.Unlock()
}

// soakFaults are what a provider does to all calls for a while, by turns.
var soakFaults = []fakeupstream.Fault{
	fakeupstream.Overloaded, fakeupstream.StallFirst, fakeupstream.Reset, fakeupstream.Truncated, fakeupstream.RateLimited,
	fakeupstream.StallMidway, fakeupstream.ServerError, fakeupstream.ErrorMidway, fakeupstream.BlackHole, fakeupstream.Garbage,
}

// step gives one call in fifty some fault at any time, and all calls of one provider the
// same fault during a third of its turn. At least one provider is well.
func (p *providersAtHand) step(provider int, now time.Time) fakeupstream.Step {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.begun.IsZero() {
		return fakeupstream.Step{}
	}
	age := now.Sub(p.begun)
	turn, at := int(age/p.turn), age%p.turn
	if turn%len(p.all) == provider && at > p.turn/6 && at < p.turn/2 {
		return fakeupstream.Step{Fault: soakFaults[turn%len(soakFaults)]}
	}
	if p.random.IntN(50) == 0 {
		return fakeupstream.Step{Fault: soakFaults[p.random.IntN(len(soakFaults))]}
	}
	return fakeupstream.Step{}
}

// config is a providers.json of them.
func (p *providersAtHand) config() []byte {
	text := `{"providers": {`
	for i, name := range providerNames {
		if i > 0 {
			text += ","
		}
		text += fmt.Sprintf(`%q: {"kind": "openai_compatible", "env_key": "BENCH_API_KEY", "base_url": %q, "default_model": "bench-model", "bills": %q,
			"pricing": {"input_usd_per_mtok": %g, "output_usd_per_mtok": %g}}`,
			name, p.all[i].Base(), map[bool]string{true: "full", false: "seen"}[billsFull[i]], float64(providerPrices[i][0])/1e6, float64(providerPrices[i][1])/1e6)
	}
	return []byte(text + `}, "auto_priority": ["first", "second", "third"]}`)
}
