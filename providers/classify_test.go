package providers

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gateway"
)

type httpFixture struct {
	Status   int               `json:"status"`
	Headers  map[string]string `json:"headers"`
	Body     json.RawMessage   `json:"body"`
	BodyText string            `json:"body_text"`
}

func readHTTPFixture(t testing.TB, name string) (int, http.Header, []byte) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, ".body") {
		return 400, http.Header{}, raw
	}
	var f httpFixture
	if err := json.Unmarshal(raw, &f); err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	for k, v := range f.Headers {
		h.Set(k, v)
	}
	if f.BodyText != "" {
		return f.Status, h, []byte(f.BodyText)
	}
	return f.Status, h, f.Body
}

var failures = []struct {
	file string
	kind gateway.Kind
}{
	{"openai/errors/400.content_policy", gateway.ContentFiltered},
	{"openai/errors/400.context_length", gateway.ContextLength},
	{"openai/errors/400.context_window_no_code", gateway.ContextLength},
	{"openai/errors/400.unsupported_parameter", gateway.Unsupported},
	{"openai/errors/400.unsupported_value", gateway.Unsupported},
	{"openai/errors/401.invalid_api_key", gateway.ProviderAuth},
	{"openai/errors/403.region", gateway.ProviderAuth},
	{"openai/errors/404.model_not_found", gateway.Unsupported},
	{"openai/errors/429.credit_balance_exhausted", gateway.ProviderBilling},
	{"openai/errors/429.project_spend_limit", gateway.ProviderBilling},
	{"openai/errors/429.rate_limit", gateway.RateLimited},
	{"openai/errors/429.slow_down", gateway.RateLimited},
	{"openai/errors/500.server_error", gateway.Unavailable},
	{"openai/errors/502.html", gateway.Unavailable},
	{"openai/errors/503.overloaded", gateway.Overloaded},
	{"anthropic/errors/400.context_length", gateway.ContextLength},
	{"anthropic/errors/400.credit_too_low", gateway.ProviderBilling},
	{"anthropic/errors/400.invalid", gateway.Invalid},
	{"anthropic/errors/400.orphan_tool_use", gateway.Invalid},
	{"anthropic/errors/400.sampling", gateway.Unsupported},
	{"anthropic/errors/400.spend_limit", gateway.ProviderBilling},
	{"anthropic/errors/401.auth", gateway.ProviderAuth},
	{"anthropic/errors/402.billing", gateway.ProviderBilling},
	{"anthropic/errors/403.permission", gateway.ProviderAuth},
	{"anthropic/errors/404.model", gateway.Unsupported},
	{"anthropic/errors/413.too_large", gateway.Invalid},
	{"anthropic/errors/429.enforced_spend_limit", gateway.ProviderBilling},
	{"anthropic/errors/429.ramp_limit", gateway.RateLimited},
	{"anthropic/errors/429.rate_limit", gateway.RateLimited},
	{"anthropic/errors/500.api_error", gateway.Unavailable},
	{"anthropic/errors/504.timeout", gateway.Unavailable},
	{"anthropic/errors/529.overloaded", gateway.Overloaded},
	{"anthropic/ingress.error", gateway.Overloaded}, // another gateway of this kind as the provider
	{"gemini/errors/400.api_key_invalid", gateway.ProviderAuth},
	{"gemini/errors/400.context_length", gateway.ContextLength},
	{"gemini/errors/400.failed_precondition", gateway.ProviderAuth},
	{"gemini/errors/400.missing_thought_signature", gateway.Unsupported},
	{"gemini/errors/400.schema", gateway.Unsupported},
	{"gemini/errors/402.resource_exhausted", gateway.ProviderBilling},
	{"gemini/errors/403.permission", gateway.ProviderAuth},
	{"gemini/errors/404.model", gateway.Unsupported},
	{"gemini/errors/429.per_day", gateway.RateLimited},
	{"gemini/errors/429.per_minute", gateway.RateLimited},
	{"gemini/errors/500.internal", gateway.Unavailable},
	{"gemini/errors/503.unavailable", gateway.Overloaded},
	{"gemini/errors/504.deadline", gateway.Unavailable},
	{"deepseek/errors/400.reasoning_content", gateway.Unsupported},
	{"deepseek/errors/401.auth", gateway.ProviderAuth},
	{"deepseek/errors/402.balance", gateway.ProviderBilling},
	{"deepseek/errors/422.params", gateway.Invalid},
	{"deepseek/errors/429.concurrency", gateway.RateLimited},
	{"deepseek/errors/503.busy", gateway.Overloaded},
	{"ollama/errors/400.think", gateway.Unsupported},
	{"ollama/errors/400.tools", gateway.Unsupported},
	{"ollama/errors/404.model", gateway.Unsupported},
	{"ollama/errors/429.cloud", gateway.RateLimited},
	{"ollama/errors/500.runner", gateway.Unavailable},
	{"ollama/errors/503.queue", gateway.Overloaded},
	{"compat/groq.400.tool_use_failed", gateway.RetryNow},
	{"compat/groq.413", gateway.Unsupported},
	{"compat/groq.429", gateway.RateLimited},
	{"compat/groq.498", gateway.Overloaded},
	{"compat/mistral.422", gateway.Unsupported},
	{"compat/moonshot.429", gateway.RateLimited},
	{"compat/moonshot.429.quota", gateway.ProviderBilling},
	{"compat/openrouter.200_with_error", gateway.RateLimited},
	{"compat/openrouter.402", gateway.ProviderBilling},
	{"compat/openrouter.402_in_flight", gateway.RateLimited},
	{"compat/vllm.400", gateway.ContextLength},
	{"compat/vllm.400.old", gateway.ContextLength},
	{"compat/zai.400.prompt_too_long", gateway.ContextLength},
	{"compat/zai.400.sensitive", gateway.ContentFiltered},
	{"compat/zai.401.auth", gateway.ProviderAuth},
	{"compat/zai.429.balance", gateway.ProviderBilling},
	{"compat/zai.429.concurrency", gateway.RateLimited},
	{"compat/zai.429.plan_limit", gateway.RateLimited},
	{"gemini/compat.error.body", gateway.Invalid},
}

