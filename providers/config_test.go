package providers

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"gateway"
)

var update = flag.Bool("update", false, "rewrite published files that are made from the code")

func environment(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func everyKey(name string) string {
	switch {
	case strings.HasSuffix(name, "_API_KEY"):
		return "key"
	case name == "OLLAMA_HOST":
		return "127.0.0.1:11434"
	}
	return ""
}

func shipped(t *testing.T, env func(string) string) *Catalog {
	t.Helper()
	c, err := Load("providers.json", gateway.ShippedProviders, env)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func picos(t *testing.T, usd json.Number) gateway.Picodollars {
	t.Helper()
	r, ok := new(big.Rat).SetString(usd.String())
	if !ok {
		t.Fatalf("price %q", usd)
	}
	return gateway.Picodollars(r.Mul(r, big.NewRat(1_000_000, 1)).Num().Int64())
}

type referenceRates struct {
	Input, Output json.Number
	Cached        *json.Number `json:"cached_read"`
	Write         *json.Number `json:"cache_write"`
	Write1h       *json.Number `json:"cache_write_1h"`
}

type referencePrice struct {
	referenceRates
	Provider, Model, Status, Date string
	Tiers                         []struct {
		referenceRates
		Above int `json:"prompt_tokens_above"`
	}
	Windows   []referenceRates
	Scheduled []struct {
		referenceRates
		From string `json:"effective_from"`
	}
	Context int
}

// tariff is the price list with the windows' hours and days left out: the reference
// gives those in words.
func (r *referencePrice) tariff(t *testing.T) gateway.Tariff {
	out := gateway.Tariff{Base: r.rates(t), Date: r.Date}
	for _, e := range r.Tiers {
		out.Tiers = append(out.Tiers, gateway.Tier{PromptAbove: e.Above, Rates: e.rates(t)})
	}
	for _, e := range r.Windows {
		out.Windows = append(out.Windows, gateway.Window{Rates: e.rates(t)})
	}
	for _, e := range r.Scheduled {
		from, err := time.Parse(time.DateOnly, e.From)
		if err != nil {
			t.Fatal(err)
		}
		out.Scheduled = append(out.Scheduled, gateway.Scheduled{From: from, Rates: e.rates(t)})
	}
	return out
}

func (r *referenceRates) rates(t *testing.T) gateway.Rates {
	in := picos(t, r.Input)
	or := func(n *json.Number, other gateway.Picodollars) gateway.Picodollars {
		if n == nil {
			return other
		}
		return picos(t, *n)
	}
	base := gateway.Rates{Input: in, CachedRead: or(r.Cached, in), CacheWrite5m: or(r.Write, in), Output: picos(t, r.Output)}
	base.CacheWrite1h = or(r.Write1h, base.CacheWrite5m)
	return base
}

// Every shipped price is the one of the price reference, and every reference price of
// a shipped provider is shipped.
func TestShippedPrices(t *testing.T) {
	var ref struct{ Models map[string]referencePrice }
	if err := json.Unmarshal(fixture(t, "config/prices.json"), &ref); err != nil {
		t.Fatal(err)
	}
	c, checked := shipped(t, everyKey), 0
	for name, want := range ref.Models {
		p := c.provider(want.Provider)
		if p == nil {
			continue // not every provider of the reference is shipped
		}
		m := find(p.Models, want.Model)
		if strings.Contains(want.Status, "retired") || strings.Contains(want.Status, "shut down") {
			if m != nil {
				t.Errorf("%s is retired, and shipped", name)
			}
			continue
		}
		if m == nil || m.Tariff == nil {
			t.Errorf("%s is not shipped", name)
			continue
		}
		checked++
		got := *m.Tariff
		if got.ID == "" {
			t.Errorf("%s: its prices have no name", name)
		}
		got.Windows, got.ID = nil, ""
		for _, w := range m.Tariff.Windows {
			got.Windows = append(got.Windows, gateway.Window{Rates: w.Rates})
		}
		if list := want.tariff(t); !reflect.DeepEqual(got, list) || m.Context != want.Context {
			t.Errorf("%s: context %d, %+v, want %d, %+v", name, m.Context, got, want.Context, list)
		}
	}
	if checked < 65 {
		t.Errorf("only %d prices checked", checked)
	}
}

// The worked costs of the price reference hold to the picodollar.
func TestWorkedCosts(t *testing.T) {
	var ref struct {
		Cases []struct {
			Name, Model, Window string
			At, Date            string
			Fresh               int `json:"fresh_input"`
			Cached              int `json:"cached_read"`
			W5                  int `json:"cache_write_5m"`
			W1                  int `json:"cache_write_1h"`
			Output              int
			Picodollars         int64
		}
	}
	if err := json.Unmarshal(fixture(t, "expected/costs.json"), &ref); err != nil {
		t.Fatal(err)
	}
	c := shipped(t, everyKey)
	for _, want := range ref.Cases {
		provider, name, _ := strings.Cut(want.Model, "/")
		m := find(c.provider(provider).Models, name)
		if m == nil {
			t.Errorf("%s: no model %s", want.Name, want.Model)
			continue
		}
		at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) // a Tuesday, off-peak
		if want.Window == "peak" {
			at = time.Date(2026, 11, 24, 7, 0, 0, 0, time.UTC)
		}
		for layout, text := range map[string]string{time.RFC3339: want.At, time.DateOnly: want.Date} {
			if text != "" {
				var err error
				if at, err = time.Parse(layout, text); err != nil {
					t.Fatal(err)
				}
			}
		}
		u := gateway.Usage{Fresh: want.Fresh, CachedRead: want.Cached, CacheWrite5m: want.W5, CacheWrite1h: want.W1, Output: want.Output}
		if got := m.Tariff.At(u.Prompt(), at).Picos(u); got != want.Picodollars {
			t.Errorf("%s: %d picodollars, want %d", want.Name, got, want.Picodollars)
		}
		if got := m.Tariff.Cost(u, at); int64(got) != (want.Picodollars+9999)/10000 {
			t.Errorf("%s: %d microcents", want.Name, got)
		}
	}
	if len(ref.Cases) < 15 {
		t.Errorf("only %d cases", len(ref.Cases))
	}
}

const small = `{"providers":{"one":{"kind":"openai_compatible","env_key":"ONE_KEY","default_model":"m","base_url":"http://x/v1",
 "pricing":{"input_usd_per_mtok":1,"output_usd_per_mtok":2}}}}`

// Bad configuration says file, line, column, what is wrong and the nearest valid name.
func TestBadConfigurationIsExplained(t *testing.T) {
	for _, c := range []struct{ change, to, want string }{
		{`"default_model"`, `"default_modle"`, `f.json:1:69: unknown field "default_modle"; did you mean "default_model"?`},
		{`"openai_compatible"`, `"openai_compatable"`, `did you mean "openai_compatible"?`},
		{`"default_model":"m"`, `"default_model":3`, `want a string`},
		{`"default_model":"m"`, `"timeout":"soon"`, `"soon" is not a duration`},
		{`"default_model":"m"`, `"env_key":"X"`, `f.json:1:69: the name "env_key" stands here a second time`},
		{`"http://x/v1"`, `"ftp://x"`, `base_url must begin with`},
		{`"input_usd_per_mtok":1`, `"input_per_1k_microcents":0.59`, `for $0.59 per million tokens write 59000`},
		{`"input_usd_per_mtok":1`, `"input_usd_per_mtok":1,"input_per_1k_microcents":100000`, `given in both units`},
		{`"input_usd_per_mtok":1`, `"input_usd_per_mtok":-1`, `f.json:2:13: a price must be 0 or more`},
		{`"input_usd_per_mtok":1,`, ``, `input and output prices are both needed`},
		{`"input_usd_per_mtok":1`, `"windows":[{"utc":["23:00-24:30"],"except":["2027-01-01"],"input_usd_per_mtok":1,"output_usd_per_mtok":1}],"input_usd_per_mtok":1`, `want hours of UTC`},
		{`"input_usd_per_mtok":1`, `"windows":[{"utc":["23:00-24:00"],"except":["1 January"],"input_usd_per_mtok":1,"output_usd_per_mtok":1}],"input_usd_per_mtok":1`, `want a date such as 2027-01-01`},
		{`"pricing":`, `"limits":{"rpm":-1},"pricing":`, `a limit must be 0 or more`},
		{`"pricing":`, `"hedge":"of","pricing":`, `did you mean "off"?`},
		{`{"providers"`, `{"auto_priority":["on"],"providers"`, `f.json:1:19: unknown provider "on"; did you mean "one"?`},
		{`}}}}`, `}}}`, `not valid JSON`},
		{`}}}}`, `}}}} x`, `f.json:`},
		{`{"providers":{"one":{`, `{"providers":{}, "x":{"y":{`, `unknown field "x"`},
	} {
		text := strings.Replace(small, c.change, c.to, 1)
		_, err := Load("f.json", []byte(text), environment("ONE_KEY", "k"))
		var bad *BadConfig
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), c.want) || bad.Line < 1 || bad.Column < 1 {
			t.Errorf("%s -> %s:\n got  %v\n want %s", c.change, c.to, err, c.want)
		}
	}
}

