package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"gateway/internal/fakeupstream"
)

// givenUp is what a failed request counts as in the times to first content: the time a
// caller would have waited for it, in real time.
const givenUp = 12 * time.Second

// weathers are the four simulated providers of a run.
type weathers struct {
	servers []*fakeupstream.Server
	weather []*fakeupstream.Weather
}

func (w *weathers) stop() {
	for _, s := range w.servers {
		s.Close()
	}
}

func startWeathers(sc scenario, seed uint64, warm, length time.Duration) (*weathers, error) {
	w := &weathers{}
	simulated := func(d time.Duration) time.Duration { return time.Duration(float64(d) / scale) }
	for i, site := range sites {
		one := &fakeupstream.Weather{Climate: site.climate, Seed: seed, Site: i, Scale: scale}
		for _, spell := range sc.spells(seed, i, simulated(length)) {
			spell.From += simulated(warm)
			spell.To += simulated(warm)
			one.Climate.Spells = append(one.Climate.Spells, spell)
		}
		server, err := fakeupstream.Start(fakeupstream.Config{Weather: one})
		if err != nil {
			w.stop()
			return nil, err
		}
		w.servers, w.weather = append(w.servers, server), append(w.weather, one)
	}
	return w, nil
}

// providersJSON is the configuration of a run. The times that are not learned are a
// tenth of what they would be for real.
func providersJSON(w *weathers, p policy) []byte {
	var entries []string
	dollars := func(picos int64) string { return fmt.Sprintf("%d.%06d", picos/1_000_000, picos%1_000_000) }
	for i, site := range sites {
		entries = append(entries, fmt.Sprintf(
			`    %q: {"kind": "openai_compatible", "env_key": "BENCH_API_KEY", "base_url": %q, "default_model": %q, "bills": "seen",
      "pricing": {"input_usd_per_mtok": %s, "output_usd_per_mtok": %s}}`,
			site.name, w.servers[i].Base(), "weather", dollars(site.in), dollars(site.out)))
	}
	return fmt.Appendf(nil, "{\n  \"providers\": {\n%s\n  },\n"+
		"  \"routing\": {\"time_scale\": %g, \"content_by\": %q, \"deadline\": \"60s\", \"patience\": \"20ms\"%s}\n}\n",
		strings.Join(entries, ",\n"), scale, givenUp, p.routing)
}

// play is one run: one policy in one scenario with one seed.
func (s *study) play(ctx context.Context, folder string, sc scenario, p policy, seed uint64) (outcome, error) {
	length := time.Duration(float64(s.requests) / s.rate * float64(time.Second))
	w, err := startWeathers(sc, seed, s.warm, length)
	if err != nil {
		return outcome{}, err
	}
	defer w.stop()
	home, err := os.MkdirTemp(folder, "run-")
	if err != nil {
		return outcome{}, err
	}
	defer os.RemoveAll(home)
	config := filepath.Join(home, "providers.json")
	if err := os.WriteFile(config, providersJSON(w, p), 0o600); err != nil {
		return outcome{}, err
	}
	env := append(os.Environ(), "BENCH_API_KEY=none", "GATEWAY_API_KEYS=", "LLM_PROVIDER=auto", "LOG_LEVEL=info")
	gateway, err := start(ctx, env, s.binary, "serve", "--providers", config, "--addr", "127.0.0.1:0",
		"--data-dir", filepath.Join(home, "data"), "--log-format", "json", "--ledger-sync", "normal",
		"--overload-wait", "0", "--memory-budget", "0") // routing is measured, not what else a busy machine makes it refuse
	if err != nil {
		return outcome{}, err
	}
	ended := false
	end := func() {
		if !ended {
			ended = true
			gateway.stop()
		}
	}
	defer end()
	warming := int(s.warm.Seconds() * s.rate)
	arrivals := workload(seed, warming+s.requests, s.rate)
	begun := time.Now()
	for _, one := range w.weather {
		one.Begin(begun)
	}
	calls := s.send(ctx, gateway.base, arrivals, begun)
	cpu, err := gateway.cpu()
	if err != nil {
		return outcome{}, err
	}
	took := time.Since(begun)
	end() // so that every call has come to its end and is billed
	w.stop()
	if err := ctx.Err(); err != nil {
		return outcome{}, err
	}
	r := outcome{Scenario: sc.name, Policy: p.name, Seed: seed, calls: calls[warming:]}
	r.GatewayCPU = cpu.Seconds() / took.Seconds()
	r.judge(w, warming, sc.spells(seed, 0, time.Duration(float64(length)/scale)), time.Duration(float64(s.warm)/scale))
	if r.answered == 0 {
		return r, errors.New("no request was answered: " + r.why())
	}
	return r, nil
}

// send puts the arrivals on the gateway as an open loop and waits for all.
func (s *study) send(ctx context.Context, base string, arrivals []arrival, begun time.Time) []seen {
	client := newClient()
	defer client.CloseIdleConnections()
	calls := make([]seen, len(arrivals))
	var all sync.WaitGroup
	defer all.Wait()
	for i, a := range arrivals {
		due := begun.Add(a.due)
		if !sleepUntil(ctx, due) {
			break
		}
		all.Go(func() {
			bounded, cancel := context.WithDeadline(ctx, due.Add(time.Minute))
			defer cancel()
			calls[i] = ask(bounded, client, base, i, a, due)
		})
	}
	all.Wait()
	return calls
}
