package providers

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"

	"gateway"
)

const (
	anthropicKind = "anthropic"
	// messagesWire is POST /v1/messages.
	messagesWire gateway.Wire = "anthropic_messages"
)

func init() {
	register(kind{
		name: anthropicKind, adapter: newAnthropic,
		protocol: gateway.Protocol{Wire: messagesWire, Verbatim: true, Hides: true, Prepaid: true, ImageTokens: imageMost},
		can: gateway.Abilities{Chat: true, Tools: true, ToolForce: true, JSONMode: true, JSONSchema: true, StrictJSON: true, ImageData: true,
			ImageURL: true, Files: true},
		bills: gateway.BillsSeen, boundsBodies: true,
		events: []string{"message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop", "ping"},
	})
}

// anthropicVersion is sent with translated requests: later versions take no sampling
// parameters, which some models here still do.
const anthropicVersion = "2023-06-01"

// anthropic speaks the Messages API.
type anthropic struct {
	caller
	url    string
	header http.Header
}

func newAnthropic(s Settings) (Adapter, error) {
	a := &anthropic{caller: caller{s}, header: http.Header{"Anthropic-Version": {anthropicVersion}}}
	a.url = strings.TrimSuffix(s.BaseURL, "/v1") + "/v1/messages" // base addresses are given in both forms
	switch {
	case strings.HasPrefix(s.Key, "sk-ant-oat"): // an OAuth token
		a.header.Set("Authorization", "Bearer "+s.Key)
	case s.Key != "":
		a.header.Set("X-Api-Key", s.Key)
	}
	return a, nil
}

// Open sends the request: a Messages body as the client wrote it, anything else
// translated. A request whose earlier thinking is refused is sent once more without.
func (a *anthropic) Open(ctx context.Context, call *gateway.Call) (gateway.Stream, error) {
	ask, err := a.ask(call, false)
	if err != nil {
		return nil, err
	}
	resp, err := a.post(ctx, call, a.url, a.headerFor(call, ask), payload{ask.body})
	if err != nil && ask.thinks && blamesThinking(err) {
		call.Downgraded("the reasoning of earlier turns was refused and left out")
		if ask, err = a.ask(call, true); err != nil {
			return nil, err
		}
		again := *call
		again.OnSent = nil // the first try told it
		resp, err = a.post(ctx, &again, a.url, a.headerFor(call, ask), payload{ask.body})
	}
	if err != nil {
		if !ask.relayed {
			ours(err)
		}
		return nil, err
	}
	if call.Plain || isJSON(resp.Header.Get("Content-Type")) {
		s := newMessagesStream(ctx, a, call, ask, resp.Body)
		if failure := s.readWhole(resp); failure != nil {
			return nil, failure
		}
		return s, nil
	}
	return newMessagesStream(ctx, a, call, ask, resp.Body), nil
}

// Embed is refused: there are no embeddings here.
func (a *anthropic) Embed(_ context.Context, call *gateway.Call) (*gateway.Embeddings, error) {
	return nil, &gateway.Error{Kind: gateway.Unsupported, Provider: a.Name, Model: call.Model.Name, Message: "the provider has no embeddings"}
}

func (a *anthropic) ask(call *gateway.Call, unthinking bool) (*messagesAsk, error) {
	if call.Request.Wire != messagesWire || call.Request.Raw == nil || call.Prefill != "" {
		return a.translate(call, unthinking)
	}
	return a.relay(call, unthinking)
}

func (a *anthropic) headerFor(call *gateway.Call, ask *messagesAsk) http.Header {
	if !ask.relayed || len(call.Request.Forward) == 0 {
		return a.header
	}
	header := a.header.Clone()
	for name, value := range call.Request.Forward {
		header.Set(name, value)
	}
	return header
}

// blamed are the words of a refusal that our translation brought about and not the
// client: fields and blocks that no OpenAI request has in this form.
var blamed = regexp.MustCompile(`thinking|signature|temperature|top_p|top_k|effort|output_config|tool_choice|cache_control|prefill`)

// ours marks a refusal of our translation: another provider may take the request.
func ours(err error) {
	var e *gateway.Error
	if errors.As(err, &e) && e.Status == http.StatusBadRequest && e.Kind == gateway.Invalid && blamed.MatchString(strings.ToLower(e.Message)) {
		e.Kind = gateway.Unsupported
	}
}

func blamesThinking(err error) bool {
	var e *gateway.Error
	return errors.As(err, &e) && e.Status == http.StatusBadRequest &&
		(e.Kind == gateway.Invalid || e.Kind == gateway.Unsupported) &&
		(strings.Contains(strings.ToLower(e.Message), "thinking") || strings.Contains(strings.ToLower(e.Message), "signature"))
}
