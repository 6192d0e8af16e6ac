package api

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"gateway"
)

// begins opens an item of a kind, after closing another and handing out what its
// maker wants back.
func (w *responsesWriter) begins(b []byte, kind itemKind, prefix string) []byte {
	b = w.closeItem(b, "completed")
	b = w.flush(b)
	w.open = responsesItem{kind: kind, id: w.itemID(prefix)}
	return b
}

func (w *responsesWriter) itemID(prefix string) string {
	return prefix + w.head.id + "_" + strconv.Itoa(len(w.items))
}

// added tells that the open item has begun; fields are what it has by then.
func (w *responsesWriter) added(b []byte, fill func(b []byte) []byte) []byte {
	b = w.event(b, "response.output_item.added")
	b = appendInt(b, `,"output_index":`, len(w.items))
	b = append(b, `,"item":`...)
	b = fill(b)
	return append(b, "}\n\n"...)
}

// done tells an item whole and counts it.
func (w *responsesWriter) done(b []byte, item []byte) []byte {
	b = w.event(b, "response.output_item.done")
	b = appendInt(b, `,"output_index":`, len(w.items))
	b = append(b, `,"item":`...)
	b = append(b, item...)
	w.items = append(w.items, item)
	w.open = responsesItem{}
	return append(b, "}\n\n"...)
}

// closeItem ends the open item, if there is one.
func (w *responsesWriter) closeItem(b []byte, status string) []byte {
	switch w.open.kind {
	case reasoningItem:
		return w.reasoningDone(b)
	case messageItem:
		return w.messageDone(b, status)
	case callItem:
		return w.callDone(b, status)
	}
	return b
}

// flush hands out, as items without text, what makers want back of what has no item to go with.
func (w *responsesWriter) flush(b []byte) []byte {
	pending := w.pending
	w.pending = nil
	for i := range pending {
		w.open = responsesItem{kind: reasoningItem, id: w.itemID("rs_"), state: pending[i]}
		b = w.added(b, w.bareReasoning)
		b = w.reasoningDone(b)
	}
	return b
}

func (w *responsesWriter) bareReasoning(b []byte) []byte {
	b = append(b, `{"id":"`...)
	b = append(b, w.open.id...)
	return append(b, `","type":"reasoning","summary":[]}`...)
}

func (w *responsesWriter) reasoned(b []byte, text string) []byte {
	if w.open.kind != reasoningItem {
		b = w.begins(b, reasoningItem, "rs_")
		b = w.added(b, w.bareReasoning)
		b = w.itemEvent(b, "response.reasoning_summary_part.added")
		b = append(b, `,"summary_index":0,"part":{"type":"summary_text","text":""}}`+"\n\n"...)
	}
	w.open.text.WriteString(text)
	b = w.itemEvent(b, "response.reasoning_summary_text.delta")
	b = append(b, `,"summary_index":0,"delta":`...)
	b = appendString(b, text)
	return append(b, "}\n\n"...)
}

// thought takes what a maker wants back. It closes the reasoning it belongs to; each of
// OpenAI's own needs an item for itself.
func (w *responsesWriter) thought(b []byte, list []gateway.Thinking) []byte {
	for _, t := range list {
		last := len(w.pending) - 1
		switch {
		case w.open.kind == reasoningItem && (t.Maker != openAIMaker || len(w.open.state) == 0):
			w.open.state.think(t)
		case last >= 0 && t.Maker != openAIMaker:
			w.pending[last].think(t)
		default:
			var s state
			s.think(t)
			w.pending = append(w.pending, s)
		}
	}
	if w.open.kind == reasoningItem {
		b = w.reasoningDone(b)
	}
	return b
}

func (w *responsesWriter) reasoningDone(b []byte) []byte {
	text := w.open.text.String()
	if text != "" {
		b = w.itemEvent(b, "response.reasoning_summary_text.done")
		b = append(b, `,"summary_index":0,"text":`...)
		b = appendString(b, text)
		b = append(b, "}\n\n"...)
		b = w.itemEvent(b, "response.reasoning_summary_part.done")
		b = append(b, `,"summary_index":0,"part":{"type":"summary_text","text":`...)
		b = appendString(b, text)
		b = append(b, "}}\n\n"...)
		w.open.state.text(text, w.maker)
	}
	item := append([]byte(`{"id":"`), w.open.id...)
	item = append(item, `","type":"reasoning","summary":[`...)
	if text != "" {
		item = append(item, `{"type":"summary_text","text":`...)
		item = appendString(item, text)
		item = append(item, '}')
	}
	item = append(item, ']')
	if s := w.open.state; len(s) > 0 {
		item = append(item, `,"encrypted_content":`...)
		item = appendString(item, or(s.vendors(openAIMaker), gateway.Seal(s...)))
	}
	return w.done(b, append(item, '}'))
}

