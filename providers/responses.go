package providers

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"gateway"
)

const (
	responsesKind = "openai_responses"
	// responsesWire is POST /v1/responses.
	responsesWire gateway.Wire = "openai_responses"
	// openAIMaker marks reasoning that only OpenAI can read.
	openAIMaker = "openai"
)

func init() {
	register(kind{
		name: responsesKind, adapter: newResponses,
		protocol: gateway.Protocol{Wire: responsesWire, Verbatim: true, Maker: openAIMaker, Hides: true, ImageTokens: imageMost},
		can: gateway.Abilities{Chat: true, Tools: true, ToolForce: true, JSONMode: true, JSONSchema: true, StrictJSON: true, ImageData: true,
			ImageURL: true, Files: true},
		events: []string{"response.output_text.delta", "response.function_call_arguments.delta", "response.reasoning_summary_text.delta"},
	})
}

// responses speaks OpenAI's Responses API, which some of its models have as the only one.
type responses struct {
	caller
	header http.Header
}

func newResponses(s Settings) (Adapter, error) {
	a := &responses{caller: caller{s}, header: http.Header{}}
	if s.Key != "" {
		a.header.Set("Authorization", "Bearer "+s.Key)
	}
	return a, nil
}

// Open sends the request: a Responses body as the client wrote it, anything else
// translated. A request whose earlier reasoning is refused is sent once more without; a
// translated one without its effort too.
func (a *responses) Open(ctx context.Context, call *gateway.Call) (gateway.Stream, error) {
	ask, err := a.ask(call, false)
	if err != nil {
		return nil, err
	}
	resp, err := a.send(ctx, call, ask)
	if err != nil && ask.reasons && blamesReasoning(err, ask.relayed) {
		call.Downgraded(ask.without())
		if ask, err = a.ask(call, true); err != nil {
			return nil, err
		}
		again := *call
		again.OnSent = nil // the first try told it
		resp, err = a.send(ctx, &again, ask)
	}
	if err != nil {
		if !ask.relayed {
			oursOfResponses(err)
		}
		return nil, err
	}
	if call.Plain || isJSON(resp.Header.Get("Content-Type")) {
		s := newResponsesStream(ctx, a, call, ask, resp.Body)
		if failure := s.readWhole(resp); failure != nil {
			return nil, failure
		}
		return s, nil
	}
	return newResponsesStream(ctx, a, call, ask, resp.Body), nil
}

// Embed is refused: embeddings are of another route, which openai_compatible speaks.
func (a *responses) Embed(_ context.Context, call *gateway.Call) (*gateway.Embeddings, error) {
	return nil, &gateway.Error{Kind: gateway.Unsupported, Provider: a.Name, Model: call.Model.Name, Message: "the provider has no embeddings"}
}

// responsesAsk is a body to be sent and how to read what it brings.
type responsesAsk struct {
	body     []byte
	relayed  bool // the client's own Responses body
	reasons  bool // asking again without effort and earlier reasoning makes a difference
	recalled bool // earlier reasoning is handed back
}

func (a *responses) ask(call *gateway.Call, unreasoning bool) (*responsesAsk, error) {
	if call.Request.Wire != responsesWire || call.Request.Raw == nil || call.Prefill != "" {
		return a.translate(call, unreasoning)
	}
	return a.relay(call, unreasoning)
}

// without says what is left out when the request is sent once more.
func (r *responsesAsk) without() string {
	if r.recalled {
		return "the reasoning of earlier turns was refused and left out"
	}
	return "the reasoning effort was refused and left out"
}

func (a *responses) send(ctx context.Context, call *gateway.Call, ask *responsesAsk) (*http.Response, error) {
	header := a.header
	if ask.relayed && len(call.Request.Forward) > 0 {
		header = a.header.Clone()
		for name, value := range call.Request.Forward {
			header.Set(name, value)
		}
	}
	return a.post(ctx, call, a.BaseURL+"/responses", header, payload{ask.body})
}

// refusedHere says whether a provider found a request itself at fault.
func refusedHere(err error) (*gateway.Error, bool) {
	var e *gateway.Error
	ok := errors.As(err, &e) && e.Status == http.StatusBadRequest && (e.Kind == gateway.Invalid || e.Kind == gateway.Unsupported)
	return e, ok
}

// blamesReasoning says whether a refusal is about the effort or about reasoning of an
// earlier turn, which another key or model cannot read. Of a relayed request the effort
// is the client's own and is sent again as it was: it is about the input or nothing.
func blamesReasoning(err error, relayed bool) bool {
	e, refused := refusedHere(err)
	if !refused {
		return false
	}
	text := strings.ToLower(e.Code + " " + e.Param + " " + e.Message)
	if relayed && !strings.HasPrefix(strings.ToLower(e.Param), "input") {
		return strings.Contains(text, "encrypted")
	}
	return strings.Contains(text, "reasoning") || strings.Contains(text, "encrypted")
}

// oursOfResponses marks a refusal of a field that our translation wrote and that no
// Chat Completions request has in this form: another provider may take the request.
func oursOfResponses(err error) {
	e, refused := refusedHere(err)
	if !refused {
		return
	}
	text := strings.ToLower(e.Param + " " + e.Code)
	for _, word := range [...]string{"max_output_tokens", "include", "store", "reasoning", "encrypted", "unknown_parameter"} {
		if strings.Contains(text, word) {
			e.Kind = gateway.Unsupported
		}
	}
}
