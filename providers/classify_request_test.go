package providers

import (
	"net/http"
	"strings"
	"testing"

	"gateway"
)

// What is wrong with one request keeps nobody else away, whatever code it comes with; what
// is wrong with the key still does. The texts are those that the providers' users quote.
func TestWhoIsRefused(t *testing.T) {
	xai := func(code, text string) string { return `{"code":"` + code + `","error":"` + text + `"}` }
	gemini := func(word, text string) string {
		return `{"error":{"code":400,"message":"` + text + `","status":"` + word + `"}}`
	}
	const noRight = "The caller does not have permission to execute the specified operation"
	for _, c := range []struct {
		status int
		body   string
		want   gateway.Kind
	}{
		{403, xai(noRight, "Content violates usage guidelines. Team: 0a1b2c3d, API key ID: 9f8e7d6c, Model: grok-4, Failed check: SAFETY_CHECK_TYPE_BIO"), gateway.ContentFiltered},
		{403, xai("permission-denied", "Content violates usage guidelines. "), gateway.ContentFiltered},
		{403, xai("permission-denied", "Access to the chat endpoint is denied. Please ensure you're using the correct credentials."), gateway.ProviderAuth},
		{403, xai(noRight, "Your team is not allowed to use this model"), gateway.ProviderAuth},
		{400, xai("Client specified an invalid argument", "Incorrect API key provided: xa***wT."), gateway.ProviderAuth},
		{403, `{"error":{"message":"Your account was suspended for violating our usage guidelines"}}`, gateway.ProviderAuth},
		{400, `{"error":{"message":"Invalid prompt: your prompt was flagged as potentially violating our usage policy."}}`, gateway.ContentFiltered},
		{429, `{"error":{"message":"Too many requests, see our usage guidelines"}}`, gateway.RateLimited},
		{503, `{"error":{"message":"content policy service is down"}}`, gateway.Overloaded},
		{400, gemini("FAILED_PRECONDITION", "The File 4d21d8wxg1pe is not in an ACTIVE state and usage is not allowed."), gateway.Invalid},
		{403, gemini("PERMISSION_DENIED", "You do not have permission to access the File abc-123 or it may not exist."), gateway.Invalid},
		{403, gemini("PERMISSION_DENIED", "CachedContent not found (or permission denied)"), gateway.Invalid},
		{403, gemini("PERMISSION_DENIED", "Generative Language API has not been used in project 1 before or it is disabled."), gateway.ProviderAuth},
		{403, gemini("PERMISSION_DENIED", "The caller does not have permission"), gateway.ProviderAuth},
		{400, gemini("FAILED_PRECONDITION", "User location is not supported for the API use."), gateway.ProviderAuth},
		{400, gemini("FAILED_PRECONDITION", "Precondition check failed."), gateway.Unsupported},
		{400, gemini("INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."), gateway.ProviderAuth},
		{400, `{"error":{"message":"Invalid value: 'invalid api key'."}}`, gateway.Invalid}, // what the client wrote
		{400, `{"error":{"message":"Invalid value: 'api key expired'. Supported values are: 'auto'."}}`, gateway.Invalid},
		{400, `{"error":{"message":"Invalid value: 'billing'. Supported values are: 'auto'."}}`, gateway.Invalid},
		{422, `{"error":{"message":"service_tier: your credit balance is no tier"}}`, gateway.Invalid},
		{400, `{"error":{"message":"Your credit balance is too low. Please go to Plans & Billing."}}`, gateway.ProviderBilling},
		{400, gemini("INVALID_ARGUMENT", "The file input has no mime type"), gateway.Invalid},
	} {
		e := classify("openai_compatible", "p", "m", c.status, http.Header{}, []byte(c.body))
		if e.Kind != c.want {
			t.Errorf("%d %s: %v, want %v", c.status, c.body, e.Kind, c.want)
		}
		if strings.Contains(e.Message, "0a1b2c3d") || strings.Contains(e.Message, "9f8e7d6c") {
			t.Errorf("it says whose key asked: %q", e.Message)
		}
	}
}
