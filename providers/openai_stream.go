package providers

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/tidwall/gjson"

	"gateway"
)

// openAIStream decodes chat.completion.chunk events.
type openAIStream struct {
	a      *openAI
	ctx    context.Context
	call   *gateway.Call
	events *sseReader
	body   io.Closer
	closed sync.Once

	queue   []gateway.Chunk // what one event gave and Next has not handed out
	at      int
	tools   []gateway.ToolDelta // backing store of the queue's Tools
	choices []*openAIChoice
	usage   *gateway.Usage
	counts  gateway.Usage // what usage points to
	fresh   bool          // the event being read carried usage
	hasMeta bool
	alike   alike
	err     error
}

// openAIChoice is what is known of one choice so far.
type openAIChoice struct {
	index     int
	finished  bool
	reasoned  bool
	text      halves         // of its content
	thought   halves         // of its reasoning
	pieces    map[int]halves // of its calls' arguments, by their index; few servers cut any
	reasoning strings.Builder
	calls     []openAICall
	renames   bool // pieces of one call came with ids and its name: such a piece begins none
}

// openAICall is a tool call that has begun. Some servers give calls made at once the same
// index, so that it is told on under one of its own.
type openAICall struct {
	index     int // as the server has it; the last call of an index is the one it goes on with
	told      int // as it is told on
	id, name  string
	next      []string // ids of what may be other calls of the same name: see toolCall
	signature string
	early     []byte // arguments that came before the name
	argued    bool   // some arguments came
	arguments gateway.Progress
}

// another says whether a piece under a call's index begins another: with an id and a name
// of its own, when what the call has is whole. Some servers make an id for each piece, so
// that the id alone says nothing; of a call without arguments yet, the name does.
func (c *openAICall) another(id, name string) bool {
	switch {
	case id == "" || name == "" || id == c.id:
		return false
	case !c.argued:
		return name != c.name
	}
	return c.arguments.Whole(func() bool { return true })
}

func newOpenAIStream(ctx context.Context, a *openAI, call *gateway.Call, resp *http.Response) *openAIStream {
	return &openAIStream{a: a, ctx: ctx, call: call, body: resp.Body, events: newSSEReader(resp.Body)}
}

// Next returns the next chunk; see gateway.Stream.
func (s *openAIStream) Next() (gateway.Chunk, error) {
	for {
		if s.at < len(s.queue) {
			s.at++
			return s.queue[s.at-1], nil
		}
		if s.err != nil {
			return gateway.Chunk{}, s.err
		}
		s.queue, s.tools, s.at = s.queue[:0], s.tools[:0], 0
		event, err := s.events.Next()
		switch {
		case err != nil:
			s.err = s.end(err)
		case string(event.Data) == "[DONE]":
			s.err = s.end(io.EOF)
			s.drain()
		case s.likeTheLast(event.Data):
		default:
			if failure := s.decode(event.Data, "delta"); failure != nil {
				failure.Sent, failure.Usage = true, s.usage
				s.err = failure
			}
		}
	}
}

// Buffered says whether Next has something without reading from the provider.
func (s *openAIStream) Buffered() bool {
	return s.err != nil || s.at < len(s.queue) || s.events.ready()
}

// Wait implements gateway.Waiter.
func (s *openAIStream) Wait() {
	if s.err == nil && s.at >= len(s.queue) {
		s.events.lines.wait()
	}
}

// end judges the end of input: it is the answer's end only if each choice said so.
func (s *openAIStream) end(err error) error {
	if s.complete() && s.ctx.Err() == nil {
		return io.EOF
	}
	if err == io.EOF && s.ctx.Err() == nil {
		err = io.ErrUnexpectedEOF
	}
	failure := s.a.brokenRead(s.ctx, s.call, err)
	failure.Usage = s.usage
	return failure
}

// drain reads what follows the last event of a complete answer.
func (s *openAIStream) drain() {
	if body, ok := s.body.(io.ReadCloser); ok && s.err == io.EOF {
		drainBody(body)
	}
}

// drainBody reads what follows the last event, which is the end of the body as a rule:
// only then can the connection be used again. A server that keeps it open costs no
// more than the limit.
func drainBody(body io.ReadCloser) {
	const patience = 20 * time.Millisecond
	late := time.AfterFunc(patience, func() { body.Close() })
	defer late.Stop()
	io.Copy(io.Discard, io.LimitReader(body, 4<<10))
}

func (s *openAIStream) complete() bool {
	for i := range s.choices {
		if !s.choices[i].finished {
			return false
		}
	}
	return len(s.choices) > 0
}

// Close ends the call.
func (s *openAIStream) Close() error {
	s.closed.Do(func() {
		if s.body != nil {
			s.body.Close()
		}
	})
	return nil
}

