package providers

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"gateway"
)

// delta reads the new part of a choice into chunk.
func (s *openAIStream) delta(chunk *gateway.Chunk, state *openAIChoice, piece gjson.Result) {
	var details gjson.Result
	var media objectWriter
	piece.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "content":
			if value.IsArray() {
				contentParts(chunk, value)
			} else if value.Type == gjson.String {
				chunk.Text = state.text.text(value)
				s.textIs(value)
			}
		case "reasoning_content", "reasoning":
			if value.Type == gjson.String && chunk.Reasoning == "" {
				chunk.Reasoning = state.thought.text(value)
				s.textIs(value)
			}
		case "reasoning_details":
			details = value
		case "refusal":
			if value.Type == gjson.String {
				chunk.Refusal = owned(value)
			}
		case "audio", "images":
			if (value.IsObject() || value.IsArray()) && strings.TrimSpace(value.Raw[1:len(value.Raw)-1]) != "" {
				media.put(key.Str, value.Raw)
			}
		case "tool_calls":
			s.toolCalls(chunk, state, value)
		case "function_call":
			if value.IsObject() {
				first := len(s.tools)
				s.toolCall(state, value, value, 0, len(state.calls))
				chunk.Tools = s.tools[first:]
			}
		case "annotations":
			if value.IsArray() {
				chunk.Annotations = json.RawMessage(value.Raw)
			}
		}
		return true
	})
	if len(media.out) > 0 {
		chunk.Media = media.bytes()
	}
	if chunk.Reasoning == "" && details.IsArray() {
		details.ForEach(func(_, d gjson.Result) bool {
			chunk.Reasoning += d.Get("text").String() + d.Get("summary").String()
			return true
		})
		chunk.Reasoning = strings.Clone(chunk.Reasoning)
	}
	s.reasons(state, chunk)
}

// contentParts reads content that is a list of text and thinking parts (Mistral).
func contentParts(chunk *gateway.Chunk, parts gjson.Result) {
	var text, reasoning strings.Builder
	parts.ForEach(func(_, part gjson.Result) bool {
		switch part.Get("type").Str {
		case "text":
			text.WriteString(part.Get("text").String())
		case "thinking":
			thinking := part.Get("thinking")
			if thinking.Type == gjson.String {
				reasoning.WriteString(thinking.Str)
			}
			thinking.ForEach(func(_, t gjson.Result) bool {
				reasoning.WriteString(t.Get("text").String())
				return true
			})
		}
		return true
	})
	chunk.Text, chunk.Reasoning = text.String(), reasoning.String()
}

func (s *openAIStream) toolCalls(chunk *gateway.Chunk, state *openAIChoice, calls gjson.Result) {
	first, position, before := len(s.tools), 0, len(state.calls)
	calls.ForEach(func(_, call gjson.Result) bool {
		index := position
		if i := call.Get("index"); i.Type == gjson.Number {
			index = int(i.Int())
		} else if id := call.Get("id").Str; id != "" {
			index = state.indexOf(id)
		}
		s.toolCall(state, call, call.Get("function"), index, before)
		position++
		return true
	})
	chunk.Tools = s.tools[first:len(s.tools):len(s.tools)]
}

// piece is a piece of a call's arguments.
func (c *openAIChoice) piece(index int, arguments gjson.Result) string {
	if c.pieces == nil && !endsInHalf(arguments.Raw) {
		return owned(arguments)
	}
	if c.pieces == nil {
		c.pieces = map[int]halves{}
	}
	h := c.pieces[index]
	text := h.text(arguments)
	c.pieces[index] = h
	return text
}

// indexOf places a call that came without an index: by its id, or as a new one.
func (c *openAIChoice) indexOf(id string) int {
	next := 0
	for _, k := range c.calls {
		if k.id == id {
			return k.index
		}
		next = max(next, k.index+1)
	}
	return next
}

// callOf is the call that a piece goes on with; nil if it begins one.
func (c *openAIChoice) callOf(index int, id, name string) *openAICall {
	for i := len(c.calls) - 1; i >= 0; i-- {
		if k := &c.calls[i]; k.index == index && (id == "" || id == k.id) {
			return k
		}
	}
	if k := c.last(index); k != nil && !k.another(id, name) {
		return k
	}
	return nil
}

// last is the latest call under a server's index; nil if there is none.
func (c *openAIChoice) last(index int) *openAICall {
	for i := len(c.calls) - 1; i >= 0; i-- {
		if k := &c.calls[i]; k.index == index {
			return k
		}
	}
	return nil
}

// begin adds a call, told on under the server's index for it if no other is.
func (c *openAIChoice) begin(index int, id, name string) *openAICall {
	told, next := index, 0
	for _, k := range c.calls {
		next = max(next, k.told+1)
		if k.told == index {
			told = -1
		}
	}
	if told < 0 {
		told = next
	}
	c.calls = append(c.calls, openAICall{index: index, told: told, id: id, name: name})
	return &c.calls[len(c.calls)-1]
}

