package api

import (
	"github.com/tidwall/gjson"

	"gateway"
)

// messageWriter writes the events of a Messages stream. Events of a provider that speaks
// the format go out as they came; of any other it makes blocks, which open and close
// strictly one after another: what comes for a block that has to wait is kept.
type messageWriter struct {
	req    *gateway.Request
	from   *gateway.Protocol // of the provider
	model  string
	prompt int // tokens of the prompt, estimated
	thinks bool

	begun bool
	stop  []byte // a relayed message_stop: nothing may follow it, so it waits for the end
	next  int    // index of the next block
	open  messageBlock
	wait  []messageBlock // behind the open one
	done  []int          // tool calls whose blocks have closed

	finish gateway.Finish
	native string
	usage  gateway.Usage // the latest that was told; zero before
	bytes  int           // of text, reasoning and arguments sent
}

func newMessageWriter(req *gateway.Request, a *gateway.Answer) *messageWriter {
	w := &messageWriter{req: req, from: &gateway.Protocol{}}
	if a == nil {
		return w
	}
	w.from, w.model, w.prompt = protocolOf(a), a.Model, a.Prompt
	w.thinks = w.from.Wire == messagesWire || asksToThink(req.Raw)
	return w
}

// asksToThink says whether the client wants to see reasoning. Another model's is kept
// from one that does not: much code takes the first block for the answer.
func asksToThink(raw []byte) bool {
	kind := gjson.GetBytes(raw, "thinking.type").Str
	return kind != "" && kind != "disabled" || kind == "" && gjson.GetBytes(raw, "output_config.effort").Exists()
}

// silent says that a chunk has nothing for the client. Hidden reasoning still opens the
// message, so that the client knows it is being served.
func (w *messageWriter) silent(c *gateway.Chunk) bool {
	if c.Usage != nil {
		w.usage = *c.Usage
	}
	return c.Raw == nil && !c.HasContent() && c.Finish == "" && len(c.Thinking) == 0
}

func (w *messageWriter) chunk(b []byte, c *gateway.Chunk) []byte {
	if c.Finish != "" {
		w.finish, w.native = c.Finish, c.Native
	}
	if c.Raw != nil && !c.Whole {
		return w.relay(b, c)
	}
	if c.Choice != 0 {
		return b
	}
	b = w.start(b)
	if c.Reasoning != "" && w.thinks {
		b = w.piece(b, messageBlock{kind: thinkingBlock}, c.Reasoning)
	}
	if w.thinks {
		for i := range c.Thinking {
			b = w.state(b, c.Thinking[i])
		}
	}
	if c.Text != "" {
		b = w.piece(b, messageBlock{kind: textBlock}, c.Text)
	}
	if c.Refusal != "" {
		b = w.piece(b, messageBlock{kind: textBlock}, c.Refusal)
	}
	for i := range c.Tools {
		b = w.tool(b, &c.Tools[i])
	}
	return b
}

// relay passes an event on as it came, and notes what a translated end would have to know.
func (w *messageWriter) relay(b []byte, c *gateway.Chunk) []byte {
	switch c.Event {
	case "message_start":
		w.begun = true
	case "content_block_start":
		block := gjson.GetManyBytes(c.Raw, "index", "content_block.type")
		w.next, w.open = int(block[0].Int())+1, messageBlock{kind: otherBlock}
		if block[1].Str == "text" {
			w.open.kind = textBlock
		}
	case "content_block_stop":
		w.open = messageBlock{}
	case "message_stop":
		w.stop = appendEvent(w.stop, c)
		return b
	}
	return appendEvent(b, c)
}

func appendEvent(b []byte, c *gateway.Chunk) []byte {
	if c.Event != "" {
		b = append(append(append(b, "event: "...), c.Event...), '\n')
	}
	return appendData(b, c.Raw)
}

