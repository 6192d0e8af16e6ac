package providers

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"gateway"
)

// classify turns what a provider said into an Error. It is used for a status that is
// not 2xx and, with status 200, for an error object inside an answer or a stream.
func classify(kind, provider, model string, status int, header http.Header, body []byte) *gateway.Error {
	said := readFailure(body)
	if status < 300 {
		if code, err := strconv.Atoi(said.code); err == nil && code >= 400 && code <= 599 {
			status = code
		}
	}
	e := &gateway.Error{
		Provider: provider, Model: model, Status: status,
		Code: redact(cut(said.word(), 100)), Param: cut(said.param, 100),
		Message: cut(redact(said.message), maxMessage), Rate: rateOf(header),
	}
	if e.Message == "" {
		e.Message = strings.TrimSpace("the provider answered " + strconv.Itoa(status) + " " + http.StatusText(status))
	}
	e.RetryAfter = retryAfter(header, said, e.Rate)
	if e.Kind = said.kind(kind, status, header); e.Kind == gateway.RateLimited {
		e.Quota = said.quota()
		e.OneModel = said.perModel || model != "" && strings.Contains(said.message, model) || usedUp(e.Rate)
	}
	return e
}

// quota: what is used up comes back with a day or a plan's window. Source: wire reference
// 12.4, Gemini's PerDay and Z.ai's 1304 and 1308.
func (f *failure) quota() bool { return f.daily || f.code == "1304" || f.code == "1308" }

// usedUp: a window of the answer's headers has nothing left. The providers that send them
// count by model.
func usedUp(rate *gateway.RateInfo) bool {
	if rate == nil {
		return false
	}
	for _, w := range [...]gateway.RateWindow{rate.Requests, rate.Tokens, rate.InputTokens, rate.OutputTokens} {
		if w.Limit > 0 && w.Remaining == 0 {
			return true
		}
	}
	return false
}

// kind applies the rules in order: the provider's own words, then its text, then the status.
func (f *failure) kind(adapter string, status int, header http.Header) gateway.Kind {
	text := strings.ToLower(f.message)
	waits := header.Get("Retry-After") != ""
	rateText := strings.Contains(text, "rate limit") || strings.Contains(text, "too many requests")
	switch {
	case status == 402 && waits:
		return gateway.RateLimited
	case status == 402:
		return gateway.ProviderBilling
	case status == 413 && (rateText || strings.Contains(text, "tokens per minute")):
		return gateway.Unsupported // one request is over the whole allowance of this provider
	case status == 403 && strings.Contains(text, "moderation"):
		return gateway.ContentFiltered
	}
	if k, known := kindOfRequest(status, text); known {
		return k
	}
	for _, word := range f.words {
		if k, known := kindOfWord[strings.ToLower(word)]; known {
			return k
		}
		if strings.EqualFold(word, "failed_precondition") {
			return failedPrecondition(text)
		}
	}
	if !rateText && tooLong.MatchString(text) {
		return gateway.ContextLength
	}
	if outOfCredit.MatchString(text) && (status != 400 && status != 422 || ownCredit.MatchString(text)) {
		return gateway.ProviderBilling
	}
	if status >= 400 && status < 500 && status != 401 && status != 429 && cannotHere.MatchString(text) {
		return gateway.Unsupported
	}
	for _, word := range f.words { // weaker words: the text may know better
		if k, known := kindOfFamily[strings.ToLower(word)]; known && (status < 300 || status >= 500) {
			return k
		}
	}
	return kindOfStatus(adapter, status, f)
}

func kindOfStatus(adapter string, status int, f *failure) gateway.Kind {
	switch status {
	case 400, 422:
		return gateway.Invalid
	case 401, 403:
		return gateway.ProviderAuth
	case 404, 405, 410, 501:
		return gateway.Unsupported
	case 408, 409:
		return gateway.RetryNow
	case 413:
		if kindOf(adapter).boundsBodies || hasWord(f, "request_too_large") {
			return gateway.Invalid // a body limit, not the model's window
		}
		return gateway.ContextLength
	case 425, 429:
		return gateway.RateLimited
	case 498, 503, 529:
		return gateway.Overloaded
	case 502:
		if f.empty {
			return gateway.RetryNow // an empty 502 is a proxy that lost its connection
		}
	}
	return gateway.Unavailable
}

