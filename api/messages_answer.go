package api

import (
	"bytes"
	"strings"

	"github.com/tidwall/gjson"

	"gateway"
)

// messageJSON writes a whole message. One that a provider of the format gave in events
// is put together from those, so that nothing in it is lost.
func messageJSON(b []byte, req *gateway.Request, a *gateway.Answer) []byte {
	c := a.Completion
	if len(c.Relayed) > 0 {
		if whole, ok := foldMessage(b, c.Relayed); ok {
			return withReceipt(whole, req, a)
		}
	}
	ch := &c.Choices[0]
	b = appendMessageHead(b, req.ID, a.Model)
	b = append(b, '[')
	mark := len(b)
	if protocolOf(a).Wire == messagesWire || asksToThink(req.Raw) {
		b = appendThought(b, a, ch)
	}
	for _, text := range [...]string{ch.Text, ch.Refusal} {
		if text != "" {
			b = append(b, `,{"type":"text","text":`...)
			b = appendString(b, text)
			b = append(b, '}')
		}
	}
	for i := range ch.ToolCalls {
		t := &ch.ToolCalls[i]
		b = append(b, `,{"type":"tool_use","id":`...)
		b = appendString(b, messagesID(t.ID))
		b = append(b, `,"name":`...)
		b = appendString(b, t.Name)
		b = append(b, `,"input":`...)
		b = append(b, messageInput(t.Arguments)...)
		b = append(b, '}')
	}
	if len(b) > mark { // the first comma of a list is one too many
		b = append(b[:mark], b[mark+1:]...)
	}
	b = append(b, `],"stop_reason":`...)
	b = appendString(b, stopReason(ch.Finish, ch.Native, protocolOf(a), len(ch.ToolCalls) > 0))
	b = append(b, `,"stop_sequence":null,"usage":`...)
	b = appendMessageUsage(b, &c.Usage)
	return withReceipt(append(b, '}'), req, a)
}

// appendThought writes the reasoning and the state of its maker, each after a comma.
func appendThought(b []byte, a *gateway.Answer, ch *gateway.Choice) []byte {
	rest := ch.Thinking
	if ch.Reasoning != "" {
		var state gateway.Thinking
		if len(rest) > 0 && rest[0].Redacted == "" {
			state, rest = rest[0], rest[1:]
		}
		b = append(b, `,{"type":"thinking","thinking":`...)
		b = appendString(b, ch.Reasoning)
		b = append(b, `,"signature":`...)
		b = appendString(b, signatureOf(&state, protocolOf(a).Maker, a.Model))
		b = append(b, '}')
	}
	for i := range rest {
		b = append(b, ',')
		b = appendState(b, &rest[i], "")
	}
	for i := range ch.ToolCalls {
		if t := &ch.ToolCalls[i]; t.Signature != "" {
			b = append(b, ',')
			b = appendState(b, &gateway.Thinking{Maker: protocolOf(a).Maker, Model: a.Model, Signature: t.Signature}, t.ID)
		}
	}
	return b
}

// messageInput is a call's arguments as the object that the format wants. What a model wrote
// that is none is kept as text.
func messageInput(arguments string) string {
	if strings.TrimSpace(arguments) == "" {
		return "{}"
	}
	mended := repaired(arguments)
	if gjson.Valid(mended) && gjson.Parse(mended).IsObject() {
		return mended
	}
	return string(appendString([]byte(`{"_raw":`), arguments)) + "}"
}

// withReceipt puts the receipt at the end of an answer that is one object, if it was asked for.
func withReceipt(b []byte, req *gateway.Request, a *gateway.Answer) []byte {
	if !req.Options.Receipt || a.Receipt == nil {
		return b
	}
	b = bytes.TrimRight(b, " \t\r\n")
	return append(appendReceipt(b[:len(b)-1], a.Receipt()), '}')
}
