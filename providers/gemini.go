package providers

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unsafe"

	"github.com/tidwall/gjson"

	"gateway"
)

const (
	geminiKind = "gemini"
	// geminiWire is POST /v1beta/models/…:generateContent.
	geminiWire gateway.Wire = "gemini"
)

func init() {
	register(kind{
		name: geminiKind, adapter: newGemini,
		protocol: gateway.Protocol{Wire: geminiWire, Verbatim: true, Hides: true, ImageTokens: imageMost},
		can: gateway.Abilities{Chat: true, Tools: true, ToolForce: true, JSONMode: true, JSONSchema: true, StrictJSON: true, ImageData: true,
			Files: true, Audio: true},
	})
}

// gemini speaks generateContent.
type gemini struct {
	caller
	header http.Header
}

func newGemini(s Settings) (Adapter, error) {
	a := &gemini{caller: caller{s}, header: http.Header{}}
	if s.Key != "" {
		a.header.Set("X-Goog-Api-Key", s.Key) // never in the URL, which ends in logs
	}
	return a, nil
}

// Open sends the request. A thought signature that another model or key made is
// replaced by the sentinel and the request repeated, once.
func (a *gemini) Open(ctx context.Context, call *gateway.Call) (gateway.Stream, error) {
	var chat *gateway.Chat
	var err error
	relayed := a.relays(call)
	if !relayed {
		if chat, err = call.Chat(); err != nil {
			return nil, err
		}
	}
	resp, err := a.send(ctx, call, chat, false)
	if err != nil && blamesSignature(err) {
		call.Downgraded("the thought signatures of earlier turns were refused and left out")
		again := *call
		again.OnSent = nil // the first try told it
		resp, err = a.send(ctx, &again, chat, true)
	}
	if err != nil {
		return nil, err
	}
	s := &geminiStream{a: a, ctx: ctx, call: call, body: resp.Body, relayed: relayed}
	if call.Plain || isJSON(resp.Header.Get("Content-Type")) {
		return s.whole()
	}
	s.events = newSSEReader(resp.Body)
	return s, nil
}

func (a *gemini) send(ctx context.Context, call *gateway.Call, chat *gateway.Chat, sentinel bool) (*http.Response, error) {
	var body []byte
	var err error
	if chat == nil {
		body, err = a.relay(call, sentinel)
	} else {
		body, err = a.translate(call, chat, sentinel)
	}
	if err != nil {
		return nil, err
	}
	method := ":streamGenerateContent?alt=sse"
	if call.Plain {
		method = ":generateContent"
	}
	return a.post(ctx, call, a.BaseURL+"/models/"+call.Model.Name+method, a.header, payload{body})
}

func blamesSignature(err error) bool {
	var e *gateway.Error
	return errors.As(err, &e) && e.Status == http.StatusBadRequest && strings.Contains(strings.ReplaceAll(strings.ToLower(e.Message), "_", " "), "thought signature")
}

// geminiStream decodes GenerateContentResponse objects.
type geminiStream struct {
	a       *gemini
	ctx     context.Context
	call    *gateway.Call
	events  *sseReader
	body    io.Closer
	relayed bool // each event gives one chunk, with its bytes

	queue []gateway.Chunk
	at    int
	ids   []string // of the calls made, for their state
	calls int
	text  []byte // so far, kept for its signature alone
	signs string // the text's signature
	half  halves
	first bool
	ended bool // a finish reason was seen
	usage gateway.Usage
	err   error
	alike geminiAlike
}

// Next returns the next chunk; see gateway.Stream.
func (s *geminiStream) Next() (gateway.Chunk, error) {
	for {
		if s.at < len(s.queue) {
			s.at++
			return s.queue[s.at-1], nil
		}
		if s.err != nil {
			return gateway.Chunk{}, s.err
		}
		s.queue, s.at = s.queue[:0], 0
		event, err := s.events.Next()
		if err != nil {
			s.err = s.end(err)
			continue
		}
		if failure := s.decode(event.Data); failure != nil {
			s.fail(failure)
		} else if s.relayed && len(s.queue) > 0 {
			s.queue[len(s.queue)-1].Raw = event.Data
		}
	}
}