func TestClassifyKnowsEveryFixture(t *testing.T) {
	for _, f := range failures {
		name := f.file
		if !strings.HasSuffix(name, ".body") {
			name += ".http.json"
		}
		status, header, body := readHTTPFixture(t, name)
		adapter, _, _ := strings.Cut(f.file, "/")
		e := classify(adapter, "p", "m", status, header, body)
		if e.Kind != f.kind {
			t.Errorf("%s: %v (%d), want %v; code %q message %q", f.file, e.Kind, status, f.kind, e.Code, e.Message)
		}
		if len(e.Message) > maxMessage || e.Message == "" || strings.Contains(e.Message, "sk-") {
			t.Errorf("%s: message %q", f.file, e.Message)
		}
	}
}

func TestRetryAfterForms(t *testing.T) {
	date := "Tue, 24 Nov 2026 09:00:00 GMT"
	for _, c := range []struct {
		name   string
		header map[string]string
		body   string
		want   time.Duration
	}{
		{"milliseconds first", map[string]string{"Retry-After-Ms": "250", "Retry-After": "9"}, "", 250 * time.Millisecond},
		{"float seconds", map[string]string{"Retry-After": "1.5"}, "", 1500 * time.Millisecond},
		{"date by the provider's clock", map[string]string{"Retry-After": "Tue, 24 Nov 2026 09:00:30 GMT", "Date": date}, "", 30 * time.Second},
		{"nonsense", map[string]string{"Retry-After": "NaN"}, "", 0},
		{"retryDelay", nil, `{"error":{"details":[{"retryDelay":"36.5s"}]}}`, 36500 * time.Millisecond},
		{"text", nil, `{"error":{"message":"Please try again in 5.289s."}}`, 5289 * time.Millisecond},
		{"text in ms", nil, `{"error":{"message":"try again in 900ms"}}`, 900 * time.Millisecond},
		{"exhausted limit", map[string]string{"X-Ratelimit-Remaining-Tokens": "0", "X-Ratelimit-Reset-Tokens": "1m26.4s", "X-Ratelimit-Remaining-Requests": "4", "X-Ratelimit-Reset-Requests": "6h"}, "", 86400 * time.Millisecond},
		{"anthropic", map[string]string{"Anthropic-Ratelimit-Input-Tokens-Remaining": "0", "Anthropic-Ratelimit-Input-Tokens-Reset": "2026-11-24T09:00:07Z", "Date": date}, "", 7 * time.Second},
	} {
		h := http.Header{}
		for k, v := range c.header {
			h.Set(k, v)
		}
		if got := classify("openai_compatible", "p", "m", 429, h, []byte(c.body)).RetryAfter; got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func FuzzClassify(f *testing.F) {
	for _, x := range failures {
		if !strings.HasSuffix(x.file, ".body") {
			status, _, body := readHTTPFixture(f, x.file+".http.json")
			f.Add(status, body)
		}
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		e := classify("openai_compatible", "p", "m", status, http.Header{}, body)
		if e.Kind == gateway.Internal || e.Message == "" || len(e.Message) > maxMessage || e.RetryAfter < 0 {
			t.Fatalf("%+v", e)
		}
		if strings.Contains(e.Message, "sk-abcdefgh") {
			t.Fatalf("a key is in %q", e.Message)
		}
	})
}
