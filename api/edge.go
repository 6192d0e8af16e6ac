package api

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"gateway"
)

// edge is what a client is told of a failure.
type edge struct {
	status int
	kind   string // OpenAI's error type
	code   string
	text   string // sent where own is false, instead of the failure's own message
	own    bool   // the failure's message is the client's to read
}

// edges turns kinds into HTTP, once. Our key being refused, our credit being used up
// and our bugs are never shown as the client's fault.
var edges = map[gateway.Kind]edge{
	gateway.Internal:        {500, "server_error", "internal_error", "The gateway failed.", false},
	gateway.Invalid:         {400, "invalid_request_error", "invalid_request", "The request is not valid.", true},
	gateway.Unauthorized:    {401, "invalid_request_error", "invalid_api_key", "A valid API key is required.", true},
	gateway.Forbidden:       {403, "invalid_request_error", "model_not_found", "The API key may not do this.", true}, // OpenAI's code for a model that a project may not use
	gateway.UnknownKey:      {404, "invalid_request_error", "key_not_found", "There is no such key.", true},
	gateway.KeyLimited:      {429, "rate_limit_error", "rate_limit_exceeded", "The API key is at its limit.", true},
	gateway.UnknownModel:    {404, "invalid_request_error", "model_not_found", "No provider has this model.", true},
	gateway.TooLarge:        {413, "invalid_request_error", "request_too_large", "The request is too large.", true},
	gateway.RetryNow:        {503, "server_error", "provider_unavailable", "No provider could answer.", false},
	gateway.RateLimited:     {429, "rate_limit_error", "rate_limit_exceeded", "Every provider is at its rate limit.", false},
	gateway.Unavailable:     {503, "server_error", "provider_unavailable", "No provider could answer.", false},
	gateway.Timeout:         {504, "server_error", "provider_timeout", "No provider answered in time.", false},
	gateway.Overloaded:      {503, "server_error", "provider_overloaded", "Every provider is overloaded.", false},
	gateway.BadAnswer:       {502, "server_error", "bad_provider_answer", "No provider gave a usable answer.", false},
	gateway.Unsupported:     {400, "invalid_request_error", "unsupported", "No provider supports this request.", true},
	gateway.ContextLength:   {400, "invalid_request_error", "context_length_exceeded", "The request is too long for every model that could serve it.", true},
	gateway.ContentFiltered: {400, "invalid_request_error", "content_policy_violation", "A provider's content policy refused the request.", true},
	gateway.ProviderAuth:    {503, "server_error", "provider_unavailable", "No provider could answer.", false},
	gateway.ProviderBilling: {503, "server_error", "provider_unavailable", "No provider could answer.", false},
	gateway.CircuitOpen:     {503, "server_error", "provider_unavailable", "Every provider is resting after failures.", false},
	gateway.NoCapacity:      {503, "server_error", "no_capacity", "There is no room for more requests now.", false},
	gateway.BudgetExceeded:  {402, "insufficient_quota", "budget_exceeded", "The budget does not hold this request.", true},
	gateway.Deadline:        {504, "server_error", "deadline_exceeded", "No answer within the time allowed.", false},
	gateway.Draining:        {503, "server_error", "shutting_down", "The gateway is shutting down.", false},
	gateway.Canceled:        {499, "server_error", "client_closed_request", "The client left.", false},
	gateway.NoProvider:      {503, "server_error", "no_provider", "No provider is configured for this request.", true},
	gateway.Conflict:        {409, "invalid_request_error", "idempotency_conflict", "A request with this Idempotency-Key was made before.", true},
	gateway.LedgerDown:      {503, "server_error", "ledger_unavailable", "The books cannot be written now.", false},
}

// problem is a failure ready to be written.
type problem struct {
	edge
	message string
	param   string
	retry   time.Duration
	tries   []gateway.AttemptNote
	text    string
	short   *gateway.Shortage
	err     *gateway.Error
}

func problemOf(err error) problem {
	e := &gateway.Error{Kind: gateway.Internal, Err: err}
	errors.As(err, &e)
	ed, ok := edges[e.Kind]
	if !ok {
		ed = edges[gateway.Internal]
	}
	p := problem{edge: ed, message: ed.text, param: e.Param, retry: e.RetryAfter, tries: e.Attempts, text: e.Text, short: e.Short, err: e}
	if ed.own && e.Message != "" {
		p.message = e.Message
	}
	return p
}

