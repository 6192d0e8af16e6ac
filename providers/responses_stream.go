package providers

import (
	"context"
	"io"
	"strings"
	"unsafe"

	"github.com/tidwall/gjson"

	"gateway"
)

// responsesStream decodes the events of a Responses answer.
type responsesStream struct {
	eventStream
	a *responses

	open     []responsesItem
	tools    []gateway.ToolDelta // backing store of a chunk's Tools
	calls    []string            // ids of the tool calls so far
	thinking []gateway.Thinking
	usage    *gateway.Usage
	hasMeta  bool
	said     bool // some item came
	texted   int  // characters of text so far
	ended    bool // the terminal event came
}

func newResponsesStream(ctx context.Context, a *responses, call *gateway.Call, ask *responsesAsk, body io.ReadCloser) *responsesStream {
	s := &responsesStream{a: a}
	s.start(ctx, a.caller, call, ask.relayed, body, s)
	return s
}

func (s *responsesStream) finished() bool       { return s.ended }
func (s *responsesStream) terminal() bool       { return s.ended }
func (s *responsesStream) used() *gateway.Usage { return s.usage }

// responsesEvent is an event's fields, still in the event's bytes.
type responsesEvent struct {
	kind                                       string
	index, part                                int // of the item, and of the text in it
	delta, text, arguments, item, whole, fault gjson.Result
}

// readResponsesEvent scans data once. The scanner wants a string: the bytes stay as
// they are until the next event is read, and every text that leaves is a copy.
func readResponsesEvent(data []byte, name string) (responsesEvent, bool) {
	if !gjson.ValidBytes(data) {
		return responsesEvent{}, false
	}
	ev := responsesEvent{kind: name}
	gjson.Parse(unsafe.String(unsafe.SliceData(data), len(data))).ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "type":
			ev.kind = value.Str
		case "output_index":
			ev.index = int(value.Int())
		case "summary_index":
			ev.part = int(value.Int())
		case "delta":
			ev.delta = value
		case "text", "refusal":
			ev.text = value
		case "arguments":
			ev.arguments = value
		case "item":
			ev.item = value
		case "response":
			ev.whole = value
		case "error":
			ev.fault = value
		}
		return true
	})
	return ev, true
}

// decode reads one event into chunk. Events of unknown kinds are none of a failure.
func (s *responsesStream) decode(chunk *gateway.Chunk, event sseEvent) (bool, *gateway.Error) {
	ev, ok := readResponsesEvent(event.Data, event.Name)
	if !ok {
		return false, garbled(s.call, nil)
	}
	if ev.kind == "error" || ev.fault.IsObject() {
		return false, s.classified(event.Data)
	}
	s.tools = s.tools[:0]
	var failure *gateway.Error
	switch ev.kind {
	case "response.created":
		s.begin(chunk, ev.whole)
	case "response.completed", "response.incomplete", "response.failed", "response.cancelled":
		failure = s.finish(chunk, ev.whole, strings.TrimPrefix(ev.kind, "response."))
	default:
		failure = s.item(chunk, &ev)
	}
	return saysAnything(chunk), failure
}

func (s *responsesStream) classified(body []byte) *gateway.Error {
	return classify(s.a.Kind, s.a.Name, s.call.Model.Name, 200, nil, body)
}

// begin reads what the answer says about itself.
func (s *responsesStream) begin(chunk *gateway.Chunk, response gjson.Result) {
	if s.hasMeta || !response.IsObject() {
		return
	}
	s.hasMeta = true
	chunk.Meta = &gateway.Meta{ID: strings.Clone(response.Get("id").Str), Model: strings.Clone(response.Get("model").Str),
		Tier: strings.Clone(response.Get("service_tier").Str), Created: response.Get("created_at").Int()}
}

// finish reads the terminal event, or an answer that came whole. Its output was told
// before as a rule; a server that sends no other event tells it only here.
func (s *responsesStream) finish(chunk *gateway.Chunk, response gjson.Result, status string) *gateway.Error {
	s.begin(chunk, response)
	if block := response.Get("usage"); block.IsObject() {
		counts := responsesUsage(block)
		s.usage = &counts
		chunk.Usage = s.usage
	}
	if status != "completed" && status != "incomplete" {
		if fault := response.Get("error"); fault.IsObject() {
			return s.classified([]byte(fault.Raw))
		}
		failure := truncated(s.call, nil)
		failure.Code, failure.Message = cut(strings.Clone(status), 100), "the provider stopped with an error"
		return failure
	}
	if !s.said {
		at := 0
		response.Get("output").ForEach(func(_, item gjson.Result) bool {
			s.itemDone(chunk, at, item)
			at++
			return true
		})
	}
	chunk.Native = strings.Clone(status)
	chunk.Finish = gateway.FinishStop
	switch reason := response.Get("incomplete_details.reason").Str; {
	case status == "incomplete" && reason == "content_filter":
		chunk.Finish, chunk.Native = gateway.FinishFilter, "content_filter"
	case status == "incomplete":
		chunk.Finish = gateway.FinishLength
		if reason != "" {
			chunk.Native = strings.Clone(reason)
		}
	case len(s.calls) > 0:
		chunk.Finish = gateway.FinishToolCalls
	}
	s.ended = true
	s.remember()
	return nil
}

// remember keeps the reasoning that the model wants back with the results of its calls.
// A client of the same format keeps it itself.
func (s *responsesStream) remember() {
	if len(s.thinking) == 0 || s.relayed {
		return
	}
	for _, id := range s.calls {
		s.a.State.Put(s.call.Request, id, Kept{Maker: openAIMaker, Model: s.call.Model.Name, Thinking: s.thinking})
	}
}

// body reads an answer that came whole.
func (s *responsesStream) body(body []byte) *gateway.Error {
	if !gjson.ValidBytes(body) {
		return garbled(s.call, nil)
	}
	top := gjson.Parse(inPlace(body))
	status := top.Get("status").Str
	switch {
	case top.Get("error").IsObject():
		return s.classified(body)
	case status == "failed" || status == "cancelled":
	case status != "completed" && status != "incomplete":
		return garbled(s.call, nil)
	}
	var chunk gateway.Chunk
	if failure := s.finish(&chunk, top, status); failure != nil {
		return failure
	}
	s.queue = append(s.queue, chunk)
	return nil
}

// responsesUsage reads a usage block.
func responsesUsage(block gjson.Result) gateway.Usage {
	var prompt, cached, written, output, reasoning int
	takeCount(&prompt, block.Get("input_tokens"))
	takeCount(&cached, block.Get("input_tokens_details.cached_tokens"))
	takeCount(&written, block.Get("input_tokens_details.cache_write_tokens"))
	takeCount(&output, block.Get("output_tokens"))
	takeCount(&reasoning, block.Get("output_tokens_details.reasoning_tokens"))
	cached = min(cached, prompt)
	written = min(written, prompt-cached)
	return gateway.Usage{Reported: true, Fresh: prompt - cached - written, CachedRead: cached, CacheWrite5m: written,
		Output: output, Reasoning: min(reasoning, output)}
}