func hasWord(f *failure, word string) bool {
	for _, w := range f.words {
		if w == word {
			return true
		}
	}
	return false
}

// kindOfWord is what providers' own codes mean, whatever the status.
var kindOfWord = map[string]gateway.Kind{
	"invalid_api_key": gateway.ProviderAuth, "unsupported_country_region_territory": gateway.ProviderAuth,
	"api_key_invalid": gateway.ProviderAuth, "permission_denied": gateway.ProviderAuth,
	"unauthenticated":      gateway.ProviderAuth,
	"authentication_error": gateway.ProviderAuth, "permission_error": gateway.ProviderAuth,
	"1000": gateway.ProviderAuth, "1001": gateway.ProviderAuth, "1002": gateway.ProviderAuth,
	"1003": gateway.ProviderAuth, "1004": gateway.ProviderAuth,

	"credit_balance_exhausted": gateway.ProviderBilling, "organization_spend_limit_exceeded": gateway.ProviderBilling,
	"project_spend_limit_exceeded": gateway.ProviderBilling, "organization_usage_limit_exceeded": gateway.ProviderBilling,
	"insufficient_quota": gateway.ProviderBilling, "exceeded_current_quota_error": gateway.ProviderBilling,
	"billing_error": gateway.ProviderBilling, "enforced_spend_limit_reached": gateway.ProviderBilling, "1113": gateway.ProviderBilling,

	"rate_limit_exceeded": gateway.RateLimited, "slow_down": gateway.RateLimited, "rate_limit_reached_error": gateway.RateLimited,
	"1302": gateway.RateLimited, "1303": gateway.RateLimited, "1304": gateway.RateLimited,
	"1305": gateway.RateLimited, "1308": gateway.RateLimited,

	"model_not_found": gateway.Unsupported, "not_found_error": gateway.Unsupported,
	"unsupported_parameter": gateway.Unsupported, "unsupported_value": gateway.Unsupported,

	"context_length_exceeded": gateway.ContextLength, "1261": gateway.ContextLength,

	"content_policy_violation": gateway.ContentFiltered, "invalid_prompt": gateway.ContentFiltered,
	"content_filter": gateway.ContentFiltered, "1301": gateway.ContentFiltered,

	"server_is_overloaded": gateway.Overloaded, "overloaded_error": gateway.Overloaded,
	"unavailable": gateway.Overloaded, "capacity_exceeded": gateway.Overloaded,
	"internal": gateway.Unavailable, "deadline_exceeded": gateway.Unavailable,
	"provider_unavailable": gateway.Unavailable, "insufficient_system_resource": gateway.Unavailable,
	"tool_use_failed": gateway.RetryNow,
}

// kindOfFamily is what broad words mean where no status tells more: in a stream.
var kindOfFamily = map[string]gateway.Kind{
	"rate_limit_error": gateway.RateLimited, "resource_exhausted": gateway.RateLimited,
	"invalid_request_error": gateway.Invalid, "invalid_argument": gateway.Invalid,
}

var (
	tooLong = regexp.MustCompile(`context_length_exceeded|prompt is too long|exceeds the context window|` +
		`maximum context length is \d+|input token count .* exceeds the maximum|maximum prompt length is|` +
		`reduce the length of the messages|longer than the model's context length|exceeds the available context size|` +
		`greater than the context length|context window exceeds limit|exceeded model token limit|` +
		`too large for model with \d+ maximum context length|prompt too long; exceeded max context length|` +
		`input length exceeds the context length|range of input length should be`)
	outOfCredit = regexp.MustCompile(`credit balance|insufficient balance|insufficient_quota|billing|spend limit|` +
		`spending limit|api usage limits|quota exceeded .*plan`)
	// cannotHere marks faults of our translation and of this one model: another may do it.
	cannotHere = regexp.MustCompile(`does not support|is not supported|not supported|unsupported|unknown name|` +
		`thought_signature|reasoning_content|is deprecated for this model|extra inputs are not permitted|extra_forbidden`)
)
