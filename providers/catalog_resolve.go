package providers

import (
	"cmp"
	"slices"
	"strings"

	"gateway"
)

// Resolve gives the models that a name stands for. "", auto and default: each
// provider's default model. provider/model: that one, pinned. A bare name: the
// providers that list it, or whose prefixes it begins with. Its error is of kind
// UnknownModel and names the nearest known ones.
func (c *Catalog) Resolve(asked string) (models []*gateway.Model, pinned bool, err error) {
	return c.resolve(gateway.MapModel(asked, c.Config.ModelMap))
}

// resolve is Resolve for a name that has been mapped.
func (c *Catalog) resolve(asked string) (models []*gateway.Model, pinned bool, err error) {
	switch asked {
	case "", "auto", "default":
		models = make([]*gateway.Model, 0, len(c.Providers))
		for _, p := range c.Providers {
			if p.Default.Can.Chat {
				models = append(models, p.Default)
			}
		}
		return models, false, nil
	}
	if provider, name, ok := strings.Cut(asked, "/"); ok {
		if p := c.provider(provider); p != nil {
			return c.of(p, name, asked)
		}
	}
	for _, p := range c.Providers {
		if m := find(p.Models, asked); m != nil {
			models = append(models, m)
		} else if m := c.unlistedModel(p, asked); m != nil {
			models = append(models, m)
		}
	}
	if len(models) == 0 {
		return nil, false, c.unknown(asked)
	}
	return models, false, nil
}

// of is one model of one provider; a name it does not list is asked all the same,
// without a known price, if its prefixes claim it or it lists nothing but its default.
func (c *Catalog) of(p *Provider, name, asked string) ([]*gateway.Model, bool, error) {
	if m := find(p.Models, name); m != nil {
		return []*gateway.Model{m}, true, nil
	}
	if m := c.unlistedModel(p, name); m != nil {
		return []*gateway.Model{m}, true, nil
	}
	return nil, false, c.unknown(asked)
}

func (c *Catalog) provider(name string) *Provider {
	for _, p := range c.Providers {
		if p.Name == name {
			return p
		}
	}
	return nil
}

func (p *Provider) claims(name string) bool {
	for _, prefix := range p.Entry.Prefixes {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// unlistedMost bounds how many names that nobody listed are remembered; each gets
// limits and statistics of its own.
const unlistedMost = 256

// unlistedModel is a model that only the provider's prefixes claim: the same value for
// the same name, so that its limits hold. Nil if no prefix does, or if so many names
// are remembered already that a further one is more likely a mistake than a model.
func (c *Catalog) unlistedModel(p *Provider, name string) *gateway.Model {
	if !p.claims(name) {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := p.Name + "/" + name
	if m := c.unlisted[key]; m != nil || len(c.unlisted) >= unlistedMost {
		return m
	}
	m := newModel(&NamedEntry{p.Name, p.Entry}, &ModelEntry{Name: name}, nil)
	c.unlisted[key] = m
	return m
}

func (c *Catalog) unknown(asked string) error {
	known := []string{"auto"}
	for _, m := range c.Models() {
		known = append(known, m.Provider+"/"+m.Name)
	}
	slices.SortStableFunc(known, func(a, b string) int {
		return cmp.Or(distanceTo(asked, a)-distanceTo(asked, b), strings.Compare(a, b))
	})
	if len(known) > 20 {
		known = known[:20]
	}
	if len(asked) > 100 {
		asked = asked[:100]
	}
	e := gateway.Errorf(gateway.UnknownModel, "No provider has the model %q. Known ones: %s.", strings.ToValidUTF8(asked, ""), strings.Join(known, ", "))
	e.Param = "model"
	return e
}

// distanceTo compares with the whole name and with the part after the provider.
func distanceTo(asked, known string) int {
	if len(asked) > 100 {
		asked = asked[:100]
	}
	d := gateway.Distance(asked, known)
	if provider, name, ok := strings.Cut(known, "/"); ok {
		if provider == asked {
			return 0
		}
		d = min(d, gateway.Distance(asked, name))
	}
	return d
}

// ResolveEmbedding is Resolve for embeddings. Vectors of different models cannot be
// compared, so there is never another model to fall back to, only the same one elsewhere.
func (c *Catalog) ResolveEmbedding(asked string) ([]*gateway.Model, bool, error) {
	asked = gateway.MapModel(asked, c.Config.ModelMap)
	if asked == "" || asked == "auto" || asked == "default" {
		asked = c.defaultEmbedding
	}
	if asked == "" {
		for _, m := range c.Models() {
			if m.Can.Embeddings {
				return []*gateway.Model{m}, false, nil
			}
		}
		return nil, false, gateway.Errorf(gateway.NoProvider, "No embedding model is configured.")
	}
	return c.resolve(asked)
}
