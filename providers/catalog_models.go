package providers

import (
	"fmt"

	"gateway"
)

// models makes the models of an entry, the default one included.
func (c *Catalog) models(s source, e NamedEntry) ([]*gateway.Model, error) {
	at := "/providers/" + escaped(e.Name)
	var out []*gateway.Model
	for i, m := range e.Models {
		tariff, err := tariffOf(s, m.Pricing, fmt.Sprint(at, "/models/", i, "/pricing"))
		if err != nil {
			return nil, err
		}
		out = append(out, newModel(&e, &m, tariff))
	}
	if find(out, e.DefaultModel) == nil {
		tariff, err := tariffOf(s, e.Pricing, at+"/pricing")
		if err != nil {
			return nil, err
		}
		out = append(out, newModel(&e, &ModelEntry{Name: e.DefaultModel}, tariff))
	}
	return out, nil
}

func tariffOf(s source, p *Pricing, where string) (*gateway.Tariff, error) {
	if p == nil {
		return nil, nil
	}
	t, bad := p.tariff(s, where)
	if bad != nil {
		return nil, bad
	}
	return t, nil
}

func find(models []*gateway.Model, name string) *gateway.Model {
	for _, m := range models {
		if m.Name == name {
			return m
		}
	}
	return nil
}

func newModel(e *NamedEntry, m *ModelEntry, tariff *gateway.Tariff) *gateway.Model {
	k := kindOf(e.Kind)
	model := &gateway.Model{Provider: e.Name, Name: m.Name, Kind: e.Kind, Protocol: e.protocolOf(), Tariff: tariff, Context: m.Context, MaxOutput: m.MaxOutput,
		Can: k.can, Bills: habit(e), Region: e.Region, Upstream: streamChoice(m.Stream, e.Stream), Dimensions: m.Dimensions, ReasoningBack: e.Quirks.ReasoningBack}
	e.Features.apply(&model.Can)
	m.Features.apply(&model.Can)
	if m.Embeddings {
		model.Can = k.embeds
		model.Can.Embeddings = true
	}
	return model
}

// streamChoice is the model's word, or else its provider's.
func streamChoice(words ...string) gateway.StreamChoice {
	for _, w := range words {
		switch w {
		case "true":
			return gateway.StreamAlways
		case "false":
			return gateway.StreamNever
		case "auto":
			return gateway.StreamAuto
		}
	}
	return gateway.StreamAuto
}

func (f *Features) apply(a *gateway.Abilities) {
	if f == nil {
		return
	}
	for _, o := range []struct {
		set *bool
		can *bool
	}{
		{f.ToolCalls, &a.Tools}, {f.ToolForce, &a.ToolForce}, {f.JSONMode, &a.JSONMode}, {f.JSONSchema, &a.JSONSchema}, {f.StrictJSON, &a.StrictJSON},
		{f.ImageURL, &a.ImageURL}, {f.ImageData, &a.ImageData}, {f.Audio, &a.Audio}, {f.Files, &a.Files}, {f.Many, &a.Many},
		{f.Logprobs, &a.Logprobs}, {f.Prefill, &a.Prefill},
	} {
		if o.set != nil {
			*o.can = *o.set
		}
	}
}

// habit is what a cut call costs.
func habit(e *NamedEntry) gateway.BillingHabit {
	switch e.Bills {
	case "full":
		return gateway.BillsInFull
	case "seen":
		return gateway.BillsSeen
	case "nothing":
		return gateway.BillsNothing
	}
	return kindOf(e.Kind).bills
}
