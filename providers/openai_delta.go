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

func (s *openAIStream) toolCall(state *openAIChoice, call, function gjson.Result, index int) {
	d := gateway.ToolDelta{Index: index}
	arguments := function.Get("arguments")
	if arguments.IsObject() {
		d.Arguments = strings.Clone(arguments.Raw) // some servers send the object itself
	} else {
		d.Arguments = owned(arguments)
	}
	d.Signature = strings.Clone(call.Get("extra_content.google.thought_signature").Str)
	var known *openAICall
	for i := range state.calls {
		if state.calls[i].index == index {
			known = &state.calls[i]
		}
	}
	if known == nil {
		d.ID = strings.Clone(call.Get("id").Str)
		if d.ID == "" {
			d.ID = newToolCallID()
		}
		state.calls = append(state.calls, openAICall{index: index, id: d.ID})
		known = &state.calls[len(state.calls)-1]
		d.Name = strings.Clone(function.Get("name").Str)
	}
	if d.Signature != "" {
		known.signature = d.Signature
	}
	s.tools = append(s.tools, d)
}
