package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"gateway/internal/fakeupstream"
)

// simulated are the demo's providers and the environment that leads to them.
type simulated struct {
	servers []*fakeupstream.Server
	env     environment
}

// startSimulated starts one provider of each kind. The free one is flaky, the next
// stalls now and then, so that fallback and hedging have something to do.
func startSimulated() (*simulated, error) {
	vars := map[string]string{}
	s := &simulated{env: only(vars)}
	for _, one := range []struct {
		kind   fakeupstream.Kind
		path   string // of the provider's base URL
		config fakeupstream.Config
	}{
		{fakeupstream.Ollama, "", fakeupstream.Config{First: delay(150), Gap: 15 * time.Millisecond, Script: flaky}},
		{fakeupstream.DeepSeek, "", fakeupstream.Config{First: delay(250), Gap: 20 * time.Millisecond, Script: stalling}},
		{fakeupstream.Gemini, "/v1beta", fakeupstream.Config{First: delay(300), Gap: 12 * time.Millisecond}},
		{fakeupstream.OpenAI, "/v1", fakeupstream.Config{First: delay(350), Gap: 15 * time.Millisecond}},
		{fakeupstream.Anthropic, "/v1", fakeupstream.Config{First: delay(400), Gap: 15 * time.Millisecond}},
	} {
		one.config.Kind, one.config.AllowMarkers = one.kind, true
		server, err := fakeupstream.Start(one.config)
		if err != nil {
			s.stop()
			return nil, fmt.Errorf("starting the simulated %v: %w", one.kind, err)
		}
		s.servers = append(s.servers, server)
		name := strings.ToUpper(one.kind.String())
		vars[name+"_API_KEY"] = "demo"
		vars[name+"_BASE_URL"] = server.URL() + one.path
		vars[name+"_HOST"] = server.URL()
	}
	return s, nil
}

func delay(milliseconds int) fakeupstream.Delay {
	return fakeupstream.Delay{Median: time.Duration(milliseconds) * time.Millisecond, Sigma: 0.3}
}

// flaky fails one time in three, in one of the ways that providers do.
func flaky(fakeupstream.Seen) fakeupstream.Step {
	if rand.IntN(3) > 0 {
		return fakeupstream.Step{}
	}
	return []fakeupstream.Step{
		{Fault: fakeupstream.ServerError}, {Fault: fakeupstream.Overloaded}, {Fault: fakeupstream.Reset},
		{Fault: fakeupstream.StallFirst, Wait: 5 * time.Second},
	}[rand.IntN(4)]
}

// stalling says nothing for a while, one time in eight.
func stalling(fakeupstream.Seen) fakeupstream.Step {
	if rand.IntN(8) > 0 {
		return fakeupstream.Step{}
	}
	return fakeupstream.Step{Fault: fakeupstream.SlowHeaders, Wait: 6 * time.Second}
}

func (s *simulated) stop() error {
	var all []error
	for _, server := range s.servers {
		all = append(all, server.Close())
	}
	return errors.Join(all...)
}
