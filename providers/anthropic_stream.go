package providers

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"github.com/tidwall/gjson"

	"gateway"
)

// messagesStream decodes the events of a Messages answer. An event gives at most one chunk.
type messagesStream struct {
	a      *anthropic
	ctx    context.Context
	call   *gateway.Call
	ask    *messagesAsk
	events *sseReader
	body   io.ReadCloser
	closed sync.Once

	queue    []gateway.Chunk // of an answer that came whole
	at       int
	open     []messagesOpen
	tool     [1]gateway.ToolDelta // backing store of a chunk's Tools
	calls    []string             // ids of the tool calls so far
	thinking []gateway.Thinking
	usage    messagesUsage
	hasMeta  bool
	finished bool
	stopped  bool
	overlap  string // whitespace that was cut from the prefill and may come again
	err      error
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
}

// answerBlock is the kind of a tool call whose input is the answer's text.
const answerBlock = "answer"

// maxOpenBlocks bounds what a provider's indexes can make us keep.
const maxOpenBlocks = 128

func newMessagesStream(ctx context.Context, a *anthropic, call *gateway.Call, ask *messagesAsk, body io.ReadCloser) *messagesStream {
	s := &messagesStream{a: a, ctx: ctx, call: call, ask: ask, body: body, events: newSSEReader(body)}
	s.overlap = call.Prefill[len(strings.TrimRight(call.Prefill, whitespace)):]
	return s
}

// Next returns the next chunk; see gateway.Stream. A relayed answer gives a chunk for
// each event, whether or not it says anything in normal form.
func (s *messagesStream) Next() (gateway.Chunk, error) {
	for {
		if s.at < len(s.queue) {
			s.at++
			return s.queue[s.at-1], nil
		}
		if s.err != nil {
			return gateway.Chunk{}, s.err
		}
		if s.stopped {
			if s.err = s.end(io.EOF); s.err == io.EOF {
				drainBody(s.body)
			}
			continue
		}
		event, err := s.events.Next()
		if err != nil {
			s.err = s.end(err)
			continue
		}
		var chunk gateway.Chunk
		said, failure := s.decode(&chunk, event)
		if failure != nil {
			s.err = s.failed(failure)
			continue
		}
		if s.ask.relayed {
			chunk.Raw, chunk.Event, said = event.Data, event.Name, true
		}
		if said {
			return chunk, nil
		}
	}
}

func (s *messagesStream) failed(failure *gateway.Error) *gateway.Error {
	failure.Sent, failure.Usage = true, s.usage.latest()
	return failure
}

// end judges the end of input: it is the answer's end only if a reason to stop was told.
func (s *messagesStream) end(err error) error {
	if s.finished && s.ctx.Err() == nil {
		return io.EOF
	}
	if err == io.EOF && s.ctx.Err() == nil {
		err = io.ErrUnexpectedEOF
	}
	return s.failed(s.a.brokenRead(s.ctx, s.call, err))
}

// Close ends the call.
func (s *messagesStream) Close() error {
	s.closed.Do(func() { s.body.Close() })
	return nil
}

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
	return chunk.HasContent() || chunk.Finish != "" || chunk.Usage != nil || chunk.Meta != nil || len(chunk.Thinking) > 0, nil
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
	if !s.finished {
		s.finished = true
		s.remember()
	}
}

// remember keeps the thinking that the model wants back with the results of its calls.
// A client of the same format keeps it itself.
func (s *messagesStream) remember() {
	if len(s.thinking) == 0 || s.ask.relayed {
		return
	}
	for _, id := range s.calls {
		s.a.State.Put(s.call.Request.Key, id, Kept{Maker: anthropicKind, Model: s.call.Model.Name, Thinking: s.thinking})
	}
}

// message reads an answer that came whole into the queue.
func (s *messagesStream) message(body []byte) *gateway.Error {
	if !gjson.ValidBytes(body) {
		return garbled(s.call, nil)
	}
	top := gjson.ParseBytes(body)
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
	if s.ask.relayed {
		last.Raw, last.Whole = body, true
	}
	s.enqueue(last)
	if !s.finished {
		return s.failed(garbled(s.call, nil))
	}
	return nil
}

func (s *messagesStream) enqueue(c gateway.Chunk) {
	c.Tools, c.Thinking = slices.Clone(c.Tools), slices.Clone(c.Thinking)
	if c.HasContent() || len(c.Thinking) > 0 || c.Meta != nil || c.Finish != "" {
		s.queue = append(s.queue, c)
	}
}
