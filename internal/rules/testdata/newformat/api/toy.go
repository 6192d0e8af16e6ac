package api

import (
	"net/http"

	"github.com/tidwall/gjson"

	"gateway"
)

// The toy format is invented, to show what a format of clients takes: this file and no
// other. See its provider for what a body and an answer look like.
const (
	toyWire  gateway.Wire = "toy"
	toyMaker              = "toy" // whose knots are handed on as they are
)

func init() {
	register(&dialect{
		wire:   toyWire,
		claims: func(r *http.Request) bool { return r.URL.Path == "/toy" },
		endpoints: func(s *Server, d *dialect) []endpoint {
			return []endpoint{{http.MethodPost, "/toy", spends, s.converse(d)}}
		},
		scan:   scanToy,
		whole:  toyWhole,
		events: func(*gateway.Request, *gateway.Answer) eventWriter { return &toyWriter{} },
		failure: func(b []byte, p *problem, _ string) ([]byte, int) {
			return append(appendString(append(b, `{"oops":`...), p.message), '}'), p.status
		},
		alive: ": keep-alive\n\n",
	})
}

func scanToy(_ *http.Request, raw []byte, req *gateway.Request) *gateway.Error {
	o, err := parse(raw)
	if err != nil {
		return err
	}
	lines, _ := o.get("lines")
	if !lines.IsArray() {
		return field("lines", "lines must be an array.")
	}
	req.Raw, req.Wire, req.Decode = raw, toyWire, decodeToy
	req.Model, req.Stream, req.MaxTokens = o.at("model").Str, o.at("stream").Bool(), int(o.at("most").Int())
	lines.ForEach(func(_, line gjson.Result) bool {
		req.Messages++
		req.PromptBytes += len(line.Get("text").Str)
		return true
	})
	return nil
}

func decodeToy(raw []byte) (*gateway.Chat, error) {
	chat := &gateway.Chat{MaxTokens: int(gjson.GetBytes(raw, "most").Int())}
	gjson.GetBytes(raw, "lines").ForEach(func(_, line gjson.Result) bool {
		m := gateway.Message{Speaker: gateway.User, Parts: []gateway.Part{{Text: line.Get("text").Str}}}
		if line.Get("from").Str == "it" {
			m.Speaker = gateway.Assistant
		}
		if knot := line.Get("knot").Str; isSealed(knot) {
			s, _ := unseal(knot)
			s.into(&m, map[string]string{})
		} else if knot != "" {
			m.Thinking = []gateway.Thinking{{Maker: toyMaker, Signature: knot}}
		}
		chat.Messages = append(chat.Messages, m)
		return true
	})
	return chat, nil
}

func toyWhole(b []byte, _ *gateway.Request, a *gateway.Answer) []byte {
	ch := &a.Completion.Choices[0]
	var s state
	for _, t := range ch.Thinking {
		s.think(t)
	}
	b = appendString(append(b, `{"text":`...), ch.Text)
	return append(toyEnd(append(b, ','), s, ch.Native, &a.Completion.Usage), '}')
}

func toyEnd(b []byte, s state, why string, u *gateway.Usage) []byte {
	if len(s) > 0 {
		b = append(appendString(append(b, `"knot":`...), or(s.vendors(toyMaker), gateway.Seal(s...))), ',')
	}
	b = appendString(append(b, `"why":`...), why)
	b = appendInt(b, `,"spent":[`, u.Prompt())
	return append(appendInt(b, `,`, u.Output), ']')
}

// toyWriter passes events of a toy provider on as they came; the last one waits for the end.
type toyWriter struct {
	state state
	why   string
	last  []byte
}

func (w *toyWriter) silent(c *gateway.Chunk) bool { return c.Whole && !c.HasContent() }

func (w *toyWriter) chunk(b []byte, c *gateway.Chunk) []byte {
	if c.Raw != nil && !c.Whole {
		if c.Finish != "" {
			w.last = appendData(nil, c.Raw)
			return b
		}
		return appendData(b, c.Raw)
	}
	for _, t := range c.Thinking {
		w.state.think(t)
	}
	w.why = or(c.Native, w.why)
	if c.Text == "" {
		return b
	}
	return append(appendString(append(b, `data: {"text":`...), c.Text), "}\n\n"...)
}

func (w *toyWriter) end(b []byte, u *gateway.Usage, _ []gateway.AttemptNote) []byte {
	if w.last != nil {
		return append(b, w.last...)
	}
	if u == nil {
		u = &gateway.Usage{}
	}
	return append(toyEnd(append(b, "data: {"...), w.state, w.why, u), "}\n\n"...)
}

func (w *toyWriter) fail(b []byte, p *problem) []byte {
	return append(appendString(append(b, `data: {"oops":`...), p.message), "}\n\n"...)
}