func (w *messageWriter) start(b []byte) []byte {
	if w.begun {
		return b
	}
	w.begun = true
	b = append(b, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":"...)
	b = appendMessageHead(b, w.req.ID, w.model)
	b = append(b, `[],"stop_reason":null,"stop_sequence":null,"usage":`...)
	u := gateway.Usage{Fresh: w.prompt}
	if w.usage.Prompt() > 0 {
		u = w.usage
	}
	u.Output, u.Reasoning = 0, 0 // the last event has the totals
	b = appendMessageUsage(b, &u)
	return append(b, "}}\n\n"...)
}

// appendMessageHead writes a message up to its content.
func appendMessageHead(b []byte, id, model string) []byte {
	b = append(b, `{"id":`...)
	b = appendString(b, "msg_"+id)
	b = append(b, `,"type":"message","role":"assistant","model":`...)
	b = appendString(b, model)
	return append(b, `,"content":`...)
}

func appendMessageUsage(b []byte, u *gateway.Usage) []byte {
	b = appendInt(b, `{"input_tokens":`, u.Fresh)
	b = appendInt(b, `,"cache_creation_input_tokens":`, u.CacheWrite5m+u.CacheWrite1h)
	b = appendInt(b, `,"cache_read_input_tokens":`, u.CachedRead)
	b = appendInt(b, `,"cache_creation":{"ephemeral_5m_input_tokens":`, u.CacheWrite5m)
	b = appendInt(b, `,"ephemeral_1h_input_tokens":`, u.CacheWrite1h)
	b = appendInt(b, `},"output_tokens":`, u.Output)
	if u.Reasoning > 0 {
		b = appendInt(b, `,"output_tokens_details":{"thinking_tokens":`, u.Reasoning)
		b = append(b, '}')
	}
	return append(b, '}')
}

// tool takes a piece of a call. What comes for a call whose arguments were whole is
// dropped: only white space can follow them.
func (w *messageWriter) tool(b []byte, t *gateway.ToolDelta) []byte {
	for _, closed := range w.done {
		if closed == t.Index {
			return b
		}
	}
	if t.Signature != "" && w.thinks && !w.knows(t.Index) {
		state := gateway.Thinking{Maker: w.from.Maker, Model: w.model, Signature: t.Signature}
		b = w.piece(b, messageBlock{kind: stateBlock, state: state, call: gateway.ToolCall{ID: t.ID}}, "")
	}
	return w.piece(b, messageBlock{kind: toolBlock, tool: t.Index, call: gateway.ToolCall{ID: t.ID, Name: t.Name}}, t.Arguments)
}

func (w *messageWriter) knows(tool int) bool {
	if w.open.kind == toolBlock && w.open.tool == tool {
		return true
	}
	for i := range w.wait {
		if w.wait[i].kind == toolBlock && w.wait[i].tool == tool {
			return true
		}
	}
	return false
}

// state takes what a provider wants back. It vouches for the reasoning that is open, or
// stands in a block of its own.
func (w *messageWriter) state(b []byte, t gateway.Thinking) []byte {
	if w.open.kind == thinkingBlock && len(w.wait) == 0 && t.Redacted == "" {
		w.open.state = t
		return w.shut(b)
	}
	return w.piece(b, messageBlock{kind: stateBlock, state: t}, "")
}

// piece adds to the block that it belongs to, or begins it.
func (w *messageWriter) piece(b []byte, to messageBlock, text string) []byte {
	switch home := w.home(&to); {
	case home == &w.open:
		return w.advance(w.delta(b, text))
	case home != nil:
		home.text = append(home.text, text...)
		return b
	}
	to.text = []byte(text)
	w.wait = append(w.wait, to)
	return w.advance(b)
}

// home is the block that a piece goes on with; nil if it begins one. Text goes on with
// what stands last, a call with its own block wherever that stands.
func (w *messageWriter) home(piece *messageBlock) *messageBlock {
	last := len(w.wait) - 1
	if last < 0 || piece.kind == toolBlock && w.open.takes(piece) {
		if w.open.takes(piece) {
			return &w.open
		}
		return nil
	}
	for i := last; i >= 0; i-- {
		if w.wait[i].takes(piece) {
			return &w.wait[i]
		}
		if piece.kind != toolBlock {
			return nil
		}
	}
	return nil
}