func TestEnvironment(t *testing.T) {
	c := shipped(t, environment("DEEPSEEK_API_KEY", "k", "OLLAMA_HOST", "127.0.0.1:9", "DEEPSEEK_MODEL", "deepseek-v4-pro", "OPENAI_API_KEY", "k", "OPENAI_BASE_URL", "http://127.0.0.1:1/v1/",
		"GROQ_BASE_URL", "http://127.0.0.1:1"))
	names := map[string]*Provider{}
	for _, p := range c.Providers {
		names[p.Name] = p
	}
	if len(names) != 3 || names["ollama"].Settings.BaseURL != "http://127.0.0.1:9" || names["deepseek"].Default.Name != "deepseek-v4-pro" ||
		names["openai"].Settings.BaseURL != "http://127.0.0.1:1/v1" || names["deepseek"].Settings.Key != "k" {
		t.Errorf("%+v", names)
	}
	if len(c.LeftOut) != 8 || c.LeftOut[0].Why == "" || len(c.Variables()) < 11 {
		t.Errorf("left out %+v, variables %v", c.LeftOut, c.Variables())
	}
	c = shipped(t, func(n string) string {
		if n == "LLM_PROVIDER" {
			return "gemini"
		}
		return everyKey(n)
	})
	if len(c.Providers) != 1 || c.Providers[0].Name != "gemini" {
		t.Errorf("pinned: %+v", c.Providers)
	}
	for value, want := range map[string]string{"gemni": `did you mean "gemini"?`, "mistral": "MISTRAL_API_KEY is not set"} {
		_, err := Load("f", gateway.ShippedProviders, environment("LLM_PROVIDER", value, "GEMINI_API_KEY", "k"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("LLM_PROVIDER=%s: %v", value, err)
		}
	}
}

func TestResolve(t *testing.T) {
	c := shipped(t, everyKey)
	for asked, want := range map[string]string{
		"": "ollama/qwen2.5-coder:14b", "auto": "ollama/qwen2.5-coder:14b", "openai/gpt-6-luna": "openai/gpt-6-luna pinned",
		"gpt-6-luna": "openai/gpt-6-luna", "claude-future-9": "anthropic/claude-future-9", "anthropic/claude-future-9": "anthropic/claude-future-9 pinned",
		"openrouter/openai/gpt-9": "openrouter/openai/gpt-9 pinned", "groq/openai/gpt-oss-120b": "groq/openai/gpt-oss-120b pinned",
	} {
		models, pinned, err := c.Resolve(asked)
		if err != nil || len(models) == 0 {
			t.Errorf("%s: %v", asked, err)
			continue
		}
		got := models[0].Provider + "/" + models[0].Name
		if pinned {
			got += " pinned"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", asked, got, want)
		}
	}
	one, _, _ := c.Resolve("claude-future-9")
	two, _, _ := c.Resolve("claude-future-9")
	if one[0] != two[0] {
		t.Error("an unlisted model is another value each time: its limits would be forgotten")
	}
	_, _, err := c.Resolve("gtp-6-luna")
	if gateway.KindOf(err) != gateway.UnknownModel || !strings.Contains(err.Error(), "openai/gpt-6-luna") {
		t.Errorf("%v", err)
	}
	models, _, err := c.ResolveEmbedding("text-embedding-3-small")
	if err != nil || len(models) != 1 || !models[0].Can.Embeddings {
		t.Errorf("%v, %v", models, err)
	}
	for i := range 2 * unlistedMost {
		c.Resolve(fmt.Sprint("claude-", i))
	}
	if n := len(c.unlisted); n > unlistedMost {
		t.Errorf("%d unlisted models are remembered", n)
	}
}

func TestModelMap(t *testing.T) {
	load := func(names string) (*Catalog, error) {
		return Load("f", []byte(strings.Replace(small, `{"providers"`, `{"model_map":`+names+`,"providers"`, 1)), environment("ONE_KEY", "k"))
	}
	c, err := load(`{"gpt-4":"one/m","claude-*":"one/m"}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, asked := range []string{"gpt-4", "claude-opus-5-5", "claude-"} {
		if m, pinned, err := c.Resolve(asked); err != nil || m[0].Name != "m" || !pinned {
			t.Errorf("%s: %v %v", asked, m, err)
		}
	}
	if _, _, err := c.Resolve("gpt-5"); gateway.KindOf(err) != gateway.UnknownModel {
		t.Errorf("gpt-5: %v", err)
	}
	for names, want := range map[string]string{`{"cl*ude":"one/m"}`: "one * at the end", `{"claude":""}`: "says nothing"} {
		if _, err := load(names); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", names, err)
		}
	}
}

// The published schema is the one the code makes, and the shipped file keeps to it.
func TestSchema(t *testing.T) {
	got, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	const path = "../docs/providers.schema.json"
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("the published schema is old (%v); go test ./providers -run Schema -update", err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(want))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for text, valid := range map[string]bool{string(gateway.ShippedProviders): true, small: true, strings.Replace(small, "kind", "knid", 1): false} {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); (err == nil) != valid {
			t.Errorf("%.60s: %v", text, err)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte(`{"providers":{"a/b":{"kind":"x"}},"auto_priority":[1]}`))
	f.Add([]byte(`{"providers":{"one":{"kind":"gemini","default_model":"m","base_url":"http://x","pricing":{"input_usd_per_mtok":1e400,"output_usd_per_mtok":0,"windows":[{"utc":["9"]}]}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := Load("f.json", data, everyKey)
		if err != nil && !strings.HasPrefix(err.Error(), "f.json:") {
			t.Fatalf("no place is named: %v", err)
		}
	})
}