// fail writes the failure in the format of its route.
// status, if given, replaces the table's.
func (s *Server) fail(c *gin.Context, err error, status ...int) {
	p := problemOf(err)
	if len(status) > 0 {
		p.status = status[0]
	}
	event(c).kind, event(c).err = p.err.Kind, p.err
	if p.err.Kind == gateway.Canceled {
		c.Abort()
		c.Status(p.status) // nobody reads it; the log does
		return
	}
	if p.retry > 0 {
		c.Header("Retry-After", strconv.Itoa(int(math.Ceil(p.retry.Seconds()))))
	}
	s.writeFailure(c, &p)
}

func (s *Server) writeFailure(c *gin.Context, p *problem) {
	c.Abort()
	d := dialectOf(c.Request)
	if p.err != nil {
		d.called(c.Writer.Header(), p.err.CallID, p.asItCame())
	}
	if p.asItCame() {
		c.Data(p.err.Status, "application/json", p.err.Body)
		return
	}
	body, status := d.failure(nil, p, event(c).id)
	c.Data(status, "application/json", body)
}

// asItCame says that the client gets the words of the only provider that was asked, which
// speaks its format: what it refuses is the client's to mend, and says more than we know.
func (p *problem) asItCame() bool {
	return p.own && p.err != nil && p.err.Body != nil && len(p.tries) <= 1
}

// failAs writes a failure that has nothing to do with providers.
func (s *Server) failAs(c *gin.Context, status int, code, text string) {
	p := problem{edge: edge{status: status, kind: "invalid_request_error", code: code}, message: text, err: gateway.Errorf(gateway.Invalid, "%s", text)}
	event(c).kind = gateway.Invalid
	s.writeFailure(c, &p)
}

func (p *problem) openAI(b []byte) []byte {
	b = append(b, `{"error":{"message":`...)
	b = appendString(b, p.message)
	b = append(b, `,"type":`...)
	b = appendString(b, p.kind)
	b = append(b, `,"param":`...)
	if p.param == "" {
		b = append(b, "null"...)
	} else {
		b = appendString(b, p.param)
	}
	b = append(b, `,"code":`...)
	b = appendString(b, p.code)
	b = p.shortage(b)
	b = p.attempts(b)
	return append(b, "}}"...)
}

func (p *problem) plain(b []byte) []byte {
	detail := p.message
	if p.text != "" {
		detail = p.text
	}
	b = append(b, `{"error":`...)
	b = appendString(b, p.code)
	b = append(b, `,"detail":`...)
	b = appendString(b, detail)
	b = p.shortage(b)
	b = p.attempts(b)
	return append(b, '}')
}

// reason is a kind in plain words: "provider billing".
func reason(k gateway.Kind) string { return strings.ReplaceAll(k.String(), "_", " ") }

// shortage says what the budget held, in microcents.
func (p *problem) shortage(b []byte) []byte {
	if p.short == nil {
		return b
	}
	b = append(b, `,"account":`...)
	b = appendString(b, p.short.Account)
	b = appendInt(b, `,"spent":`, int(p.short.Spent))
	b = appendInt(b, `,"held":`, int(p.short.Held))
	b = appendInt(b, `,"unsure":`, int(p.short.Unsure)) // a part of held
	b = appendInt(b, `,"limit":`, int(p.short.Limit))
	b = appendInt(b, `,"needed":`, int(p.short.Needed))
	if !p.short.Until.IsZero() {
		b = appendString(append(b, `,"period_ends":`...), p.short.Until.UTC().Format(time.RFC3339))
	}
	return b
}

// attempts says per attempt which provider it was and why it failed.
func (p *problem) attempts(b []byte) []byte {
	if len(p.tries) == 0 {
		return b
	}
	b = append(b, `,"attempts":[`...)
	for i, n := range p.tries {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"provider":`...)
		b = appendString(b, n.Provider)
		b = append(b, `,"model":`...)
		b = appendString(b, n.Model)
		b = append(b, `,"outcome":`...)
		b = appendString(b, n.Outcome)
		b = append(b, `,"reason":`...)
		b = appendString(b, n.Reason)
		b = append(b, '}')
	}
	return append(b, ']')
}
