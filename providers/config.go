package providers

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	jsonv2 "github.com/go-json-experiment/json"
)

// Config is providers.json: which providers there are, what they cost and how they
// are treated. A field that is not here is refused.
type Config struct {
	Schema       string    `json:"$schema,omitempty" jsonschema:"description=Where the JSON Schema of this file is; for editors"`
	AutoPriority []string  `json:"auto_priority,omitempty" jsonschema:"description=Order of providers of equal cost; those not named follow in the file's order"`
	Providers    EntryList `json:"providers" jsonschema:"description=The providers by name"`

	ModelMap         map[string]string `json:"model_map,omitempty" jsonschema:"description=Names of models that clients ask for (or the beginning of such names and a *) and what they get instead"`
	DefaultEmbedding string            `json:"default_embedding,omitempty" jsonschema:"description=provider/model for embedding requests that name none"`
	Routing          Routing           `json:"routing,omitzero" jsonschema:"description=How requests are routed unless a provider or the request says otherwise"`
}

// Routing holds what the walk uses. Every duration is a Go duration such as 800ms.
type Routing struct {
	Hedge          string   `json:"hedge,omitempty" jsonschema:"enum=auto,enum=off,description=Race a second provider when the first is late"`
	HedgeAfter     Duration `json:"hedge_after,omitempty" jsonschema:"description=Fixed delay before a hedge; learned without it"`
	MaxHedges      int      `json:"max_hedges,omitempty" jsonschema:"minimum=0,maximum=3"`
	MaxPriceRatio  float64  `json:"max_price_ratio,omitempty" jsonschema:"minimum=1,description=A hedge or move goes to no candidate dearer than this times the first"`
	Demote         string   `json:"demote,omitempty" jsonschema:"enum=on,enum=off,description=Pass over providers that have become slow"`
	Fallback       string   `json:"fallback,omitempty" jsonschema:"enum=on,enum=off,description=Ask the next candidate when one fails"`
	AttemptTimeout Duration `json:"attempt_timeout,omitempty" jsonschema:"description=Fixed limit on time to first content; learned without it"`
	Deadline       Duration `json:"deadline,omitempty" jsonschema:"description=For a whole request"`
	ContentBy      Duration `json:"content_by,omitempty" jsonschema:"description=For the first content of a request"`
	Patience       Duration `json:"patience,omitempty" jsonschema:"description=A Retry-After within this is waited out instead of walked past"`
	StreamFailure  string   `json:"stream_failure,omitempty" jsonschema:"enum=error,enum=continue,enum=atomic"`
	MaxInFlight    int      `json:"max_in_flight,omitempty" jsonschema:"minimum=0,description=Requests in flight in all"`
	TimeScale      float64  `json:"time_scale,omitempty" jsonschema:"description=Multiplies every learned or built-in duration; for simulations on a compressed clock"`
}

