package api

import "gateway"

// messageBlock is a content block that has not ended. The zero value is none.
type messageBlock struct {
	kind  blockKind
	tool  int // as the provider's chunks count calls
	call  gateway.ToolCall
	state gateway.Thinking // of a block that is only opaque state
	text  []byte           // of a call: its arguments so far; of a block that waits: its text
	args  gateway.Progress // of the arguments of an open call
}

type blockKind uint8

const (
	noBlock blockKind = iota
	textBlock
	thinkingBlock
	toolBlock
	stateBlock // redacted_thinking
	otherBlock // relayed, of a kind that is not translated
)

// enter opens a block and writes what was kept for it.
func (w *messageWriter) enter(b []byte, block messageBlock) []byte {
	kept := block.text
	block.text = nil
	w.open = block
	b = append(b, "event: content_block_start\ndata: {\"type\":\"content_block_start\""...)
	b = appendInt(b, `,"index":`, w.next)
	w.next++
	b = append(b, `,"content_block":`...)
	switch block.kind {
	case textBlock:
		b = append(b, `{"type":"text","text":""}`...)
	case thinkingBlock:
		b = append(b, `{"type":"thinking","thinking":"","signature":""}`...)
	case toolBlock:
		b = append(b, `{"type":"tool_use","id":`...)
		b = appendString(b, messagesID(block.call.ID))
		b = append(b, `,"name":`...)
		b = appendString(b, block.call.Name)
		b = append(b, `,"input":{}}`...)
	case stateBlock:
		b = appendState(b, &block.state, block.call.ID)
	}
	b = append(b, "}\n\n"...)
	if len(kept) > 0 {
		b = w.delta(b, string(kept))
	}
	return b
}

// appendState writes state that has no text as redacted_thinking, which clients keep and
// do not show.
func appendState(b []byte, t *gateway.Thinking, call string) []byte {
	data := t.Redacted
	if t.Maker != messagesMaker || data == "" {
		data = gateway.Seal(gateway.Sealed{Thinking: *t, Call: call})
	}
	b = append(b, `{"type":"redacted_thinking","data":`...)
	b = appendString(b, data)
	return append(b, '}')
}

func (w *messageWriter) delta(b []byte, text string) []byte {
	if text == "" {
		return b
	}
	w.bytes += len(text)
	kind := `{"type":"text_delta","text":`
	switch w.open.kind {
	case thinkingBlock:
		kind = `{"type":"thinking_delta","thinking":`
	case toolBlock:
		kind = `{"type":"input_json_delta","partial_json":`
		w.open.text = append(w.open.text, text...)
		w.open.args.Add(text)
	}
	return w.blockDelta(b, kind, text)
}

func (w *messageWriter) blockDelta(b []byte, kind, text string) []byte {
	b = append(b, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\""...)
	b = appendInt(b, `,"index":`, w.next-1)
	b = append(b, `,"delta":`...)
	b = append(b, kind...)
	b = appendString(b, text)
	return append(b, "}}\n\n"...)
}

// shut closes the open block. Reasoning gets its maker's signature, or our seal.
func (w *messageWriter) shut(b []byte) []byte {
	switch w.open.kind {
	case noBlock:
		return b
	case thinkingBlock:
		b = w.blockDelta(b, `{"type":"signature_delta","signature":`, signatureOf(&w.open.state, w.from.Maker, w.model))
	case toolBlock:
		w.done = append(w.done, w.open.tool)
	}
	w.open = messageBlock{}
	b = append(b, "event: content_block_stop\ndata: {\"type\":\"content_block_stop\""...)
	b = appendInt(b, `,"index":`, w.next-1)
	return append(b, "}\n\n"...)
}

// signatureOf is what stands for a signature beside reasoning: the vendor's own, or the
// maker's state sealed.
func signatureOf(t *gateway.Thinking, maker, model string) string {
	if t.Maker == messagesMaker && t.Signature != "" {
		return t.Signature
	}
	sealed := *t
	if sealed.Maker == "" {
		sealed.Maker, sealed.Model = maker, model
	}
	sealed.Text = "" // which stands beside it
	return gateway.Seal(gateway.Sealed{Thinking: sealed})
}