// wrote adds text or refusal to a message.
func (w *responsesWriter) wrote(b []byte, p *piece) []byte {
	if w.open.kind != messageItem {
		b = w.begins(b, messageItem, "msg_")
		b = w.added(b, func(b []byte) []byte {
			b = append(b, `{"id":"`...)
			b = append(b, w.open.id...)
			return append(b, `","type":"message","status":"in_progress","role":"assistant","content":[]}`...)
		})
	}
	o := &w.open
	if o.inPart && o.refuses != p.refusal {
		b = w.partDone(b)
	}
	if !o.inPart {
		o.inPart, o.refuses = true, p.refusal
		b = w.partEvent(b, "response.content_part.added")
		b = append(b, `,"part":`...)
		b = w.part(b)
		b = append(b, "}\n\n"...)
	}
	o.text.WriteString(p.text)
	if p.refusal {
		b = w.partEvent(b, "response.refusal.delta")
	} else {
		b = w.partEvent(b, "response.output_text.delta")
	}
	b = append(b, `,"delta":`...)
	b = appendString(b, p.text)
	if !p.refusal {
		b = append(b, `,"logprobs":[`...)
		b = append(b, p.logprobs...)
		b = append(b, ']')
		if len(p.logprobs) > 0 {
			if len(o.logprobs) > 0 {
				o.logprobs = append(o.logprobs, ',')
			}
			o.logprobs = append(o.logprobs, p.logprobs...)
		}
	}
	return w.cite(append(b, "}\n\n"...))
}

// partEvent is an event about the open part of the open message.
func (w *responsesWriter) partEvent(b []byte, name string) []byte {
	b = w.itemEvent(b, name)
	return appendInt(b, `,"content_index":`, len(w.open.parts))
}

// part appends the open part as it is by now.
func (w *responsesWriter) part(b []byte) []byte {
	o := &w.open
	if o.refuses {
		b = append(b, `{"type":"refusal","refusal":`...)
		b = appendString(b, o.text.String())
		return append(b, '}')
	}
	b = append(b, `{"type":"output_text","text":`...)
	b = appendString(b, o.text.String())
	b = append(b, `,"annotations":[`...)
	b = append(b, bytes.Join(o.notes, []byte(","))...)
	b = append(b, `],"logprobs":[`...)
	b = append(b, o.logprobs...)
	return append(b, "]}"...)
}

func (w *responsesWriter) partDone(b []byte) []byte {
	o := &w.open
	name, field := "response.output_text.done", `,"text":`
	if o.refuses {
		name, field = "response.refusal.done", `,"refusal":`
	}
	b = w.partEvent(b, name)
	b = append(b, field...)
	b = appendString(b, o.text.String())
	if !o.refuses {
		b = append(b, `,"logprobs":[`...)
		b = append(b, o.logprobs...)
		b = append(b, ']')
	}
	b = append(b, "}\n\n"...)
	part := w.part(nil)
	b = w.partEvent(b, "response.content_part.done")
	b = append(b, `,"part":`...)
	b = append(b, part...)
	b = append(b, "}\n\n"...)
	o.parts = append(o.parts, part)
	if !o.refuses {
		w.texted += utf8.RuneCountInString(o.text.String())
	}
	o.inPart, o.logprobs, o.notes = false, nil, nil
	o.text.Reset()
	return b
}

func (w *responsesWriter) messageDone(b []byte, status string) []byte {
	if w.open.inPart {
		b = w.partDone(b)
	}
	item := append([]byte(`{"id":"`), w.open.id...)
	item = append(item, `","type":"message","status":"`+status+`","role":"assistant","content":[`...)
	for i, p := range w.open.parts {
		if i > 0 {
			item = append(item, ',')
		}
		item = append(item, p...)
	}
	return w.done(b, append(item, "]}"...))
}

// called begins a call or adds to its arguments.
func (w *responsesWriter) called(b []byte, d *gateway.ToolDelta) []byte {
	if d.Signature != "" {
		w.sign(d)
	}
	if o := &w.open; o.kind != callItem || o.call.Index != d.Index {
		if d.Name == "" {
			return b // what follows a call that was whole, such as white space
		}
		b = w.begins(b, callItem, "fc_")
		w.open.call, w.open.tool = gateway.ToolDelta{Index: d.Index, ID: d.ID, Name: d.Name}, w.toolOf(d.Name)
		switch w.open.tool.shape {
		case customShape:
			w.open.id = w.itemID("ctc_")
		case localShellShape:
			w.open.id = w.itemID("lsh_")
		case searchShape:
			w.open.id = w.itemID("tsc_")
		}
		if shape := w.open.tool.shape; shape != localShellShape && shape != searchShape { // which are told only when their arguments are known
			b = w.added(b, func(b []byte) []byte { return w.call(b, "in_progress", "") })
		}
	}
	w.open.text.WriteString(d.Arguments)
	w.open.args.Add(d.Arguments)
	if d.Arguments != "" && w.open.tool.shape == functionShape && !w.mends {
		b = w.argumentsDelta(b, d.Arguments)
	}
	if len(w.held) > 0 && w.open.args.Whole(func() bool { return gjson.Valid(w.open.text.String()) }) {
		b = w.closeItem(b, "completed")
		b = w.release(b)
	}
	return b
}

// sign keeps the signature of a call for an item before it, or after it if it comes late.
func (w *responsesWriter) sign(d *gateway.ToolDelta) {
	id := or(d.ID, w.open.call.ID)
	if w.open.kind == reasoningItem && len(w.open.state) == 0 {
		w.open.state.sign(w.by, id, d.Signature)
		return
	}
	var s state
	s.sign(w.by, id, d.Signature)
	w.pending = append(w.pending, s)
}

func (w *responsesWriter) toolOf(name string) clientTool {
	if t, ok := w.head.tools[name]; ok {
		return t
	}
	return clientTool{name: name}
}
