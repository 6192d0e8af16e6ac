package providers

import (
	"encoding/json"
	"strings"

	"github.com/tidwall/gjson"

	"gateway"
)

// delta reads the new part of a choice into chunk.
func (s *openAIStream) delta(chunk *gateway.Chunk, state *openAIChoice, piece gjson.Result) {
	var details gjson.Result
	piece.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "content":
			if value.IsArray() {
				contentParts(chunk, value)
			} else if value.Type == gjson.String {
				chunk.Text = owned(value)
				s.textIs(value)
			}
		case "reasoning_content", "reasoning":
			if value.Type == gjson.String && chunk.Reasoning == "" {
				chunk.Reasoning = owned(value)
				s.textIs(value)
			}
		case "reasoning_details":
			details = value
		case "refusal":
			if value.Type == gjson.String {
				chunk.Refusal = owned(value)
			}
		case "tool_calls":
			s.toolCalls(chunk, state, value)
		case "function_call":
			if value.IsObject() {
				s.toolCall(state, value, value, 0)
				chunk.Tools = s.tools[len(s.tools)-1:]
			}
		case "annotations":
			if value.IsArray() {
				chunk.Annotations = json.RawMessage(value.Raw)
			}
		}
		return true
	})
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
	first, position := len(s.tools), 0
	calls.ForEach(func(_, call gjson.Result) bool {
		index := position
		if i := call.Get("index"); i.Type == gjson.Number {
			index = int(i.Int())
		} else if id := call.Get("id").Str; id != "" {
			index = state.indexOf(id)
		}
		s.toolCall(state, call, call.Get("function"), index)
		position++
		return true
	})
	chunk.Tools = s.tools[first:len(s.tools):len(s.tools)]
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

func (s *openAIStream) toolCall(state *openAIChoice, call, function gjson.Result, index int) {
	var d gateway.ToolDelta
	arguments := function.Get("arguments")
	if arguments.IsObject() {
		d.Arguments = strings.Clone(arguments.Raw) // some servers send the object itself
	} else {
		d.Arguments = owned(arguments)
	}
	d.Signature = strings.Clone(call.Get("extra_content.google.thought_signature").Str)
	id, name := call.Get("id").Str, function.Get("name").Str
	if before := state.last(index); before != nil && before.next != "" && d.Arguments != "" && (id == "" || id == before.next) {
		id, name, before.next = before.next, before.name, ""
	}
	known := state.callOf(index, id, name)
	if before := state.last(index); known == nil && before != nil && name == before.name && d.Arguments == "" && d.Signature == "" {
		// of a server that makes an id for each piece it is the end of the call before
		before.next, known = strings.Clone(id), before
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
	s.tools = append(s.tools, d)
}
