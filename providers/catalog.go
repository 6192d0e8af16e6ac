package providers

import (
	"fmt"
	"maps"
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

// check refuses what the types alone do not.
func (c *Catalog) check(s source) error {
	names := make([]string, 0, len(c.Config.Providers))
	for _, e := range c.Config.Providers {
		names = append(names, e.Name)
	}
	if len(names) == 0 {
		return s.under("/providers", "", "no providers are given")
	}
	for i, name := range c.Config.AutoPriority {
		if !slices.Contains(names, name) {
			return s.under(fmt.Sprint("/auto_priority/", i), gateway.Nearest(name, names), "unknown provider %q", name)
		}
	}
	for _, from := range slices.Sorted(maps.Keys(c.Config.ModelMap)) {
		at := "/model_map/" + escaped(from)
		if star := strings.IndexByte(from, '*'); star >= 0 && star != len(from)-1 {
			return s.under(at, "", "a pattern of model_map has its one * at the end, unlike %q", from)
		}
		if c.Config.ModelMap[from] == "" {
			return s.under(at, "auto", "model_map says nothing for %q", from)
		}
	}
	if err := c.Config.Routing.check(s); err != nil {
		return err
	}
	for _, e := range c.Config.Providers {
		if err := e.check(s); err != nil {
			return err
		}
	}
	return nil
}

func (r *Routing) check(s source) error {
	return firstBad(s, "/routing",
		word{"hedge", r.Hedge, []string{"auto", "off"}}, word{"demote", r.Demote, []string{"on", "off"}},
		word{"stream_failure", r.StreamFailure, streamFailures})
}

var streamFailures = []string{"error", "continue", "atomic"}

// word is a field that takes certain words only.
type word struct {
	name, value string
	allowed     []string
}

func firstBad(s source, where string, words ...word) error {
	for _, w := range words {
		if w.value != "" && !slices.Contains(w.allowed, w.value) {
			return s.under(where+"/"+w.name, gateway.Nearest(w.value, w.allowed), "%s must be one of %s, not %q", w.name, strings.Join(w.allowed, ", "), w.value)
		}
	}
	return nil
}

// kindNames are the wire formats that an entry may have.
func kindNames() []string {
	names := make([]string, 0, len(kinds))
	for k := range kinds {
		names = append(names, k)
	}
	slices.Sort(names)
	return names
}

// streamWords are those of stream_upstream.
var streamWords = []string{"auto", "true", "false"}

func (e *NamedEntry) check(s source) error {
	at := "/providers/" + escaped(e.Name)
	if e.Name == "" || strings.ContainsAny(e.Name, "/ ") {
		return s.under(at, "", "a provider's name must have no slash or blank")
	}
	err := firstBad(s, at, word{"kind", e.Kind, kindNames()}, word{"hedge", e.Hedge, []string{"auto", "off"}},
		word{"breaker", e.Breaker, []string{"on", "off"}}, word{"stream_failure", e.StreamFailure, streamFailures},
		word{"content_filter_fallback", e.FilterFallback, []string{"on", "off"}}, word{"bills", e.Bills, []string{"full", "seen", "nothing"}},
		word{"stream_upstream", e.Stream, streamWords})
	if err != nil {
		return err
	}
	switch {
	case e.Kind == "":
		return s.under(at, "", "provider %q has no kind", e.Name)
	case e.DefaultModel == "":
		return s.under(at, "", "provider %q has no default_model", e.Name)
	case e.BaseURL == "" && e.EnvHost == "":
		return s.under(at, "", "provider %q has no base_url", e.Name)
	case e.BaseURL != "" && !strings.HasPrefix(e.BaseURL, "http://") && !strings.HasPrefix(e.BaseURL, "https://"):
		return s.under(at+"/base_url", "", "base_url must begin with http:// or https://")
	case e.Limits.RPM < 0 || e.Limits.TPM < 0 || e.Limits.MaxInFlight < 0:
		return s.under(at+"/limits", "", "a limit must be 0 or more")
	}
	seen := map[string]bool{}
	for i, m := range e.Models {
		where := fmt.Sprint(at, "/models/", i)
		if m.Name == "" {
			return s.under(where, "", "a model has no name")
		}
		if seen[m.Name] {
			return s.under(where+"/name", "", "model %q stands here a second time", m.Name)
		}
		seen[m.Name] = true
		if err := firstBad(s, where, word{"stream_upstream", m.Stream, streamWords}); err != nil {
			return err
		}
		if m.Context < 0 || m.MaxOutput < 0 || m.Dimensions < 0 {
			return s.under(where, "", "context, max_output and dimensions must be 0 or more")
		}
	}
	if len(e.Models) > 0 && !seen[e.DefaultModel] && e.Pricing == nil {
		var names []string
		for _, m := range e.Models {
			names = append(names, m.Name)
		}
		return s.under(at+"/default_model", gateway.Nearest(e.DefaultModel, names), "default_model %q is not in models and has no pricing", e.DefaultModel)
	}
	return nil
}

// escaped is a name inside a JSON pointer.
func escaped(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

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
	model := &gateway.Model{Provider: e.Name, Name: m.Name, Kind: e.Kind, Tariff: tariff, Context: m.Context, MaxOutput: m.MaxOutput,
		Can: abilitiesOf(e.Kind), Bills: habit(e), Upstream: streamChoice(m.Stream, e.Stream), Dimensions: m.Dimensions, ReasoningBack: e.Quirks.ReasoningBack}
	e.Features.apply(&model.Can)
	m.Features.apply(&model.Can)
	if m.Embeddings {
		model.Can = gateway.Abilities{Embeddings: true, TokenInput: e.Kind == "openai_compatible"}
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

// abilitiesOf are the defaults of a wire format; the field matrix of the wire
// reference (section 4) is their source. Entries and models override them.
func abilitiesOf(kind string) gateway.Abilities {
	a := gateway.Abilities{Chat: true, Tools: true, ToolForce: true, JSONMode: true, JSONSchema: true, StrictJSON: true, ImageData: true}
	switch kind {
	case "openai_compatible":
		a.ImageURL, a.Many, a.Logprobs = true, true, true
	case "anthropic", "openai_responses":
		a.ImageURL, a.Files = true, true
	case "gemini":
		a.Files, a.Audio = true, true
	case "ollama":
		a.ToolForce = false
	}
	return a
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

// habit is what a cut call costs; the unknown is taken to bill in full. Source:
// routing reference section 2.
func habit(e *NamedEntry) gateway.BillingHabit {
	switch e.Bills {
	case "full":
		return gateway.BillsInFull
	case "seen":
		return gateway.BillsSeen
	case "nothing":
		return gateway.BillsNothing
	}
	switch e.Kind {
	case "anthropic":
		return gateway.BillsSeen
	case "ollama":
		return gateway.BillsNothing
	}
	return gateway.BillsInFull
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
	make, ok := kinds[s.Kind]
	if !ok {
		return nil, fmt.Errorf("%s: unknown kind %q", p.Name, s.Kind)
	}
	return make(s)
}
