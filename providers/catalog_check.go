package providers

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gateway"
)

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
