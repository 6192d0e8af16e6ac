package main

import (
	"fmt"
	"net/http"
	"time"

	"gateway"
	"gateway/actors"
	"gateway/breaker"
	"gateway/providers"
	times "gateway/route"
)

// configured reads providers.json with the environment. Without any usable provider
// the error names every variable that would configure one.
func (p *program) configured(path string) (*configuration, error) {
	name, data, err := readProviders(path, gateway.ShippedProviders)
	if err != nil {
		return nil, err
	}
	return load(name, data, p.env)
}

// load makes a configuration of the file's text and an environment.
func load(name string, data []byte, env environment) (*configuration, error) {
	catalog, err := providers.Load(name, data, env.get)
	if err != nil {
		return nil, err
	}
	if len(catalog.Providers) == 0 {
		return nil, noProvider(catalog.Variables())
	}
	c := &configuration{models: catalog, routing: catalog.Config.Routing, defaults: map[string]*gateway.Model{}}
	for _, left := range catalog.LeftOut {
		c.leftOut = append(c.leftOut, leftOut{left.Name, left.Why})
	}
	for _, entry := range catalog.Providers {
		c.providers = append(c.providers, entry.Name)
		c.defaults[entry.Name] = entry.Default
	}
	c.build = func(client *http.Client, state *providers.State) ([]actors.Provider, error) {
		var all []actors.Provider
		for _, entry := range catalog.Providers {
			one, err := runnable(entry, client, state)
			if err != nil {
				return nil, err
			}
			all = append(all, one)
		}
		return all, nil
	}
	return c, nil
}

// runnable joins an entry of the configuration with its adapter.
func runnable(entry *providers.Provider, client *http.Client, state *providers.State) (actors.Provider, error) {
	adapter, err := entry.Adapter(client, state)
	if err != nil {
		return actors.Provider{}, fmt.Errorf("provider %s: %w", entry.Name, err)
	}
	e := entry.Entry
	one := actors.Provider{
		Name: entry.Name, Kind: e.Kind, Default: entry.Default, Models: entry.Models, Upstream: adapter,
		Limits:  gate(e.Limits, &e),
		ByModel: map[string]breaker.Config{},
		TTFT:    time.Duration(e.TTFTTimeout), Idle: time.Duration(e.IdleTimeout), Timeout: time.Duration(e.Timeout),
		Hedge: e.Hedge, After: time.Duration(e.HedgeAfter), OnBreak: e.StreamFailure,
		Patience: time.Duration(e.Patience), FilterPasses: e.FilterFallback == "on",
	}
	for _, m := range e.Models {
		if m.Limits != nil {
			one.ByModel[m.Name] = gate(*m.Limits, &e)
		}
	}
	return one, nil
}

func gate(l providers.Limits, e *providers.Entry) breaker.Config {
	// A local server queues what it cannot compute; a hosted one has a quota, which its
	// time to first content says nothing about.
	adaptive := e.Local()
	if l.Adaptive != nil {
		adaptive = *l.Adaptive
	}
	return breaker.Config{RPM: l.RPM, TPM: l.TPM, MaxInFlight: l.MaxInFlight, Adaptive: adaptive,
		TrustHeaders: l.TrustHeaders, Off: e.Breaker == "off"}
}

// route lays the file's routing over what the system does by itself.
func route(c *actors.Config, r providers.Routing) {
	c.Hedge, c.HedgeAfter, c.MaxHedges = r.Hedge, time.Duration(r.HedgeAfter), r.MaxHedges
	c.NoDemote, c.NoFallback, c.Limit = r.Demote == "off", r.Fallback == "off", time.Duration(r.AttemptTimeout)
	c.Deadline, c.ContentBy, c.Patience = time.Duration(r.Deadline), time.Duration(r.ContentBy), time.Duration(r.Patience)
	c.OnBreak, c.MaxInFlight = r.StreamFailure, r.MaxInFlight
	c.Times, c.Pace = times.Default(), r.TimeScale
	if r.TimeScale > 0 {
		c.Times = c.Times.Scaled(r.TimeScale)
	}
	if r.MaxPriceRatio > 0 {
		c.Times.PriceRatio = r.MaxPriceRatio
	}
}
