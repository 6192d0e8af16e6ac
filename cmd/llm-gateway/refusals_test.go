package main

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
	"github.com/tidwall/gjson"

	"gateway/internal/fakeupstream"
)

// refusal is how each kind says no, with what an encoder of ours would not write.
var refusal = map[fakeupstream.Kind]string{
	fakeupstream.Anthropic:       "{ \"type\":\"error\",\n\"error\":{\"type\":\"invalid_request_error\",\"message\":\"messages.0: caf\\u00e9 WHAT\",\"details\":{\"error_code\":\"x\"}},\"request_id\":\"req_theirs\"}\n",
	fakeupstream.OpenAIResponses: "{\n \"error\": {\"message\":\"caf\\u00e9 WHAT\",\"type\":\"invalid_request_error\",\"param\":\"input[0]\",\"code\":\"invalid_value\",\"x\":1.50}\n}\n",
	fakeupstream.Gemini:          "{\n \"error\": {\"code\": 400, \"message\": \"caf\\u00e9 WHAT\", \"status\": \"INVALID_ARGUMENT\", \"details\": [{\"@type\":\"x\"}]}\n}\n",
}

// What a provider refuses in the client's own format reaches the client as it came, with the
// provider's status and its name for the call: all of it is the client's to mend. What
// would tell of our key, our credit or our limits is told in our words.
func TestARefusalIsTheProvidersOwn(t *testing.T) {
	for _, p := range nativePairs {
		t.Run(p.kind.String(), func(t *testing.T) {
			server := answers(t, p.kind, http.StatusOK, "{}")
			other := newUpstream(t, status(http.StatusServiceUnavailable, "overloaded"))
			pinned := configFile(t, p.entry("p", server.URL(), 1))
			fallen := configFile(t, entry{name: "a", url: other.URL, price: 1}, p.entry("p", server.URL(), 2))
			for name, c := range map[string]struct {
				config string
				status int
				what   string
				ours   bool
				hidden string
			}{
				"a bad request":         {pinned, 400, "is wrong", false, ""},
				"too many bytes":        {pinned, 413, "is too large", false, ""},
				"too long":              {pinned, 400, "prompt is too long: 200001 tokens > 200000 maximum", false, ""},
				"our key":               {pinned, 401, "invalid x-api-key", true, ""},
				"our credit":            {pinned, 402, "pay", true, ""},
				"our limit":             {pinned, 429, "organization 12345 is at its rate limit", true, ""},
				"a key in the text":     {pinned, 400, "of sk-ant-api03-abcdefgh", true, "abcdefgh"},
				"our key in the text":   {pinned, 400, "of s3cretOfOurs", true, "s3cretOfOurs"},
				"after somebody else's": {fallen, 400, "is wrong", true, ""},
			} {
				body := strings.Replace(refusal[p.kind], "WHAT", c.what, 1)
				server.ServeRaw(c.status, http.Header{"Content-Type": {"application/json"}, "Request-Id": {"req_theirs"}, "Retry-After": {"60"}}, []byte(body), 0)
				for _, stream := range []bool{false, true} {
					base, stop := startGateway(t, c.config, map[string]string{"TEST_API_KEY": "s3cretOfOurs"})
					got, resp := p.asks(t, base, stream)
					stop()
					if exact := got == body && resp.StatusCode == c.status; exact == c.ours || !gjson.Valid(got) {
						t.Errorf("%s, stream %v: %d %s", name, stream, resp.StatusCode, got)
					}
					if c.hidden != "" && strings.Contains(got, c.hidden) {
						t.Errorf("%s, stream %v: a key is told: %s", name, stream, got)
					}
					if id := resp.Header.Get("X-Gateway-Provider-Request-Id"); id != "req_theirs" && c.config == pinned {
						t.Errorf("%s, stream %v: the provider's name for the call is %q", name, stream, id)
					}
				}
			}
		})
	}
}

// asks makes the pair's request for any model, streaming or not.
func (p *nativePair) asks(t *testing.T, base string, stream bool) (string, *http.Response) {
	t.Helper()
	url, ask := p.at(base, "auto")
	switch {
	case stream && p.kind == fakeupstream.Gemini:
		url = strings.Replace(url, ":generateContent", ":streamGenerateContent", 1) + "?alt=sse"
	case stream:
		ask = strings.Replace(strings.Replace(ask, "{", `{"stream":true,`, 1), `"stream": false, `, "", 1)
	}
	resp, err := newClient(t).Post(url, "application/json", strings.NewReader(ask))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw), resp
}

// The official client finds Anthropic's name for a call where Anthropic puts it, of answers
// and of errors, and the kind of an error.
func TestAnthropicsClientFindsItsNames(t *testing.T) {
	p := &nativePairs[0]
	server := answers(t, p.kind, http.StatusOK, p.odd())
	base := serveGateway(t, configFile(t, p.entry("p", server.URL(), 1)), nil)
	client := anthropic.NewClient(option.WithBaseURL(base), option.WithAPIKey("none"), option.WithMaxRetries(0))
	params := anthropic.MessageNewParams{Model: "auto", MaxTokens: 4096, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("hi"))}}
	var resp *http.Response
	message, err := client.Messages.New(t.Context(), params, option.WithResponseInto(&resp))
	if err != nil || message.RawJSON() != strings.TrimSpace(p.odd()) && message.RawJSON() != p.odd() {
		t.Errorf("%v, %s", err, message.RawJSON())
	}
	if resp.Header.Get("Request-Id") != "req_theirs" || resp.Header.Get("X-Gateway-Request-Id") == "req_theirs" {
		t.Errorf("%v", resp.Header)
	}
	server.ServeRaw(http.StatusBadRequest, http.Header{"Request-Id": {"req_theirs"}}, []byte(strings.Replace(refusal[p.kind], "WHAT", "is wrong", 1)), 0)
	_, err = client.Messages.New(t.Context(), params)
	var failure *anthropic.Error
	if !errors.As(err, &failure) || failure.StatusCode != http.StatusBadRequest || failure.RequestID != "req_theirs" || failure.Type() != anthropic.ErrorTypeInvalidRequestError {
		t.Errorf("%v", err)
	}
	if _, ours, found := strings.Cut(err.Error(), "is wrong"); !found || strings.Contains(ours, "gateway") {
		t.Errorf("%v", err)
	}
}
