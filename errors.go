package gateway

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind says what the router and the HTTP edge may do about a failure. It is set
// where the fact is known: in the provider's adapter for what a provider said, in
// the breaker for a refusal, at the edge for what the client did wrong.
type Kind uint8

const (
	Internal        Kind = iota // our bug, or nobody classified it: loud at the edge, never retried
	Invalid                     // the request is wrong everywhere (the client's 400)
	Unauthorized                // the client's key is missing, unknown, expired or not allowed
	UnknownModel                // no provider has this model
	TooLarge                    // the body is over the limit of the gateway
	RetryNow                    // worth one quick repeat at the same provider: reset before any byte, 409
	RateLimited                 // try elsewhere, or here after RetryAfter
	Unavailable                 // connect failure, 5xx, cut or failed stream: the provider's fault
	Timeout                     // no content, or no next token, within the attempt's limit
	Overloaded                  // 503, 529: the provider says it is busy
	BadAnswer                   // garbage, an empty answer, or one that failed the caller's check
	Unsupported                 // only this provider or model cannot do it: 404 model, no tools, our translation
	ContextLength               // too long for this model; another may have a larger window
	ContentFiltered             // the provider's policy refused it
	ProviderAuth                // our key is refused: 401, 403
	ProviderBilling             // our credit or plan limit is used up
	CircuitOpen                 // the breaker lets nothing through now
	NoCapacity                  // our own limiter or queue is full
	BudgetExceeded              // the caller's budget does not hold this request
	Deadline                    // the request's own deadline passed
	Draining                    // the gateway is shutting down
	Canceled                    // the client left, or a hedge lost; nobody is to blame
	NoProvider                  // nothing configured can serve the request
	Forbidden                   // the client's key may not do this
	KeyLimited                  // the client's key or its team is at its own rate or number of requests
	UnknownKey                  // there is no such key to read or change
	Conflict                    // a request with the same Idempotency-Key runs or was answered
	LedgerDown                  // the books cannot be written, and this key's spending must be booked
)

var kindNames = [...]string{
	Internal: "internal", Invalid: "invalid", Unauthorized: "unauthorized", UnknownModel: "unknown_model",
	TooLarge: "too_large", RetryNow: "retry_now", RateLimited: "rate_limited", Unavailable: "unavailable",
	Timeout: "timeout", Overloaded: "overloaded", BadAnswer: "bad_answer", Unsupported: "unsupported",
	ContextLength: "context_length", ContentFiltered: "content_filtered", ProviderAuth: "provider_auth",
	ProviderBilling: "provider_billing", CircuitOpen: "circuit_open", NoCapacity: "no_capacity",
	BudgetExceeded: "budget_exceeded", Deadline: "deadline", Draining: "draining", Canceled: "canceled",
	NoProvider: "no_provider", Forbidden: "forbidden", KeyLimited: "key_limited", UnknownKey: "unknown_key", Conflict: "conflict", LedgerDown: "ledger_down",
}

// Kinds lists every kind, so that a test can ask each table to know them all.
func Kinds() []Kind {
	all := make([]Kind, len(kindNames))
	for i := range all {
		all[i] = Kind(i)
	}
	return all
}

// String is the kind's word in logs, metrics, receipts and ledger rows.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Error is a failure with what may be done about it.
type Error struct {
	Kind     Kind
	Provider string // empty when no provider was involved
	Model    string // as sent on the wire
	Status   int    // the provider's HTTP status; 0 if there was none
	Code     string // the provider's own code or type, for the log and for rules
	Param    string // the field of the request that is at fault, if one is known

	// Message may be shown to the client: no key, URL or stack, at most a few hundred bytes.
	Message string
	// RetryAfter is zero when the provider did not say. It is the full value, not clamped.
	RetryAfter time.Duration
	// OneModel, with RateLimited: the provider said that the limit is this model's own, and
	// not one of the account.
	OneModel bool
	// Quota, with RateLimited: an allowance of hours or days is used up, not a rate.
	Quota bool
	// Rate is what the answer's headers said about limits; nil when they said nothing.
	Rate *RateInfo
	// CallID is the provider's own name for the call; "" if it said none.
	CallID string
	// Body is what the provider said, as it came, if that is the client's to read: of a
	// refusal, in the client's own format, without secrets. Nil otherwise.
	Body []byte
	// Sent is true when the request's body may have reached the provider, so that it may bill the prompt.
	Sent bool
	// Usage is what the provider reported before it failed, if it did.
	Usage *Usage
	// Attempts is set on the final error of a request: what each attempt came to.
	Attempts []AttemptNote
	// Text is the model's text that failed a check (kind BadAnswer), cut to 500 characters.
	Text string
	// Readable, with BadAnswer: the answer came whole and in order, and is not what the
	// caller's check wants, or has nothing to show of the tokens that are counted for it.
	// It says as much of the request as of the provider.
	Readable bool
	// Short is set on BudgetExceeded: what the account held.
	Short *Shortage
	// Err is the cause, for the log only.
	Err error
}

// Blames says whether a failure speaks against who was asked: it could not be reached, was
// broken, too slow or overloaded, or gave garbage. What the caller caused, a limit, and a
// call that we ended ourselves do not.
func Blames(err error) bool {
	switch KindOf(err) {
	case RetryNow, Unavailable, Timeout, Overloaded:
		return true
	case BadAnswer:
		var e *Error
		return !errors.As(err, &e) || !e.Readable
	}
	return false
}

// AttemptNote is one line of a receipt: what one attempt came to. It holds no secret.
type AttemptNote struct {
	Attempt      int
	Provider     string
	Model        string
	Role         Role
	Start        time.Duration // since the request began
	FirstContent time.Duration // since the request began; 0 if no content came
	End          time.Duration // since the request began
	Outcome      string        // "ok" or the Kind's word
	Reason       string        // why it failed, safe for the client
	Cost         Microcents
	Estimated    bool
	Downgrade    string // what of the conversation's opaque state it was asked without; "" for nothing
}

// Error reads "deepseek: unavailable: 503: text".
func (e *Error) Error() string {
	var b strings.Builder
	if e.Provider != "" {
		b.WriteString(e.Provider)
		b.WriteString(": ")
	}
	b.WriteString(e.Kind.String())
	if e.Status != 0 {
		fmt.Fprintf(&b, ": %d", e.Status)
	}
	if e.Message != "" {
		b.WriteString(": ")
		b.WriteString(e.Message)
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf is the Kind of the first *Error in err's chain, Internal if there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// Errorf makes an Error of the given kind whose message may be shown to the client.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// RateInfo is what an answer's headers said about the provider's limits. A Limit or
// Remaining of -1 means that the header was absent.
type RateInfo struct {
	Requests, Tokens, InputTokens, OutputTokens RateWindow
}

// RateWindow is one limit: how large, how much is left, how long until it is full again.
type RateWindow struct {
	Limit, Remaining int
	Reset            time.Duration
}