// Buffered implements gateway.Buffered.
func (s *geminiStream) Buffered() bool {
	return s.at < len(s.queue) || s.err == nil && s.events.ready()
}

// Wait implements gateway.Waiter.
func (s *geminiStream) Wait() {
	if s.err == nil && s.at >= len(s.queue) {
		s.events.lines.wait()
	}
}

func (s *geminiStream) fail(failure *gateway.Error) {
	failure.Sent = true
	if s.usage.Reported {
		u := s.usage
		failure.Usage = &u
	}
	s.err = failure
}

// end judges the end of input: there is no [DONE], only a finish or block reason.
func (s *geminiStream) end(err error) error {
	if s.ended && s.ctx.Err() == nil {
		return io.EOF
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	failure := s.a.brokenRead(s.ctx, s.call, err)
	if s.usage.Reported {
		u := s.usage
		failure.Usage = &u
	}
	return failure
}

// whole reads an answer that is one JSON body: a plain answer, an error under 200, or
// the array that a stream becomes without alt=sse.
func (s *geminiStream) whole() (gateway.Stream, error) {
	stop := context.AfterFunc(s.ctx, func() { s.body.Close() })
	defer stop()
	defer s.body.Close()
	raw, err := io.ReadAll(io.LimitReader(s.body.(io.Reader), 4*maxEvent))
	if err != nil {
		return nil, s.a.brokenRead(s.ctx, s.call, err)
	}
	if !gjson.ValidBytes(raw) {
		return nil, garbled(s.call, nil)
	}
	objects := []gjson.Result{gjson.Parse(inPlace(raw))}
	list := objects[0].IsArray()
	if list {
		objects = objects[0].Array()
	}
	for _, o := range objects {
		if failure := s.object(o); failure != nil {
			s.fail(failure)
			return nil, failure
		}
	}
	if s.relayed && !list && len(s.queue) > 0 {
		s.queue[len(s.queue)-1].Raw, s.queue[len(s.queue)-1].Whole = raw, true
	}
	s.events = newSSEReader(bytes.NewReader(nil))
	if !s.ended {
		return nil, truncated(s.call, io.ErrUnexpectedEOF)
	}
	return s, nil
}

// Close ends the call.
func (s *geminiStream) Close() error { return s.body.Close() }

func (s *geminiStream) decode(data []byte) *gateway.Error {
	if s.likeTheLast(data) {
		return nil
	}
	if !gjson.ValidBytes(data) {
		return garbled(s.call, nil)
	}
	// The bytes stay as they are until the next event; every text that leaves is a copy.
	before := len(s.queue)
	failure := s.object(gjson.Parse(unsafe.String(unsafe.SliceData(data), len(data))))
	if failure == nil && len(s.queue) == before+1 {
		s.alike.learn(data, &s.queue[before])
	}
	return failure
}

func (s *geminiStream) object(o gjson.Result) *gateway.Error {
	s.alike.text, s.alike.found = "", [len(geminiCountNames)]string{}
	if o.Get("error").Exists() {
		return classify(s.a.Kind, s.a.Name, s.call.Model.Name, http.StatusOK, nil, []byte(strings.Clone(o.Raw)))
	}
	var c gateway.Chunk
	if !s.first {
		s.first = true
		c.Meta = &gateway.Meta{ID: strings.Clone(o.Get("responseId").Str), Model: strings.Clone(o.Get("modelVersion").Str)}
	}
	if u := o.Get("usageMetadata"); u.IsObject() {
		s.reports(&c, s.alike.count(u))
	}
	if reason := o.Get("promptFeedback.blockReason"); reason.Exists() {
		c.Finish, c.Native, s.ended = gateway.FinishFilter, "prompt:"+strings.Clone(reason.Str), true
		s.queue = append(s.queue, c)
		return nil
	}
	candidate := o.Get("candidates.0")
	candidate.Get("content.parts").ForEach(func(_, part gjson.Result) bool {
		s.part(&c, part)
		return true
	})
	if reason := candidate.Get("finishReason"); reason.Exists() && reason.Str != "FINISH_REASON_UNSPECIFIED" {
		return s.finish(c, strings.Clone(reason.Str))
	}
	s.queue = append(s.queue, c)
	return nil
}

// part adds a piece of the answer to the chunk.
func (s *geminiStream) part(c *gateway.Chunk, part gjson.Result) {
	signature := strings.Clone(part.Get("thoughtSignature").Str)
	if f := part.Get("functionCall"); f.IsObject() {
		d := gateway.ToolDelta{Index: s.calls, ID: strings.Clone(f.Get("id").Str), Name: strings.Clone(f.Get("name").Str),
			Arguments: strings.Clone(f.Get("args").Raw), Signature: signature}
		if d.ID == "" {
			d.ID = newToolCallID()
		}
		if d.Arguments == "" {
			d.Arguments = "{}"
		}
		s.calls++
		if signature != "" {
			s.a.State.Put(s.call.Request, d.ID, Kept{Maker: geminiKind, Model: s.call.Model.Name, Signature: signature})
		}
		c.Tools = append(c.Tools, d)
		return
	}
	said := part.Get("text")
	if !said.Exists() && s.relayed { // an image, or what Google's own tools did
		empty, _ := emptyPart(part)
		c.Other = c.Other || !empty
	}
	if said.Str != "" {
		s.alike.text = said.Raw
	}
	text := s.half.text(said)
	if part.Get("thought").Bool() {
		c.Reasoning += text
	} else {
		c.Text += text
		s.text = append(s.text, text...)
		s.signs = cmp.Or(signature, s.signs)
	}
	if signature != "" {
		c.Thinking = append(c.Thinking, gateway.Thinking{Maker: geminiKind, Model: s.call.Model.Name, Signature: signature})
	}
}

func (s *geminiStream) finish(c gateway.Chunk, reason string) *gateway.Error {
	c.Native = reason
	switch reason {
	case "STOP":
		c.Finish = gateway.FinishStop
		if s.calls > 0 {
			c.Finish = gateway.FinishToolCalls
		}
	case "MAX_TOKENS", "CONTINUATION":
		c.Finish = gateway.FinishLength
	case "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII":
		c.Finish = gateway.FinishFilter
	default:
		if strings.HasPrefix(reason, "IMAGE_") {
			c.Finish = gateway.FinishFilter
			break
		}
		// MALFORMED_FUNCTION_CALL and its like, and what is not known: the provider failed.
		if c.HasContent() {
			c.Finish = ""
			s.queue = append(s.queue, c)
		}
		return &gateway.Error{Kind: gateway.Unavailable, Provider: s.a.Name, Model: s.call.Model.Name, Code: reason,
			Message: "the provider ended its answer with " + cut(reason, 60)}
	}
	s.ended = true
	if s.signs != "" && s.calls == 0 { // the formats of some clients have no place for it
		s.a.State.Put(s.call.Request, textKey(string(s.text)), Kept{Maker: geminiKind, Model: s.call.Model.Name, Signature: s.signs})
	}
	s.queue = append(s.queue, c)
	return nil
}

// Embed asks for vectors. The answer has no usage.
func (a *gemini) Embed(ctx context.Context, call *gateway.Call) (*gateway.Embeddings, error) {
	in := call.Request.Embed
	if in.Tokens != nil {
		return nil, cannot(call, "token arrays")
	}
	requests := make([]string, len(in.Texts))
	for i, text := range in.Texts {
		var w objectWriter
		w.put("model", quoted("models/"+call.Model.Name))
		w.put("content", `{"parts":[{"text":`+quoted(text)+`}]}`)
		if in.Dimensions > 0 {
			w.put("outputDimensionality", strconv.Itoa(in.Dimensions))
		}
		requests[i] = string(a.withParams(w.bytes(), call.Model.Name))
	}
	raw, err := a.fetch(ctx, call, a.BaseURL+"/models/"+call.Model.Name+":batchEmbedContents", a.header, []byte(`{"requests":`+array(requests)+`}`))
	if err != nil {
		return nil, err
	}
	out := &gateway.Embeddings{Model: call.Model.Name}
	for _, e := range gjson.GetBytes(raw, "embeddings").Array() {
		out.Vectors = append(out.Vectors, readVector(e.Get("values")))
	}
	return complete(call, out, len(in.Texts))
}
