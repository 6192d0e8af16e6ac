package api

import (
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"gateway"
)

// responsesWriter writes the events of a Responses answer. Items open and close one
// after another, also when the provider mixes the pieces of its calls: what belongs to
// a later item waits until the one before it is whole.
type responsesWriter struct {
	head  responsesHead
	maker gateway.Thinking // of reasoning that is not signed
	by    gateway.Thinking // who answers

	begun   bool
	mends   bool // arguments are told whole, so that faults in them can be mended
	seq     int
	open    responsesItem
	items   [][]byte // that are done
	pending []state
	held    []piece
	texted  int            // characters of the text parts that are done
	sources []gjson.Result // that wait for a text
	finish  gateway.Finish
	said    bool // something of the answer went out
}

type itemKind uint8

const (
	noItem itemKind = iota
	reasoningItem
	messageItem
	callItem
)

// responsesItem is the item that is open.
type responsesItem struct {
	kind itemKind
	id   string
	text strings.Builder // summary, text of the open part, or arguments

	parts    [][]byte // of a message, those that are done
	refuses  bool     // the open part is a refusal
	inPart   bool
	logprobs []byte   // of the open part: elements of an array, separated by commas
	notes    [][]byte // of the open part: its annotations

	call  gateway.ToolDelta
	tool  clientTool
	args  gateway.Progress // of a call's arguments
	state state            // of reasoning
}

// piece is a part of the answer in the order of its arrival.
type piece struct {
	kind     itemKind
	text     string
	refusal  bool
	logprobs []byte
	call     gateway.ToolDelta
	thinking []gateway.Thinking
}

func newResponsesWriter(req *gateway.Request, a *gateway.Answer) *responsesWriter {
	return &responsesWriter{head: newResponsesHead(req, a), maker: unsigned(a), by: madeBy(a)}
}

// silent says that a chunk has nothing for the client.
func (w *responsesWriter) silent(c *gateway.Chunk) bool {
	return c.Choice != 0 || !c.HasContent() && c.Annotations == nil && c.Finish == "" && len(c.Thinking) == 0
}

// chunk appends the events of a chunk.
func (w *responsesWriter) chunk(b []byte, c *gateway.Chunk) []byte {
	if !w.begun {
		b = w.begin(b)
	}
	if c.Reasoning != "" {
		b = w.take(b, piece{kind: reasoningItem, text: c.Reasoning})
	}
	if len(c.Thinking) > 0 {
		b = w.take(b, piece{kind: reasoningItem, thinking: c.Thinking})
	}
	if c.Text != "" {
		b = w.take(b, piece{kind: messageItem, text: c.Text, logprobs: logprobsOf(c.Logprobs)})
	}
	if c.Refusal != "" {
		b = w.take(b, piece{kind: messageItem, text: c.Refusal, refusal: true})
	}
	if c.Annotations != nil {
		b = w.annotate(b, c.Annotations)
	}
	for _, t := range c.Tools {
		b = w.take(b, piece{kind: callItem, call: t})
	}
	if c.Finish != "" {
		w.finish = c.Finish
	}
	return b
}

// logprobsOf takes the elements out of a chat's {"content":[…]}: they are the same here.
func logprobsOf(raw []byte) []byte {
	list := gjson.GetBytes(raw, "content")
	if !list.IsArray() || len(list.Raw) <= 2 {
		return nil
	}
	return []byte(strings.TrimSpace(list.Raw[1 : len(list.Raw)-1]))
}

func (w *responsesWriter) begin(b []byte) []byte {
	w.begun = true
	state := responseState{status: "in_progress"}
	for _, name := range [...]string{"response.created", "response.in_progress"} {
		b = w.event(b, name)
		b = append(b, `,"response":`...)
		b = w.head.response(b, &state)
		b = append(b, "}\n\n"...)
	}
	return b
}

// event appends the beginning of an event; the caller ends its object.
func (w *responsesWriter) event(b []byte, name string) []byte {
	b = append(b, "event: "...)
	b = append(b, name...)
	b = append(b, "\ndata: {\"type\":\""...)
	b = append(b, name...)
	b = append(b, `","sequence_number":`...)
	b = strconv.AppendInt(b, int64(w.seq), 10)
	w.seq++
	return b
}

// itemEvent is an event about the open item.
func (w *responsesWriter) itemEvent(b []byte, name string) []byte {
	b = w.event(b, name)
	b = append(b, `,"item_id":"`...)
	b = append(b, w.open.id...)
	return appendInt(b, `","output_index":`, len(w.items))
}

// take writes a piece, or holds it back while a call is open and not whole.
func (w *responsesWriter) take(b []byte, p piece) []byte {
	if o := &w.open; o.kind == callItem && (p.kind != callItem || p.call.Index != o.call.Index) {
		if !o.args.Whole(func() bool { return gjson.Valid(o.text.String()) }) {
			w.held = append(w.held, p)
			return b
		}
		b = w.closeItem(b, "completed")
	}
	w.said = true
	switch {
	case p.kind == callItem:
		return w.called(b, &p.call)
	case p.thinking != nil:
		return w.thought(b, p.thinking)
	case p.kind == reasoningItem:
		return w.reasoned(b, p.text)
	}
	return w.wrote(b, &p)
}

// release writes what was held back.
func (w *responsesWriter) release(b []byte) []byte {
	held := w.held
	w.held = nil
	for _, p := range held {
		b = w.take(b, p)
	}
	return b
}

// end closes a whole answer.
func (w *responsesWriter) end(b []byte, u *gateway.Usage, receipt []gateway.AttemptNote) []byte {
	if !w.begun {
		b = w.begin(b)
	}
	state := w.outcome()
	for len(w.held) > 0 {
		b = w.closeItem(b, "completed")
		b = w.release(b)
	}
	b = w.closeItem(b, state.status)
	b = w.flush(b)
	if u == nil {
		u = &gateway.Usage{}
	}
	state.items, state.usage, state.receipt = w.items, u, receipt
	return w.terminal(b, &state)
}

func (w *responsesWriter) outcome() responseState {
	switch w.finish {
	case gateway.FinishLength:
		return responseState{status: "incomplete", reason: "max_output_tokens"}
	case gateway.FinishFilter:
		return responseState{status: "incomplete", reason: "content_filter"}
	}
	return responseState{status: "completed"}
}

// terminal appends the last event, named for the outcome.
func (w *responsesWriter) terminal(b []byte, state *responseState) []byte {
	b = w.event(b, "response."+state.status)
	b = append(b, `,"response":`...)
	b = w.head.response(b, state)
	return append(b, "}\n\n"...)
}

// fail closes an answer that broke. The item that was open stays open: one that is
// done is taken for whole.
func (w *responsesWriter) fail(b []byte, p *problem) []byte {
	if !w.begun {
		b = w.begin(b)
	}
	state := responseState{status: "failed", items: w.items}
	state.code, state.message = responsesFault(p, w.said)
	if n := p.err.Usage; n != nil {
		state.usage = n
	}
	return w.terminal(b, &state)
}
