package providers

import (
	"bytes"
	"context"
	"io"
	"mime"
	"net/http"

	"gateway"
)

const (
	openAIKind = "openai_compatible"
	// openAIWire is POST /v1/chat/completions, and /v1/embeddings beside it.
	openAIWire gateway.Wire = "openai_chat"
)

func init() {
	register(kind{
		name: openAIKind, adapter: newOpenAI,
		protocol: gateway.Protocol{Wire: openAIWire, Unsigned: true},
		adapt: func(p *gateway.Protocol, q *Quirks) {
			if q.Reasoning { // OpenAI itself
				p.Hides, p.ImageTokens = true, imageMost
			}
		},
		can: gateway.Abilities{Chat: true, Tools: true, ToolForce: true, JSONMode: true, JSONSchema: true, StrictJSON: true, ImageData: true,
			ImageURL: true, Many: true, Logprobs: true},
		embeds: gateway.Abilities{TokenInput: true},
	})
}

// imageMost is the most tokens of one image at a vendor that scales images before it counts.
const imageMost = 5000

// openAI speaks Chat Completions and Embeddings to any server of that format.
type openAI struct {
	caller
	header http.Header
}

func newOpenAI(s Settings) (Adapter, error) {
	a := &openAI{caller: caller{s}, header: http.Header{}}
	if s.Key != "" {
		a.header.Set("Authorization", "Bearer "+s.Key)
	}
	return a, nil
}

// Open sends the chat request. A whole answer is given as a stream too.
func (a *openAI) Open(ctx context.Context, call *gateway.Call) (gateway.Stream, error) {
	body, err := a.body(call)
	if err != nil {
		return nil, err
	}
	resp, err := a.post(ctx, call, a.BaseURL+"/chat/completions", a.header, body)
	if err != nil {
		return nil, err
	}
	if call.Plain || isJSON(resp.Header.Get("Content-Type")) {
		return a.whole(ctx, call, resp)
	}
	return newOpenAIStream(ctx, a, call, resp), nil
}

// isJSON says whether a content type is a single JSON body. Other types are read as
// events, as some servers name theirs wrongly.
func isJSON(contentType string) bool {
	switch contentType { // as nearly all servers write it
	case "application/json", "application/json; charset=utf-8":
		return true
	case "text/event-stream", "text/event-stream; charset=utf-8":
		return false
	}
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && kind == "application/json"
}

// whole reads an answer that is one JSON body, as a stream would have given it.
func (a *openAI) whole(ctx context.Context, call *gateway.Call, resp *http.Response) (gateway.Stream, error) {
	defer resp.Body.Close()
	body, err := readWhole(resp)
	if err != nil {
		return nil, a.brokenRead(ctx, call, err)
	}
	s := &openAIStream{a: a, ctx: ctx, call: call}
	if body = bytes.TrimSpace(body); bytes.HasPrefix(body, []byte("data:")) {
		// Events under a wrong content type.
		s.events = newSSEReader(bytes.NewReader(append(body, "\n\n"...)))
		return s, nil
	}
	if failure := s.decode(body, "message"); failure != nil {
		failure.Rate = rateOf(resp.Header)
		return nil, failure
	}
	if !s.complete() {
		return nil, garbled(call, nil)
	}
	s.err = io.EOF // after what is in the queue
	return s, nil
}

// brokenRead is the failure of a body that stopped: ours, if the context ended.
func (c *caller) brokenRead(ctx context.Context, call *gateway.Call, err error) *gateway.Error {
	var failure *gateway.Error
	if ctx.Err() != nil {
		failure = c.transportError(ctx, call, err)
		failure.Sent = true
		return failure
	}
	if err == errEventTooLarge {
		return garbled(call, err)
	}
	failure = c.transportError(ctx, call, err)
	if failure.Kind == gateway.Timeout {
		failure.Sent = true
		return failure
	}
	return truncated(call, err)
}

// readWhole reads an answer that is one body, up to a limit, into memory of the size that
// the server announced.
func readWhole(resp *http.Response) ([]byte, error) {
	n := resp.ContentLength
	if n <= 0 || n > maxEvent {
		return io.ReadAll(io.LimitReader(resp.Body, 4*maxEvent))
	}
	body := make([]byte, n+1) // with room to see the end, which frees the connection
	read, err := io.ReadFull(resp.Body, body)
	if err == io.ErrUnexpectedEOF && int64(read) == n {
		err = nil
	}
	return body[:read], err
}
