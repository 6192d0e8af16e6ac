package providers

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"gateway"
)

// responsesItem is an item of the output that has begun and not ended.
type responsesItem struct {
	index  int  // as the provider counts: over all items
	tool   int  // as clients count: over tool calls; -1 for an item that is none
	filled bool // some of its text or arguments came
	half   halves
}

// item reads an event about one item.
func (s *responsesStream) item(chunk *gateway.Chunk, ev *responsesEvent) *gateway.Error {
	switch ev.kind {
	case "response.output_item.added":
		if s.started(chunk, ev.index, ev.item) == nil {
			return garbled(s.call, nil)
		}
	case "response.output_item.done":
		s.itemDone(chunk, ev.index, ev.item)
	case "response.output_text.delta":
		chunk.Text = s.piece(ev.index, ev.delta)
		s.texted += utf8.RuneCountInString(chunk.Text)
	case "response.refusal.delta":
		chunk.Refusal = s.piece(ev.index, ev.delta)
	case "response.reasoning_summary_text.delta", "response.reasoning_text.delta":
		chunk.Reasoning = s.piece(ev.index, ev.delta)
	case "response.reasoning_summary_part.added":
		if it := s.opened(ev.index); ev.part > 0 && it != nil && it.filled {
			chunk.Reasoning = betweenParts
		}
	case "response.function_call_arguments.delta":
		if it := s.opened(ev.index); it != nil {
			s.arguments(chunk, it, it.half.text(ev.delta))
		}
	case "response.function_call_arguments.done":
		if it := s.opened(ev.index); it != nil && !it.filled {
			s.arguments(chunk, it, owned(ev.arguments))
		}
	}
	return nil
}

// betweenParts separates the parts of a summary, as they are paragraphs.
const betweenParts = "\n\n"

func (s *responsesStream) opened(index int) *responsesItem {
	for i := range s.open {
		if s.open[i].index == index {
			return &s.open[i]
		}
	}
	return nil
}

// started begins an item; nil if there are too many at once. A call is told at once,
// with its arguments if the server sends them whole.
func (s *responsesStream) started(chunk *gateway.Chunk, index int, item gjson.Result) *responsesItem {
	s.said = true
	s.open = slices.DeleteFunc(s.open, func(it responsesItem) bool { return it.index == index })
	if len(s.open) >= maxOpenBlocks {
		return nil
	}
	s.open = append(s.open, responsesItem{index: index, tool: -1})
	it := &s.open[len(s.open)-1]
	kind := item.Get("type").Str
	switch kind {
	case "function_call", "custom_tool_call":
	case "message", "reasoning":
		return it
	default: // what the provider's own tools do, and what is to come
		chunk.Other = chunk.Other || s.relayed
		return it
	}
	id := strings.Clone(item.Get("call_id").Str)
	if id == "" {
		id = newToolCallID()
	}
	it.tool = len(s.calls)
	s.calls = append(s.calls, id)
	s.tools = append(s.tools, gateway.ToolDelta{Index: it.tool, ID: id, Name: strings.Clone(item.Get("name").Str)})
	chunk.Tools = s.tools
	return it
}

// piece is a piece of an item's text. It counts also if the item's begin was not told.
func (s *responsesStream) piece(index int, delta gjson.Result) string {
	if delta.Type != gjson.String || delta.Str == "" {
		return ""
	}
	s.said = true
	it := s.opened(index)
	if it == nil && len(s.open) < maxOpenBlocks {
		s.open = append(s.open, responsesItem{index: index, tool: -1})
		it = &s.open[len(s.open)-1]
	}
	if it != nil {
		it.filled = true
		return it.half.text(delta)
	}
	return owned(delta)
}

func (s *responsesStream) arguments(chunk *gateway.Chunk, it *responsesItem, text string) {
	if it == nil || it.tool < 0 || text == "" {
		return
	}
	it.filled = true
	if n := len(s.tools); n > 0 && s.tools[n-1].Index == it.tool {
		s.tools[n-1].Arguments += text // of the call that this same chunk began
	} else {
		s.tools = append(s.tools, gateway.ToolDelta{Index: it.tool, Arguments: text})
	}
	chunk.Tools = s.tools
}

