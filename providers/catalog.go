package providers

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"gateway"
)

// Catalog is the configuration with the environment applied: the providers that can be
// used, those left out and why, and the models that each name stands for.
type Catalog struct {
	Config    *Config
	Providers []*Provider
	LeftOut   []LeftOut

	defaultEmbedding string
	variables        []string
	mu               sync.Mutex
	unlisted         map[string]*gateway.Model
}

// Provider is a usable provider.
type Provider struct {
	Name     string
	Settings Settings
	Entry    Entry
	Models   []*gateway.Model
	Default  *gateway.Model
}

// LeftOut is a provider that is configured but not usable now.
type LeftOut struct {
	Name string
	Why  string
	Vars []string // environment variables that would bring it in
}

// Load reads providers.json and the environment. name is what errors call the file.
// Its error is a *BadConfig where the file is wrong.
func Load(name string, data []byte, env func(string) string) (*Catalog, error) {
	s := source{name, data}
	config, err := parseConfig(s)
	if err != nil {
		return nil, err
	}
	c := &Catalog{Config: config, unlisted: map[string]*gateway.Model{}, defaultEmbedding: config.DefaultEmbedding}
	if err := c.check(s); err != nil {
		return nil, err
	}
	for _, e := range config.ordered() {
		models, err := c.models(s, e)
		if err != nil {
			return nil, err
		}
		p, left, lerr := usable(e, models, env)
		if lerr != nil {
			return nil, lerr
		}
		c.variables = append(c.variables, variablesOf(e)...)
		if left != nil {
			c.LeftOut = append(c.LeftOut, *left)
		} else {
			c.Providers = append(c.Providers, p)
		}
	}
	if err := c.pin(env("LLM_PROVIDER")); err != nil {
		return nil, err
	}
	return c, nil
}

// ordered is the effective order: auto_priority, then the file's.
func (c *Config) ordered() []NamedEntry {
	rank := func(name string) int {
		if i := slices.Index(c.AutoPriority, name); i >= 0 {
			return i
		}
		return len(c.AutoPriority)
	}
	out := slices.Clone(c.Providers)
	slices.SortStableFunc(out, func(a, b NamedEntry) int { return rank(a.Name) - rank(b.Name) })
	return out
}

// usable applies the environment to an entry.
func usable(e NamedEntry, models []*gateway.Model, env func(string) string) (*Provider, *LeftOut, error) {
	base, key := e.BaseURL, ""
	override := env(baseVariable(e.Name))
	host := ""
	if e.EnvHost != "" {
		host = env(e.EnvHost)
	}
	switch {
	case override != "":
		base = override
	case host != "":
		base = withScheme(host)
	}
	if e.EnvKey != "" {
		if key = env(e.EnvKey); key == "" {
			return nil, &LeftOut{e.Name, e.EnvKey + " is not set", variablesOf(e)}, nil
		}
	} else if e.EnvHost != "" && host == "" && override == "" {
		return nil, &LeftOut{e.Name, e.EnvHost + " is not set", variablesOf(e)}, nil
	}
	if !strings.HasPrefix(base, "http://") && !strings.HasPrefix(base, "https://") {
		return nil, nil, fmt.Errorf("the base URL of %s must begin with http:// or https://", e.Name)
	}
	p := &Provider{Name: e.Name, Entry: e.Entry, Models: models, Settings: Settings{
		Name: e.Name, Kind: e.Kind, BaseURL: strings.TrimRight(base, "/"), Key: key, Params: e.APIParams, ModelParams: e.ModelParams,
		Quirks: e.Quirks, Timeout: time.Duration(e.Timeout),
	}}
	name := e.DefaultModel
	if e.EnvModel != "" && env(e.EnvModel) != "" {
		name = env(e.EnvModel)
	}
	if p.Default = find(models, name); p.Default == nil {
		p.Default = newModel(&e, &ModelEntry{Name: name}, nil) // a price is not known for a name of one's own
		p.Models = append(p.Models, p.Default)
	}
	return p, nil, nil
}

func withScheme(host string) string {
	if strings.Contains(host, "://") {
		return host
	}
	return "http://" + host
}

// baseVariable is the variable that overrides a provider's base URL.
func baseVariable(name string) string {
	return strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(name)) + "_BASE_URL"
}

func variablesOf(e NamedEntry) []string {
	var out []string
	if e.EnvKey != "" {
		out = append(out, e.EnvKey)
	}
	if e.EnvHost != "" {
		out = append(out, e.EnvHost)
	}
	if e.EnvKey == "" {
		out = append(out, baseVariable(e.Name))
	}
	return out
}

// Variables are all those that would configure a provider.
func (c *Catalog) Variables() []string { return c.variables }

// pin keeps the one provider that LLM_PROVIDER names.
func (c *Catalog) pin(name string) error {
	if name == "" || name == "auto" {
		return nil
	}
	var names []string
	for _, p := range c.Providers {
		if p.Name == name {
			for _, other := range c.Providers {
				if other != p {
					c.LeftOut = append(c.LeftOut, LeftOut{Name: other.Name, Why: "LLM_PROVIDER is " + name})
				}
			}
			c.Providers = []*Provider{p}
			return nil
		}
		names = append(names, p.Name)
	}
	for _, l := range c.LeftOut {
		if l.Name == name {
			return fmt.Errorf("LLM_PROVIDER is %s, but %s", name, l.Why)
		}
		names = append(names, l.Name)
	}
	if n := gateway.Nearest(name, names); n != "" {
		return fmt.Errorf("LLM_PROVIDER is %q, which is no provider; did you mean %q?", name, n)
	}
	return fmt.Errorf("LLM_PROVIDER is %q, which is no provider", name)
}

// Models lists every model of the usable providers.
func (c *Catalog) Models() []*gateway.Model {
	var out []*gateway.Model
	for _, p := range c.Providers {
		out = append(out, p.Models...)
	}
	return out
}

// Adapter makes what speaks to the provider.
func (p *Provider) Adapter(client *http.Client, state *State) (Adapter, error) {
	s := p.Settings
	s.Client, s.State = client, state
	k := kinds[s.Kind]
	if k == nil {
		return nil, fmt.Errorf("%s: unknown kind %q", p.Name, s.Kind)
	}
	return k.adapter(s)
}