// Entry is one provider.
type Entry struct {
	Kind           string                                `json:"kind" jsonschema:"description=The wire format"`
	EnvKey         string                                `json:"env_key,omitempty" jsonschema:"description=Environment variable of the API key; the provider is left out while it is unset"`
	EnvHost        string                                `json:"env_host,omitempty" jsonschema:"description=Environment variable of the host, for local servers"`
	EnvModel       string                                `json:"env_model,omitempty" jsonschema:"description=Environment variable that replaces default_model"`
	DefaultModel   string                                `json:"default_model" jsonschema:"description=Asked when the client names no model"`
	BaseURL        string                                `json:"base_url,omitempty" jsonschema:"description=NAME_BASE_URL in the environment overrides it"`
	Timeout        Duration                              `json:"timeout,omitempty" jsonschema:"description=Of a whole attempt"`
	APIParams      map[string]json.RawMessage            `json:"api_params,omitempty" jsonschema:"description=Added to every body unless the client set the field"`
	ModelParams    map[string]map[string]json.RawMessage `json:"model_params,omitempty" jsonschema:"description=api_params for one model"`
	Features       *Features                             `json:"features,omitempty"`
	Pricing        *Pricing                              `json:"pricing,omitempty" jsonschema:"description=Of the default model, when models does not list it"`
	Models         []ModelEntry                          `json:"models,omitempty"`
	Prefixes       []string                              `json:"prefixes,omitempty" jsonschema:"description=Beginnings of model names that belong here although they are not listed"`
	Limits         Limits                                `json:"limits,omitzero"`
	Breaker        string                                `json:"breaker,omitempty" jsonschema:"enum=on,enum=off"`
	Hedge          string                                `json:"hedge,omitempty" jsonschema:"enum=auto,enum=off"`
	HedgeAfter     Duration                              `json:"hedge_after,omitempty"`
	TTFTTimeout    Duration                              `json:"ttft_timeout,omitempty" jsonschema:"description=Limit on time to first content; learned without it"`
	IdleTimeout    Duration                              `json:"idle_timeout,omitempty" jsonschema:"description=Limit on silence in the middle of an answer"`
	Stream         string                                `json:"stream_upstream,omitempty" jsonschema:"enum=auto,enum=true,enum=false,description=Ask for a stream: for a client that does not stream auto asks for a short answer and for one in the provider's own format as one body"`
	StreamFailure  string                                `json:"stream_failure,omitempty" jsonschema:"enum=error,enum=continue,enum=atomic"`
	Patience       Duration                              `json:"patience,omitempty"`
	FilterFallback string                                `json:"content_filter_fallback,omitempty" jsonschema:"enum=on,enum=off,description=Ask the next provider when this one's content policy refuses"`
	Bills          string                                `json:"bills,omitempty" jsonschema:"enum=full,enum=seen,enum=nothing,description=What a call costs that we cut: the whole answer, what was seen, or nothing"`
	Region         string                                `json:"region,omitempty" jsonschema:"description=Where the provider processes what it is sent; a request with x-gateway-region goes nowhere else"`
	Quirks         Quirks                                `json:"quirks,omitzero"`
}

// Features are what a provider or model can take beyond plain text. What is not named
// keeps the default of its kind.
type Features struct {
	ToolCalls  *bool `json:"tool_calls,omitempty"`
	ToolForce  *bool `json:"tool_force,omitempty" jsonschema:"description=tool_choice required or named holds"`
	JSONMode   *bool `json:"json_mode,omitempty"`
	JSONSchema *bool `json:"json_schema,omitempty"`
	StrictJSON *bool `json:"strict_json,omitempty"`
	Reasoning  *bool `json:"reasoning_content,omitempty" jsonschema:"description=Answers carry reasoning_content"`
	ImageURL   *bool `json:"image_url,omitempty"`
	ImageData  *bool `json:"image_data,omitempty"`
	Audio      *bool `json:"audio,omitempty"`
	Files      *bool `json:"files,omitempty"`
	Many       *bool `json:"many,omitempty" jsonschema:"description=n greater than 1"`
	Logprobs   *bool `json:"logprobs,omitempty"`
	Prefill    *bool `json:"prefill,omitempty" jsonschema:"description=A final assistant message is continued"`
}

// ModelEntry is one model of a provider.
type ModelEntry struct {
	Name       string    `json:"name"`
	Pricing    *Pricing  `json:"pricing,omitempty"`
	Context    int       `json:"context,omitempty" jsonschema:"minimum=0"`
	MaxOutput  int       `json:"max_output,omitempty" jsonschema:"minimum=0"`
	Features   *Features `json:"features,omitempty"`
	Embeddings bool      `json:"embeddings,omitempty" jsonschema:"description=An embedding model"`
	Dimensions int       `json:"dimensions,omitempty" jsonschema:"minimum=0"`
	Stream     string    `json:"stream_upstream,omitempty" jsonschema:"enum=auto,enum=true,enum=false"`
	Limits     *Limits   `json:"limits,omitempty"`
}

// Limits of one model. Zero means none.
type Limits struct {
	RPM          int   `json:"rpm,omitempty" jsonschema:"minimum=0,description=Requests per minute"`
	TPM          int   `json:"tpm,omitempty" jsonschema:"minimum=0,description=Tokens per minute"`
	MaxInFlight  int   `json:"max_in_flight,omitempty" jsonschema:"minimum=0"`
	Adaptive     *bool `json:"adaptive,omitempty" jsonschema:"description=Find the concurrency by the time to first content; the default is true for local servers: a kind of such or an env_host"`
	TrustHeaders bool  `json:"trust_headers,omitempty" jsonschema:"description=What the provider's rate-limit headers say replaces rpm and tpm upward too; without it only downward"`
}

