package providers

import (
	"context"
	"strings"

	"github.com/tidwall/gjson"

	"gateway"
)

// The toy format is invented, to show what a kind of provider takes: this file and no other.
// A body is {"model","stream","most","lines":[{"from":"me"|"it","text","knot"}]}; an answer is
// {"text","knot","why","spent":[prompt,answer]}, or events of which the last has the why.
// A knot is opaque state that the provider wants back with the line that it came with.
const (
	toyKind              = "toy"
	toyWire gateway.Wire = "toy"
)

func init() {
	register(kind{
		name: toyKind, adapter: func(s Settings) (Adapter, error) { return &toy{caller{s}}, nil },
		protocol: gateway.Protocol{Wire: toyWire, Verbatim: true},
		can:      gateway.Abilities{Chat: true},
	})
}

type toy struct{ caller }

func (a *toy) Open(ctx context.Context, call *gateway.Call) (gateway.Stream, error) {
	relayed := call.Request.Wire == toyWire && call.Prefill == ""
	raw := call.Request.Raw
	if !relayed {
		chat, err := call.Chat()
		if err != nil {
			return nil, err
		}
		raw = a.translate(call, chat)
	}
	body, err := splicedBody(call, raw, "most")
	if err != nil {
		return nil, err
	}
	resp, err := a.post(ctx, call, a.BaseURL+"/toy", nil, payload{body})
	if err != nil {
		return nil, err
	}
	s := &toyStream{}
	s.start(ctx, a.caller, call, relayed, resp.Body, s)
	if isJSON(resp.Header.Get("Content-Type")) {
		if failure := s.readWhole(resp); failure != nil {
			return nil, failure
		}
	}
	return s, nil
}

func (a *toy) Embed(_ context.Context, call *gateway.Call) (*gateway.Embeddings, error) {
	return nil, &gateway.Error{Kind: gateway.Unsupported, Provider: a.Name, Model: call.Model.Name, Message: "the provider has no embeddings"}
}

func (a *toy) translate(call *gateway.Call, chat *gateway.Chat) []byte {
	var lines []string
	for i := range chat.Messages {
		m, line, text := &chat.Messages[i], objectWriter{}, ""
		for _, p := range m.Parts {
			text += p.Text
		}
		from := "me"
		if m.Speaker == gateway.Assistant {
			from = "it"
		}
		line.put("from", quoted(from))
		line.put("text", quoted(text))
		for _, t := range m.Thinking {
			if t.Maker == toyKind && (t.Model == "" || t.Model == call.Model.Name) {
				line.put("knot", quoted(t.Signature))
			}
		}
		lines = append(lines, string(line.done()))
	}
	w := objectWriter{}
	w.put("lines", array(lines))
	return []byte(w.done())
}

type toyStream struct {
	eventStream
	whole bool
	usage *gateway.Usage
}

func (s *toyStream) finished() bool       { return s.whole }
func (s *toyStream) terminal() bool       { return s.whole }
func (s *toyStream) used() *gateway.Usage { return s.usage }

func (s *toyStream) decode(c *gateway.Chunk, event sseEvent) (bool, *gateway.Error) {
	if !gjson.ValidBytes(event.Data) {
		return false, garbled(s.call, nil)
	}
	return s.read(c, gjson.ParseBytes(event.Data)), nil
}

func (s *toyStream) read(c *gateway.Chunk, v gjson.Result) bool {
	c.Text = v.Get("text").Str
	if knot := v.Get("knot").Str; knot != "" {
		c.Thinking = []gateway.Thinking{{Maker: toyKind, Model: s.call.Model.Name, Signature: knot}}
	}
	if why := v.Get("why").Str; why != "" {
		s.usage = &gateway.Usage{Fresh: int(v.Get("spent.0").Int()), Output: int(v.Get("spent.1").Int()), Reported: true}
		s.whole, c.Finish, c.Native, c.Usage = true, gateway.FinishStop, strings.Clone(why), s.usage
	}
	return saysAnything(c)
}

func (s *toyStream) body(raw []byte) *gateway.Error {
	var c gateway.Chunk
	if !gjson.ValidBytes(raw) || !s.read(&c, gjson.ParseBytes(raw)) || !s.whole {
		return garbled(s.call, nil)
	}
	if s.relayed {
		c.Raw, c.Whole = raw, true
	}
	s.queue = append(s.queue, c)
	return nil
}