// decode reads one event (or, with "message" for delta, one whole answer) into the queue.
func (s *openAIStream) decode(data []byte, delta string) *gateway.Error {
	if !gjson.ValidBytes(data) {
		return garbled(s.call, nil)
	}
	// The scanner wants a string. The bytes stay as they are until the next event is
	// read, and every text that leaves is a copy.
	top := gjson.Parse(unsafe.String(unsafe.SliceData(data), len(data)))
	if top.IsArray() {
		top = top.Get("0") // Gemini's compat endpoint wraps its errors
	}
	s.fresh = false
	s.alike.text = ""
	var choices, usage, fault gjson.Result
	meta := gateway.Meta{}
	top.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "choices":
			choices = value
		case "usage":
			usage = value
		case "x_groq":
			if inner := value.Get("usage"); inner.IsObject() && !usage.IsObject() {
				usage = inner
			}
			if inner := value.Get("error"); inner.Exists() {
				fault = value
			}
		case "error":
			if value.Type != gjson.Null {
				fault = top
			}
		}
		if !s.hasMeta {
			readMeta(&meta, key.Str, value)
		}
		return true
	})
	s.read(usage)
	first := len(s.queue)
	if fault.Exists() || !choices.Exists() && top.Get("message").Exists() {
		if !fault.Exists() {
			fault = top
		}
		return classify(s.a.Kind, s.a.Name, s.call.Model.Name, 200, nil, []byte(fault.Raw))
	}
	var failure *gateway.Error
	choices.ForEach(func(_, choice gjson.Result) bool {
		failure = s.choice(choice, delta)
		return failure == nil
	})
	if failure != nil {
		failure.Usage = s.usage
		return failure
	}
	s.attach(first, meta)
	if len(s.queue) == first+1 && s.hasMeta && !s.fresh {
		s.alike.learn(data, &s.queue[first])
	}
	return nil
}

// attach puts what belongs to the whole event on its first chunk.
func (s *openAIStream) attach(first int, meta gateway.Meta) {
	fresh := meta != gateway.Meta{} && !s.hasMeta
	if len(s.queue) == first && (fresh || s.fresh) {
		s.queue = append(s.queue, gateway.Chunk{})
	}
	if len(s.queue) == first {
		return
	}
	if s.fresh {
		s.queue[first].Usage = s.usage
	}
	if fresh {
		kept := meta
		s.queue[first].Meta = &kept
		s.hasMeta = true
	}
}

func readMeta(meta *gateway.Meta, key string, value gjson.Result) {
	switch key {
	case "id":
		meta.ID = owned(value)
	case "model":
		meta.Model = owned(value)
	case "system_fingerprint":
		meta.Fingerprint = owned(value)
	case "service_tier":
		meta.Tier = owned(value)
	case "created":
		meta.Created = value.Int()
	}
}

func (s *openAIStream) choice(choice gjson.Result, delta string) *gateway.Error {
	var piece, finish, logprobs gjson.Result
	index := 0
	choice.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "index":
			index = int(value.Int())
		case "finish_reason":
			finish = value
		case "logprobs":
			logprobs = value
		case "usage":
			s.read(value)
		case "error":
			if value.Type != gjson.Null {
				piece, finish = gjson.Result{}, gjson.Result{Type: gjson.String, Str: "error"}
				return false
			}
		case delta:
			piece = value
		}
		return true
	})
	state := s.state(index)
	if state == nil {
		return garbled(s.call, nil)
	}
	s.queue = append(s.queue, gateway.Chunk{Choice: index})
	chunk := &s.queue[len(s.queue)-1]
	s.delta(chunk, state, piece)
	if logprobs.IsObject() {
		chunk.Logprobs = json.RawMessage(logprobs.Raw)
	}
	if finish.Type != gjson.String || finish.Str == "" {
		return nil
	}
	word, known := finishOf(finish.Str)
	if !known {
		failure := truncated(s.call, nil)
		failure.Code = cut(strings.Clone(finish.Str), 100)
		failure.Message = "the provider stopped with an error"
		return failure
	}
	if !state.finished {
		s.settle(chunk, state)
	}
	if word == gateway.FinishStop && len(state.calls) > 0 {
		word = gateway.FinishToolCalls
	}
	chunk.Finish, chunk.Native = word, strings.Clone(finish.Str)
	if !state.finished {
		state.finished = true
		s.remember(state)
	}
	return nil
}

// maxChoices bounds what a provider's index can make us keep.
const maxChoices = 128

func (s *openAIStream) state(index int) *openAIChoice {
	for _, c := range s.choices {
		if c.index == index {
			return c
		}
	}
	if index < 0 || len(s.choices) >= maxChoices {
		return nil
	}
	c := &openAIChoice{index: index}
	s.choices = append(s.choices, c)
	return c
}

// finishOf is OpenAI's word for a provider's; false for a word that means failure.
func finishOf(native string) (gateway.Finish, bool) {
	switch native {
	case "length", "model_length", "max_tokens":
		return gateway.FinishLength, true
	case "tool_calls", "function_call", "tool_use":
		return gateway.FinishToolCalls, true
	case "content_filter", "sensitive", "refusal", "safety":
		return gateway.FinishFilter, true
	case "error", "network_error", "insufficient_system_resource":
		return "", false
	}
	return gateway.FinishStop, true
}

// remember keeps what this provider wants back with the next round of the tool loop.
func (s *openAIStream) remember(c *openAIChoice) {
	for _, call := range c.calls {
		if c.reasoned || call.signature != "" {
			s.a.State.Put(s.call.Request, call.id, Kept{Maker: s.a.Kind, Model: s.call.Model.Name,
				Signature: call.signature, Reasoning: c.reasoning.String(), HasReasoning: c.reasoned})
		}
	}
}

// owned is a JSON string's text in memory of its own. Text with escapes was already
// made anew by the scanner; other text still lies in the event.
func owned(value gjson.Result) string {
	if len(value.Raw) == len(value.Str)+2 {
		return strings.Clone(value.Str)
	}
	return value.Str
}
