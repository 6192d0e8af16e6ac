package providers

import (
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"gateway"
)

// blockStart begins a content block; false if there are too many at once.
func (s *messagesStream) blockStart(chunk *gateway.Chunk, index int, block gjson.Result) bool {
	s.open = slices.DeleteFunc(s.open, func(b messagesOpen) bool { return b.index == index })
	if len(s.open) >= maxOpenBlocks {
		return false
	}
	s.open = append(s.open, messagesOpen{index: index})
	b := &s.open[len(s.open)-1]
	switch block.Get("type").Str {
	case "text":
		b.kind = "text"
		s.text(chunk, owned(block.Get("text")))
	case "thinking":
		b.kind = "thinking"
		chunk.Reasoning = owned(block.Get("thinking"))
		b.text = append(b.text, chunk.Reasoning...)
		b.signature = strings.Clone(block.Get("signature").Str)
	case "redacted_thinking":
		b.kind = "redacted_thinking"
		b.redacted = strings.Clone(block.Get("data").Str)
	case "tool_use":
		s.toolStart(chunk, b, block)
	default: // what the provider's own tools do, and what is to come
		chunk.Other = s.relayed
	}
	return true
}

func (s *messagesStream) toolStart(chunk *gateway.Chunk, b *messagesOpen, block gjson.Result) {
	input := block.Get("input") // whole in a whole answer, {} in a stream
	arguments := ""
	if input.IsObject() && strings.TrimSpace(input.Raw[1:len(input.Raw)-1]) != "" {
		arguments = compact(input.Raw)
		b.filled = true
	}
	name := block.Get("name").Str
	if s.ask.answerTool != "" && name == s.ask.answerTool {
		b.kind = answerBlock
		chunk.Text = arguments
		return
	}
	id := strings.Clone(block.Get("id").Str)
	if id == "" {
		id = newToolCallID()
	}
	b.kind, b.tool = "tool_use", len(s.calls)
	s.calls = append(s.calls, id)
	s.tool[0] = gateway.ToolDelta{Index: b.tool, ID: id, Name: strings.Clone(name), Arguments: arguments}
	chunk.Tools = s.tool[:]
}

func (s *messagesStream) block(index int) *messagesOpen {
	for i := range s.open {
		if s.open[i].index == index {
			return &s.open[i]
		}
	}
	return nil
}

// blockDelta reads a piece of a block. One of an unknown kind is skipped.
func (s *messagesStream) blockDelta(chunk *gateway.Chunk, index int, delta gjson.Result) {
	var kind string
	var piece gjson.Result
	delta.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "type":
			kind = value.Str
		case "text", "thinking", "signature", "partial_json":
			piece = value
		}
		return true
	})
	if piece.Type != gjson.String || piece.Str == "" {
		return
	}
	b, half := s.block(index), &s.half
	if b != nil {
		half = &b.half
	}
	switch {
	case kind == "text_delta":
		s.text(chunk, half.text(piece))
	case b == nil:
	case kind == "thinking_delta":
		chunk.Reasoning = half.text(piece)
		b.text = append(b.text, chunk.Reasoning...)
	case kind == "signature_delta":
		b.signature += owned(piece)
	case kind == "input_json_delta" && b.kind == answerBlock:
		b.filled = true
		chunk.Text = half.text(piece)
	case kind == "input_json_delta" && b.kind == "tool_use":
		b.filled = true
		s.tool[0] = gateway.ToolDelta{Index: b.tool, Arguments: half.text(piece)}
		chunk.Tools = s.tool[:]
	}
}

// text passes on a piece of text, without the whitespace that the client already has
// of the answer that is being continued.
func (s *messagesStream) text(chunk *gateway.Chunk, text string) {
	for s.overlap != "" && text != "" {
		if text[0] != s.overlap[0] {
			s.overlap = ""
			break
		}
		text, s.overlap = text[1:], s.overlap[1:]
	}
	chunk.Text = text
}

// blockStop ends a block: only now is thinking whole, and is it known that a call
// without arguments gets none.
func (s *messagesStream) blockStop(chunk *gateway.Chunk, index int) {
	b := s.block(index)
	if b == nil {
		return
	}
	switch {
	case b.kind == answerBlock && !b.filled:
		chunk.Text = "{}"
	case b.kind == "tool_use" && !b.filled:
		s.tool[0] = gateway.ToolDelta{Index: b.tool, Arguments: "{}"}
		chunk.Tools = s.tool[:]
	case b.kind == "thinking" && b.signature != "":
		s.think(chunk, gateway.Thinking{Text: string(b.text), Signature: b.signature})
	case b.kind == "redacted_thinking" && b.redacted != "":
		s.think(chunk, gateway.Thinking{Redacted: b.redacted})
	}
	s.open = slices.DeleteFunc(s.open, func(b messagesOpen) bool { return b.index == index })
}

func (s *messagesStream) think(chunk *gateway.Chunk, t gateway.Thinking) {
	t.Maker, t.Model = anthropicKind, s.call.Model.Name
	s.thinking = append(s.thinking, t)
	chunk.Thinking = s.thinking[len(s.thinking)-1:]
}