// takes says whether a piece belongs to this block.
func (m *messageBlock) takes(piece *messageBlock) bool {
	switch {
	case m.kind != piece.kind || m.kind == stateBlock:
		return false
	case m.kind == toolBlock:
		return m.tool == piece.tool
	}
	return true
}

// advance lets waiting blocks in while the open one may close. A call may when its
// arguments are whole.
func (w *messageWriter) advance(b []byte) []byte {
	for len(w.wait) > 0 {
		if w.open.kind == toolBlock && !w.open.args.Whole(func() bool { return gjson.ValidBytes(w.open.text) }) || w.trails() {
			return b
		}
		b = w.shut(b)
		b = w.enter(b, w.wait[0])
		w.wait = w.wait[1:]
	}
	return b
}

// trails says that all that waits is state behind a text. If nothing else follows, it is
// left out: clients take the last block of a message for its answer (Claude Code prints
// nothing when that is no text), and no provider insists on the state of a turn without
// calls once the turn is over.
func (w *messageWriter) trails() bool {
	return w.open.kind == textBlock && len(w.wait) == 1 && w.wait[0].kind == stateBlock && w.wait[0].call.ID == ""
}

// end closes the message. A relayed one brought its own end.
func (w *messageWriter) end(b []byte, u *gateway.Usage, receipt []gateway.AttemptNote) []byte {
	if w.stop == nil {
		b = w.start(b)
		b = w.rest(b)
		b = append(b, "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"...)
		b = appendString(b, stopReason(w.finish, w.native, w.from, len(w.done) > 0))
		b = append(b, `,"stop_sequence":null},"usage":`...)
		if u == nil {
			u = &gateway.Usage{Fresh: w.prompt, Output: (w.bytes + 3) / 4}
		}
		b = appendMessageUsage(b, u)
		b = append(b, "}\n\n"...)
	}
	if receipt != nil { // an event that the format does not know: its clients pass over it
		b = append(b, "event: gateway\ndata: {\"type\":\"gateway\""...)
		b = appendReceipt(b, receipt)
		b = append(b, "}\n\n"...)
	}
	if w.stop != nil {
		return append(b, w.stop...)
	}
	return append(b, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"...)
}

// rest closes the open block and writes those that waited.
func (w *messageWriter) rest(b []byte) []byte {
	if w.trails() {
		w.wait = nil
	}
	b = w.shut(b)
	for _, block := range w.wait {
		b = w.enter(b, block)
		b = w.shut(b)
	}
	w.wait = nil
	return b
}

// nativeStops are the stop reasons of the format. Source: wire reference section 2.2.
var nativeStops = map[string]bool{"end_turn": true, "max_tokens": true, "stop_sequence": true, "tool_use": true, "pause_turn": true,
	"refusal": true, "model_context_window_exceeded": true, "compaction": true}

// stopReason is a finish in this format's words. An answer that began with a provider of
// the format may have been finished by another, whose own word is none.
func stopReason(finish gateway.Finish, native string, from *gateway.Protocol, called bool) string {
	if from.Wire == messagesWire && nativeStops[native] {
		return native
	}
	switch {
	case finish == gateway.FinishLength:
		return "max_tokens"
	case finish == gateway.FinishFilter:
		return "refusal"
	case called:
		return "tool_use"
	}
	return "end_turn"
}

// fail tells of the failure. No block is closed and no message_stop follows, so that
// nobody takes what came for an answer.
func (w *messageWriter) fail(b []byte, p *problem) []byte {
	if w.begun && p.err != nil {
		p.message = "The provider failed in the middle of its answer (" + reason(p.err.Kind) + ")."
	}
	b = append(b, "event: error\ndata: "...)
	b = p.messages(b, p.messagesEdge().kind, w.req.ID)
	return append(b, "\n\n"...)
}