// toolCall reads a piece of a call. before is how many calls there were when its event
// began: nobody cuts a call in two within one event.
//
// A piece under the index of a call, with its name, an id of another and no arguments is
// one of two things: of a server that makes an id for each piece it goes on with the call;
// of one that gives all calls the same index it begins another. Which it was is seen by
// what comes: arguments for the new id begin the call, arguments for the old one under a
// third id show that ids say nothing here, and at the end of the choice (see settle) a
// call has none.
func (s *openAIStream) toolCall(state *openAIChoice, call, function gjson.Result, index, before int) {
	var d gateway.ToolDelta
	arguments := function.Get("arguments")
	if !function.Exists() || function.Type == gjson.Null { // of a tool that takes any text, if it is one
		if custom := call.Get("custom"); custom.IsObject() {
			function, d.Custom, arguments = custom, true, custom.Get("input")
		}
	}
	if arguments.IsObject() {
		d.Arguments = strings.Clone(arguments.Raw) // some servers send the object itself
	} else {
		d.Arguments = state.piece(index, arguments)
	}
	d.Signature = strings.Clone(call.Get("extra_content.google.thought_signature").Str)
	id, name := call.Get("id").Str, function.Get("name").Str
	last, fresh := state.last(index), false
	if n := last.waiting(id); n > 0 && d.Arguments != "" {
		ids := last.next[:n]
		name, last.next = last.name, nil
		for _, id := range ids[:n-1] {
			s.tools = append(s.tools, gateway.ToolDelta{Index: state.begin(index, id, name).told, ID: id, Name: name})
		}
		id, fresh = ids[n-1], true
	}
	known := state.callOf(index, id, name)
	other := !fresh && last != nil && id != "" && id != last.id && name != "" && name == last.name
	switch {
	case fresh, id == "" && last.followedBy(name, d.Arguments), other && known == last && len(state.calls) > before:
		known = nil
	case other && d.Arguments == "" && d.Signature == "" && (known == nil || known == last && !last.argued):
		known = last
		if len(last.next) < mostWaiting {
			last.next = append(last.next, strings.Clone(id))
		}
	case other && known == last:
		state.renames = true
	}
	if known == nil {
		d.ID, d.Name = strings.Clone(id), strings.Clone(name)
		if d.ID == "" {
			d.ID = newToolCallID()
		}
		known = state.begin(index, d.ID, d.Name)
	}
	d.Index = known.told
	if d.Arguments != "" {
		known.argued = true
		known.arguments.Add(d.Arguments)
	}
	if d.Signature != "" {
		known.signature = d.Signature
	}
	if known.name == "" { // which some servers tell after the id: a call is told with both
		if known.early = append(known.early, d.Arguments...); name == "" {
			return
		}
		known.name = strings.Clone(name)
		d.ID, d.Name, d.Arguments, d.Signature = known.id, known.name, string(known.early), known.signature
	}
	s.tools = append(s.tools, d)
}

// mostWaiting bounds what a provider's ids can make us keep.
const mostWaiting = 128

// waiting is how many of the calls that wait behind this one have begun when arguments
// come with an id; those that come without go to the last.
func (c *openAICall) waiting(id string) int {
	switch {
	case c == nil:
		return 0
	case id == "":
		return len(c.next)
	}
	return 1 + slices.Index(c.next, id)
}

// followedBy says whether a piece without an id begins another call: with a name, and with
// arguments of its own where the call has all of its.
func (c *openAICall) followedBy(name, arguments string) bool {
	return c != nil && name != "" && c.argued && strings.HasPrefix(strings.TrimLeft(arguments, whitespace), "{") &&
		c.arguments.Whole(func() bool { return true })
}

// settle begins, at the end of a choice, the calls that nobody sent arguments for: they
// have none, unless the server was seen to make an id for each piece.
func (s *openAIStream) settle(chunk *gateway.Chunk, state *openAIChoice) {
	first, had := len(s.tools)-len(chunk.Tools), len(s.tools)
	for i := range state.calls {
		if k := &state.calls[i]; k.name == "" { // nor will it be
			s.tools = append(s.tools, gateway.ToolDelta{Index: k.told, ID: k.id, Arguments: string(k.early), Signature: k.signature})
		}
		if state.renames {
			continue
		}
		k := state.calls[i] // a copy: begin moves them
		for _, id := range k.next {
			s.tools = append(s.tools, gateway.ToolDelta{Index: state.begin(k.index, id, k.name).told, ID: id, Name: k.name})
		}
	}
	if len(s.tools) > had {
		chunk.Tools = s.tools[first:len(s.tools):len(s.tools)]
	}
}