// Rates are prices in either unit; both at once are refused. A cached or written token
// without a price of its own costs the input price; 0 is free.
type Rates struct {
	Input        *Amount `json:"input_per_1k_microcents,omitempty"`
	CachedRead   *Amount `json:"cached_read_per_1k_microcents,omitempty"`
	CacheWrite   *Amount `json:"cache_write_per_1k_microcents,omitempty"`
	CacheWrite1h *Amount `json:"cache_write_1h_per_1k_microcents,omitempty"`
	Output       *Amount `json:"output_per_1k_microcents,omitempty"`

	InputUSD        *Amount `json:"input_usd_per_mtok,omitempty"`
	CachedReadUSD   *Amount `json:"cached_read_usd_per_mtok,omitempty"`
	CacheWriteUSD   *Amount `json:"cache_write_usd_per_mtok,omitempty"`
	CacheWrite1hUSD *Amount `json:"cache_write_1h_usd_per_mtok,omitempty"`
	OutputUSD       *Amount `json:"output_usd_per_mtok,omitempty"`
}

// Pricing is the price list of a model.
type Pricing struct {
	Rates
	Date      string           `json:"date,omitempty" jsonschema:"description=When the price was read; goes into each ledger row"`
	Tiers     []TierEntry      `json:"tiers,omitempty" jsonschema:"description=Prices of the whole request when its prompt is longer"`
	Windows   []WindowEntry    `json:"windows,omitempty" jsonschema:"description=Prices of certain hours"`
	Scheduled []ScheduledEntry `json:"scheduled,omitempty" jsonschema:"description=Announced changes"`
}

// TierEntry reprices a request with a longer prompt.
type TierEntry struct {
	Above int `json:"prompt_tokens_above" jsonschema:"minimum=1"`
	Rates
}

// WindowEntry reprices certain hours of UTC.
type WindowEntry struct {
	Spans    []string `json:"utc" jsonschema:"description=Such as 01:00-04:00"`
	Weekdays bool     `json:"weekdays_only,omitempty"`
	Shift    Duration `json:"weekday_shift,omitempty" jsonschema:"description=Added to UTC before the weekday is read: 8h for Beijing"`
	Except   []string `json:"except,omitempty" jsonschema:"description=Dates on which it is off"`
	Rates
}

// ScheduledEntry replaces the base price from a date on.
type ScheduledEntry struct {
	From string `json:"effective_from"`
	Rates
}

// Duration is a time.Duration written as "800ms".
type Duration time.Duration

// UnmarshalText reads a Go duration.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a duration such as 800ms or 30s", b)
	}
	*d = Duration(v)
	return nil
}

// MarshalText writes a Go duration.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// Amount is a number exactly as it stands in the file, so that no price passes through
// a float.
type Amount string

// UnmarshalJSONFrom keeps the digits.
func (a *Amount) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if k := d.PeekKind(); k != '0' {
		return fmt.Errorf("want a number")
	}
	v, err := d.ReadValue()
	*a = Amount(v)
	return err
}

// MarshalJSONTo writes the digits.
func (a Amount) MarshalJSONTo(e *jsontext.Encoder) error { return e.WriteValue(jsontext.Value(a)) }

// EntryList holds the providers in the file's order.
type EntryList []NamedEntry

// NamedEntry is a provider with its name.
type NamedEntry struct {
	Name string
	Entry
}

// UnmarshalJSONFrom reads an object, keeping its order.
func (l *EntryList) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if k := d.PeekKind(); k != '{' {
		return fmt.Errorf("want an object of providers by name")
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() == '"' {
		t, err := d.ReadToken()
		if err != nil {
			return err
		}
		n := NamedEntry{Name: t.String()}
		if err := jsonv2.UnmarshalDecode(d, &n.Entry); err != nil {
			return err
		}
		*l = append(*l, n)
	}
	_, err := d.ReadToken()
	return err
}