// itemDone ends an item, which is told whole: only now does reasoning come with what
// its model wants back. What came in no pieces is taken from here.
func (s *responsesStream) itemDone(chunk *gateway.Chunk, index int, item gjson.Result) {
	it := s.opened(index)
	if it == nil {
		if it = s.started(chunk, index, item); it == nil {
			return
		}
	}
	switch item.Get("type").Str {
	case "message":
		before := s.texted
		if it.filled {
			before = max(0, before-charactersOf(item))
		} else {
			s.whole(chunk, item)
		}
		chunk.Annotations = withSources(chunk.Annotations, citationsOf(item, before))
	case "reasoning":
		s.reasoned(chunk, item, it.filled)
	case "function_call":
		if !it.filled {
			s.arguments(chunk, it, owned(item.Get("arguments")))
		}
		if !it.filled {
			s.arguments(chunk, it, "{}")
		}
	case "custom_tool_call": // its input is any text; in normal form arguments are JSON
		s.arguments(chunk, it, `{"input":`+quoted(item.Get("input").Str)+"}")
	}
	s.open = slices.DeleteFunc(s.open, func(it responsesItem) bool { return it.index == index })
}

// whole takes the text of a message that came in no pieces. An answer that came as one
// body has all its messages in one chunk.
func (s *responsesStream) whole(chunk *gateway.Chunk, item gjson.Result) {
	var text string
	item.Get("content").ForEach(func(_, part gjson.Result) bool {
		switch part.Get("type").Str {
		case "output_text":
			text += owned(part.Get("text"))
		case "refusal":
			chunk.Refusal += owned(part.Get("refusal"))
		}
		return true
	})
	chunk.Text += text
	s.texted += utf8.RuneCountInString(text)
}

// withSources is a list of sources and what comes after it; either may be nil.
func withSources(list, more json.RawMessage) json.RawMessage {
	switch {
	case list == nil:
		return more
	case more == nil:
		return list
	}
	return slices.Concat(list[:len(list)-1], json.RawMessage{','}, more[1:])
}

// citationsOf are the sources that a message names, as Chat Completions lists them; nil
// if there are none. Other kinds of notes have no form there. Offsets count from the begin
// of a part here, and there from that of the text: before is its length so far.
func citationsOf(item gjson.Result, before int) json.RawMessage {
	var list []string
	item.Get("content").ForEach(func(_, part gjson.Result) bool {
		from := before
		before += charactersOf(part)
		part.Get("annotations").ForEach(func(_, note gjson.Result) bool {
			if note.Get("type").Str != "url_citation" {
				return true
			}
			w := objectWriter{}
			for _, name := range [...]string{"start_index", "end_index", "url", "title"} {
				switch v := note.Get(name); {
				case v.Type == gjson.Number:
					w.put(name, strconv.FormatInt(int64(from)+v.Int(), 10))
				case v.Exists():
					w.put(name, strings.Clone(v.Raw))
				}
			}
			list = append(list, `{"type":"url_citation","url_citation":`+w.done()+"}")
			return true
		})
		return true
	})
	if list == nil {
		return nil
	}
	return json.RawMessage(array(list))
}

// charactersOf is the length of an item's text, or of a part's.
func charactersOf(v gjson.Result) int {
	if v.Get("type").Str == "output_text" {
		return utf8.RuneCountInString(v.Get("text").Str)
	}
	n := 0
	for _, part := range v.Get("content").Array() {
		if part.Get("type").Str == "output_text" {
			n += utf8.RuneCountInString(part.Get("text").Str)
		}
	}
	return n
}

func (s *responsesStream) reasoned(chunk *gateway.Chunk, item gjson.Result, told bool) {
	var parts []string
	for _, list := range [...]string{"summary", "content"} {
		item.Get(list).ForEach(func(_, part gjson.Result) bool {
			if text := part.Get("text"); text.Type == gjson.String && text.Str != "" {
				parts = append(parts, owned(text))
			}
			return true
		})
		if len(parts) > 0 {
			break
		}
	}
	text := strings.Join(parts, betweenParts)
	if !told {
		chunk.Reasoning += text
	}
	sealed := item.Get("encrypted_content")
	if sealed.Type != gjson.String || sealed.Str == "" {
		return
	}
	s.thinking = append(s.thinking, gateway.Thinking{Maker: openAIMaker, Model: s.call.Model.Name, Text: text, Signature: owned(sealed)})
	chunk.Thinking = append(chunk.Thinking, s.thinking[len(s.thinking)-1])
}
