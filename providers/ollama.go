package providers

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"unsafe"

	"github.com/tidwall/gjson"

	"gateway"
)

const ollamaKind = "ollama"

func init() {
	register(kind{
		name: ollamaKind, adapter: newOllama,
		protocol: gateway.Protocol{Unsigned: true, ImageTokens: imageMost},
		can:      gateway.Abilities{Chat: true, Tools: true, JSONMode: true, JSONSchema: true, StrictJSON: true, ImageData: true},
		bills:    gateway.BillsNothing, local: true,
	})
}

// ollama speaks Ollama's native API: its OpenAI-compatible one drops fields silently
// and hides errors in the middle of a stream.
type ollama struct {
	caller
	header http.Header
}

func newOllama(s Settings) (Adapter, error) {
	a := &ollama{caller: caller{s}, header: http.Header{}}
	if s.Key != "" { // the cloud; a local server takes none
		a.header.Set("Authorization", "Bearer "+s.Key)
	}
	return a, nil
}

// Open sends the chat request. A model that cannot think is asked once more without.
func (a *ollama) Open(ctx context.Context, call *gateway.Call) (gateway.Stream, error) {
	chat, err := call.Chat()
	if err != nil {
		return nil, err
	}
	body, thinks, err := a.translate(call, chat, true)
	if err != nil {
		return nil, err
	}
	resp, err := a.post(ctx, call, a.BaseURL+"/api/chat", a.header, payload{body})
	if err != nil && thinks && cannotThink(err) {
		if body, _, err = a.translate(call, chat, false); err != nil {
			return nil, err
		}
		again := *call
		again.OnSent = nil // the first try told it
		resp, err = a.post(ctx, &again, a.BaseURL+"/api/chat", a.header, payload{body})
	}
	if err != nil {
		return nil, err
	}
	return &ollamaStream{a: a, ctx: ctx, call: call, lines: newLineReader(resp.Body), body: resp.Body}, nil
}

func cannotThink(err error) bool {
	var e *gateway.Error
	return errors.As(err, &e) && e.Status == http.StatusBadRequest && strings.Contains(strings.ToLower(e.Message), "think")
}

// ollamaStream decodes one JSON object a line. An answer that was not streamed is a
// single such line.
type ollamaStream struct {
	a     *ollama
	ctx   context.Context
	call  *gateway.Call
	lines *lineReader
	body  io.Closer

	tools         []gateway.ToolDelta
	calls         int
	meta          bool
	text, thought halves
	err           error
}

// Next returns the next chunk; see gateway.Stream.
func (s *ollamaStream) Next() (gateway.Chunk, error) {
	if s.err != nil {
		return gateway.Chunk{}, s.err
	}
	line, err := s.lines.Next()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF // only done:true is an end
		}
		s.err = s.a.brokenRead(s.ctx, s.call, err)
		return gateway.Chunk{}, s.err
	}
	c, failure := s.decode(line)
	if failure != nil {
		failure.Sent = true
		s.err = failure
		return gateway.Chunk{}, s.err
	}
	return c, nil
}

// Buffered implements gateway.Buffered.
func (s *ollamaStream) Buffered() bool { return s.err == nil && s.lines.ready() }

// Wait implements gateway.Waiter.
func (s *ollamaStream) Wait() {
	if s.err == nil {
		s.lines.lines.wait()
	}
}

func (s *ollamaStream) decode(line []byte) (gateway.Chunk, *gateway.Error) {
	if !gjson.ValidBytes(line) {
		return gateway.Chunk{}, garbled(s.call, nil)
	}
	// The bytes stay as they are until the next line; every text that leaves is a copy.
	top := gjson.Parse(unsafe.String(unsafe.SliceData(line), len(line)))
	if top.Get("error").Exists() {
		return gateway.Chunk{}, classify(s.a.Kind, s.a.Name, s.call.Model.Name, http.StatusOK, nil, bytes.Clone(line))
	}
	var c gateway.Chunk
	message := top.Get("message")
	c.Text, c.Reasoning = s.text.text(message.Get("content")), s.thought.text(message.Get("thinking"))
	if calls := message.Get("tool_calls"); calls.IsArray() {
		s.tools = s.tools[:0]
		calls.ForEach(func(_, t gjson.Result) bool {
			s.tools = append(s.tools, s.tool(t))
			return true
		})
		c.Tools = s.tools
	}
	if !s.meta {
		s.meta = true
		c.Meta = &gateway.Meta{Model: strings.Clone(top.Get("model").Str)}
	}
	if !top.Get("done").Bool() {
		return c, nil
	}
	return s.done(c, top)
}

// tool is one whole call; Ollama's may come without an id.
func (s *ollamaStream) tool(t gjson.Result) gateway.ToolDelta {
	d := gateway.ToolDelta{Index: s.calls, ID: strings.Clone(t.Get("id").String()), Name: strings.Clone(t.Get("function.name").String()),
		Arguments: strings.Clone(t.Get("function.arguments").Raw)}
	if d.ID == "" {
		d.ID = newToolCallID()
	}
	if d.Arguments == "" {
		d.Arguments = "{}"
	}
	s.calls++
	return d
}

func (s *ollamaStream) done(c gateway.Chunk, top gjson.Result) (gateway.Chunk, *gateway.Error) {
	c.Native = strings.Clone(top.Get("done_reason").Str)
	switch c.Native {
	case "load", "unload":
		return gateway.Chunk{}, &gateway.Error{Kind: gateway.Unavailable, Provider: s.a.Name, Model: s.call.Model.Name,
			Message: "the model was only loaded or unloaded"}
	case "length":
		c.Finish = gateway.FinishLength
	default:
		c.Finish = gateway.FinishStop
	}
	if s.calls > 0 && c.Finish == gateway.FinishStop {
		c.Finish = gateway.FinishToolCalls
	}
	prompt := top.Get("prompt_eval_count")
	c.Usage = &gateway.Usage{Fresh: int(prompt.Int()), PromptUnknown: !prompt.Exists(), Output: int(top.Get("eval_count").Int()), Reported: true}
	s.err = io.EOF
	if body, ok := s.body.(io.ReadCloser); ok {
		drainBody(body)
	}
	return c, nil
}

// Close ends the call.
func (s *ollamaStream) Close() error {
	if s.body == nil {
		return nil
	}
	return s.body.Close()
}
