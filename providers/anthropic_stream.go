package providers

import (
	"context"
	"io"
	"slices"
	"strings"
	"unsafe"

	"github.com/tidwall/gjson"

	"gateway"
)

// messagesStream decodes the events of a Messages answer.
type messagesStream struct {
	eventStream
	a   *anthropic
	ask *messagesAsk

	open     []messagesOpen
	tool     [1]gateway.ToolDelta // backing store of a chunk's Tools
	calls    []string             // ids of the tool calls so far
	thinking []gateway.Thinking
	half     halves // of text whose block's begin was not told
	usage    messagesUsage
	hasMeta  bool
	reasoned bool // a reason to stop was told: the answer is whole
	stopped  bool
	overlap  string // whitespace that was cut from the prefill and may come again
}

// messagesOpen is a content block that has begun and not ended.
type messagesOpen struct {
	index     int    // as the provider counts: over all blocks
	kind      string // text, thinking, redacted_thinking, tool_use, answer; "" for any other
	tool      int    // as clients count: over tool calls
	filled    bool   // some of the arguments came
	text      []byte
	signature string
	redacted  string
	half      halves
}

// answerBlock is the kind of a tool call whose input is the answer's text.
const answerBlock = "answer"

// maxOpenBlocks bounds what a provider's indexes can make us keep.
const maxOpenBlocks = 128

func newMessagesStream(ctx context.Context, a *anthropic, call *gateway.Call, ask *messagesAsk, body io.ReadCloser) *messagesStream {
	s := &messagesStream{a: a, ask: ask}
	s.start(ctx, a.caller, call, ask.relayed, body, s)
	s.overlap = call.Prefill[len(strings.TrimRight(call.Prefill, whitespace)):]
	return s
}

func (s *messagesStream) finished() bool       { return s.reasoned }
func (s *messagesStream) terminal() bool       { return s.stopped }
func (s *messagesStream) used() *gateway.Usage { return s.usage.latest() }

// messagesEvent is an event's fields, still in the event's bytes.
type messagesEvent struct {
	kind                                string
	index                               int
	delta, block, message, usage, fault gjson.Result
}

// readMessagesEvent scans data once. The scanner wants a string: the bytes stay as they
// are until the next event is read, and every text that leaves is a copy.
func readMessagesEvent(data []byte, name string) (messagesEvent, bool) {
	if !gjson.ValidBytes(data) {
		return messagesEvent{}, false
	}
	ev := messagesEvent{kind: name}
	top := gjson.Parse(unsafe.String(unsafe.SliceData(data), len(data)))
	top.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "type":
			ev.kind = value.Str
		case "index":
			ev.index = int(value.Int())
		case "delta":
			ev.delta = value
		case "content_block":
			ev.block = value
		case "message":
			ev.message = value
		case "usage":
			ev.usage = value
		case "error":
			ev.fault = value
		}
		return true
	})
	return ev, true
}

// decode reads one event into chunk and says whether the chunk holds anything. Events
// of unknown kinds are none of a failure.
func (s *messagesStream) decode(chunk *gateway.Chunk, event sseEvent) (bool, *gateway.Error) {
	ev, ok := readMessagesEvent(event.Data, event.Name)
	if !ok {
		return false, garbled(s.call, nil)
	}
	if ev.kind == "error" || ev.fault.IsObject() {
		return false, classify(s.a.Kind, s.a.Name, s.call.Model.Name, 200, nil, event.Data)
	}
	switch ev.kind {
	case "message_start":
		s.begin(chunk, ev.message)
	case "content_block_start":
		if !s.blockStart(chunk, ev.index, ev.block) {
			return false, garbled(s.call, nil)
		}
	case "content_block_delta":
		s.blockDelta(chunk, ev.index, ev.delta)
	case "content_block_stop":
		s.blockStop(chunk, ev.index)
	case "message_delta":
		s.usage.read(ev.usage)
		s.finish(chunk, ev.delta.Get("stop_reason"))
		chunk.Usage = s.usage.latest()
	case "message_stop":
		s.stopped = true
	}
	return saysAnything(chunk), nil
}

// begin reads the head of a message.
func (s *messagesStream) begin(chunk *gateway.Chunk, message gjson.Result) {
	s.usage.read(message.Get("usage"))
	chunk.Usage = s.usage.latest()
	if !s.hasMeta {
		s.hasMeta = true
		chunk.Meta = &gateway.Meta{ID: strings.Clone(message.Get("id").Str), Model: strings.Clone(message.Get("model").Str),
			Tier: strings.Clone(message.Get("usage.service_tier").Str)}
	}
}

// finish reads why the message ended.
func (s *messagesStream) finish(chunk *gateway.Chunk, reason gjson.Result) {
	if reason.Type != gjson.String || reason.Str == "" {
		return
	}
	chunk.Native = strings.Clone(reason.Str)
	switch reason.Str {
	case "max_tokens", "model_context_window_exceeded":
		chunk.Finish = gateway.FinishLength
	case "refusal":
		chunk.Finish = gateway.FinishFilter
	default: // end_turn, stop_sequence, tool_use, pause_turn and those to come
		chunk.Finish = gateway.FinishStop
		if len(s.calls) > 0 {
			chunk.Finish = gateway.FinishToolCalls
		}
	}
	if !s.reasoned {
		s.reasoned = true
		s.remember()
	}
}

// remember keeps the thinking that the model wants back with the results of its calls.
// A client of the same format keeps it itself.
func (s *messagesStream) remember() {
	if len(s.thinking) == 0 || s.relayed {
		return
	}
	for _, id := range s.calls {
		s.a.State.Put(s.call.Request, id, Kept{Maker: anthropicKind, Model: s.call.Model.Name, Thinking: s.thinking})
	}
}

// body reads an answer that came whole into the queue.
func (s *messagesStream) body(body []byte) *gateway.Error {
	if !gjson.ValidBytes(body) {
		return garbled(s.call, nil)
	}
	top := gjson.Parse(inPlace(body))
	if top.Get("type").Str == "error" || top.Get("error").IsObject() {
		return classify(s.a.Kind, s.a.Name, s.call.Model.Name, 200, nil, body)
	}
	var first gateway.Chunk
	s.begin(&first, top)
	s.enqueue(first)
	index := 0
	top.Get("content").ForEach(func(_, block gjson.Result) bool {
		var begun, ended gateway.Chunk
		s.blockStart(&begun, index, block)
		s.enqueue(begun)
		s.blockStop(&ended, index)
		s.enqueue(ended)
		index++
		return true
	})
	var last gateway.Chunk
	s.finish(&last, top.Get("stop_reason"))
	last.Usage = s.usage.latest()
	s.enqueue(last)
	if !s.reasoned {
		return garbled(s.call, nil)
	}
	return nil
}

func (s *messagesStream) enqueue(c gateway.Chunk) {
	c.Tools, c.Thinking = slices.Clone(c.Tools), slices.Clone(c.Thinking)
	if c.HasContent() || len(c.Thinking) > 0 || c.Meta != nil || c.Finish != "" {
		s.queue = append(s.queue, c)
	}
}
