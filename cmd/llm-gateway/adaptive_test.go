package main

import (
	"testing"

	"gateway/providers"
)

// The concurrency is found by the time to first content where a server queues what it
// cannot compute, and not at hosted ones, unless the configuration says otherwise.
func TestWhoseConcurrencyIsFound(t *testing.T) {
	yes, no := true, false
	for name, c := range map[string]struct {
		entry providers.Entry
		said  *bool
		want  bool
	}{
		"hosted":           {providers.Entry{Kind: "openai_compatible"}, nil, false},
		"hosted, asked":    {providers.Entry{Kind: "openai_compatible"}, &yes, true},
		"ollama":           {providers.Entry{Kind: "ollama"}, nil, true},
		"ollama, declined": {providers.Entry{Kind: "ollama"}, &no, false},
		"vLLM":             {providers.Entry{Kind: "openai_compatible", EnvHost: "VLLM_HOST"}, nil, true},
	} {
		if got := gate(providers.Limits{Adaptive: c.said}, &c.entry).Adaptive; got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
