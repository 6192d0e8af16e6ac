package providers

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	neturl "net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/tidwall/gjson"

	"gateway"
)

// NewClient makes the HTTP client that all adapters share. It keeps many connections
// per provider, uses HTTP/2 where offered, never follows a redirect (it would carry
// the key elsewhere) and asks for no compression, which would hold back a stream.
// It sets no time limits: each attempt's context does. The usual proxy variables hold.
func NewClient() *http.Client {
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     newTransport(),
	}
}

// caller makes HTTP calls to one provider; adapters embed it.
type caller struct{ Settings }

var errAttemptTimeout = errors.New("attempt took longer than its limit")

// post sends a body and returns the 2xx answer; anything else is an *gateway.Error.
// Close the answer's body. A request that dies on a reused connection before a byte
// of answer is sent again on another by the transport.
func (c *caller) post(ctx context.Context, call *gateway.Call, url string, header http.Header, body payload) (*http.Response, error) {
	cancel := context.CancelFunc(func() {})
	if c.Timeout > 0 {
		ctx, cancel = context.WithTimeoutCause(ctx, c.Timeout, errAttemptTimeout)
	}
	address, err := parsedURL(url)
	if err != nil {
		cancel()
		return nil, &gateway.Error{Kind: gateway.Internal, Provider: c.Name, Model: call.Model.Name, Message: "the provider's address is not valid"}
	}
	resp, sent, err := c.exchange(ctx, call, address, header, body)
	if err != nil {
		failure := c.transportError(ctx, call, err)
		failure.Sent = sent && failure.Kind != gateway.LedgerDown
		cancel()
		return nil, failure
	}
	rate := rateOf(resp.Header)
	if rate != nil && call.OnRate != nil {
		call.OnRate(*rate)
	}
	name := callID(resp.Header)
	if name != "" && call.OnNamed != nil {
		call.OnNamed(name)
	}
	if resp.StatusCode/100 != 2 {
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
		resp.Body.Close()
		cancel()
		failure := classify(c.Kind, c.Name, call.Model.Name, resp.StatusCode, resp.Header, said)
		failure.Sent, failure.CallID = true, name
		failure.Message, failure.Code = c.unquoted(failure.Message), c.unquoted(failure.Code)
		if call.Model.Protocol.Passes(call.Request) {
			failure.Body = c.readable(resp.StatusCode, said)
		}
		return nil, failure
	}
	resp.Body = c.timed(resp.Body, cancel)
	return resp, nil
}

// callID is how a provider names a call in the headers of its answer: Anthropic and OpenAI
// do, and many that speak their formats.
func callID(h http.Header) string {
	for _, name := range [...]string{"Request-Id", "X-Request-Id"} {
		if id := h.Get(name); saneID.MatchString(id) {
			return id
		}
	}
	return ""
}

var saneID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)

// readable is the body of a refusal, if the client may read it as it came: an object that
// names no key.
func (c *caller) readable(status int, said []byte) []byte {
	if status/100 != 4 || !gjson.ValidBytes(said) || !gjson.ParseBytes(said).IsObject() ||
		secrets.Match(said) || c.unquoted(string(said)) != string(said) {
		return nil
	}
	return said
}

// unquoted takes out our own key, of whatever shape: providers quote the one they refuse. One
// that is shorter than any real one is a word of a test or a local server.
func (c *caller) unquoted(text string) string {
	const least = 8
	if len(c.Key) < least {
		return text
	}
	return strings.ReplaceAll(text, c.Key, "[redacted]")
}

// exchange makes the call. sent says that some of the request may have reached the
// provider.
func (c *caller) exchange(ctx context.Context, call *gateway.Call, u *neturl.URL, header http.Header, body payload) (resp *http.Response, sent bool, err error) {
	var began atomic.Bool
	client := c.client()
	if t, ok := client.Transport.(*transport); ok && t.plain(u) {
		resp, err = t.direct.send(ctx, u, header, body, hooks{ready: call.OnReady, began: func() { began.Store(true) }, sent: call.OnSent})
		return resp, began.Load(), err
	}
	headers := make(http.Header, len(header)+2)
	for k, v := range header {
		headers[k] = v
	}
	headers["Content-Type"] = jsonType
	return c.through(ctx, client, call, u, headers, body)
}

// readyBody asks before the first byte of it is written: a body that may not be sent ends
// the request with nothing but its headers gone.
type readyBody struct {
	from  *payloadReader
	ready func() error
}

func (b *readyBody) Read(p []byte) (int, error) {
	if err := b.ready(); err != nil {
		return 0, err
	}
	return b.from.Read(p)
}

func (b *readyBody) Close() error { return nil }

// onceOnly lets a call that is made on two connections be told of once.
func onceOnly(f func() error) func() error {
	if f == nil {
		return nil
	}
	return sync.OnceValue(f)
}

// onlyOnce is onceOnly for what cannot fail.
func onlyOnce(f func()) func() {
	if f == nil {
		return func() {}
	}
	return sync.OnceFunc(f)
}

var jsonType = []string{"application/json"}

func (c *caller) client() *http.Client {
	if c.Client != nil {
		return c.Client
	}
	return http.DefaultClient
}

// cancelBody frees the attempt's context together with the body.
type cancelBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

// timed is the body of an answer, with what ends its time limit if there is one.
func (c *caller) timed(body io.ReadCloser, cancel context.CancelFunc) io.ReadCloser {
	if c.Timeout <= 0 {
		return body
	}
	return &cancelBody{body, cancel}
}

func (b *cancelBody) Close() error {
	b.cancel()
	return b.ReadCloser.Close()
}

func (b *cancelBody) wait() {
	if w, ok := b.ReadCloser.(interface{ wait() }); ok {
		w.wait()
	}
}

// transportError says what a failed round trip or read means. The URL is left out of
// the cause: it may hold a key.
func (c *caller) transportError(ctx context.Context, call *gateway.Call, err error) *gateway.Error {
	var own *gateway.Error // of OnReady
	if errors.As(err, &own) {
		refused := *own
		return &refused
	}
	cause := err
	var withURL *neturl.Error
	if errors.As(err, &withURL) {
		cause = withURL.Err
	}
	var netErr net.Error
	e := &gateway.Error{Provider: c.Name, Model: call.Model.Name, Err: cause}
	switch {
	case errors.Is(context.Cause(ctx), errAttemptTimeout), errors.Is(err, errAttemptTimeout):
		e.Kind, e.Message, e.Err = gateway.Timeout, "the attempt took too long", errAttemptTimeout
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		e.Kind, e.Message, e.Err = gateway.Deadline, "the request's deadline passed", context.Cause(ctx)
	case ctx.Err() != nil:
		e.Kind, e.Message, e.Err = gateway.Canceled, "canceled", context.Cause(ctx)
	case errors.As(err, &netErr) && netErr.Timeout():
		e.Kind, e.Message = gateway.Timeout, "connection timed out"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		e.Kind, e.Message = gateway.RetryNow, "connection was closed before an answer"
	default:
		e.Kind, e.Message = gateway.Unavailable, "connection failed"
	}
	return e
}
