package api

import (
	"bytes"

	"github.com/tidwall/gjson"

	"gateway"
)

// responsesEvents passes the events of a provider that speaks this API on as they
// came, and writes those of any other answer.
type responsesEvents struct {
	*responsesWriter
	relays bool
	mixed  bool   // what was relayed went on in another format, so it has no true end
	last   []byte // a relayed terminal event: the client hears it when the answer is booked
}

func newResponsesEvents(req *gateway.Request, a *gateway.Answer) *responsesEvents {
	return &responsesEvents{responsesWriter: newResponsesWriter(req, a)}
}

func (w *responsesEvents) silent(c *gateway.Chunk) bool {
	return (c.Raw == nil || c.Whole) && w.responsesWriter.silent(c)
}

// relayedResponse is the response that a provider of this format ended its events with; nil
// if it did not.
func relayedResponse(c *gateway.Completion) []byte {
	for i := len(c.Relayed) - 1; i >= 0; i-- {
		if c.Relayed[i].Finish != "" {
			return []byte(gjson.GetBytes(c.Relayed[i].Raw, "response").Raw)
		}
	}
	return nil
}

func (w *responsesEvents) chunk(b []byte, c *gateway.Chunk) []byte {
	switch {
	case c.Raw != nil && !c.Whole && (w.relays || !w.begun):
		w.relays, w.begun = true, true
		w.said = w.said || c.HasContent()
		if c.Finish != "" || w.last != nil { // nothing may follow it, so what comes after waits as well
			w.last = appendEvent(w.last, c)
			return b
		}
		w.follow(c)
		return appendEvent(b, c)
	case w.relays:
		w.mixed = true
		return b
	case w.responsesWriter.silent(c):
		return b
	}
	return w.responsesWriter.chunk(b, c)
}

// follow keeps what an end of our own would have to agree with.
func (w *responsesEvents) follow(c *gateway.Chunk) {
	if n := gjson.GetBytes(c.Raw, "sequence_number"); n.Type == gjson.Number {
		w.seq = int(n.Int()) + 1
	}
	switch {
	case w.head.relayedID == "":
		w.head.relayedID = gjson.GetBytes(c.Raw, "response.id").String()
		w.head.model = or(gjson.GetBytes(c.Raw, "response.model").String(), w.head.model)
	case c.Event == "response.output_item.done":
		if item := gjson.GetBytes(c.Raw, "item").Raw; item != "" {
			w.items = append(w.items, []byte(item))
		}
	}
}

// appendData appends the data of an event; each of its lines needs the field's name.
func appendData(b, data []byte) []byte {
	for line := range bytes.SplitSeq(data, []byte("\n")) {
		b = append(append(append(b, "data: "...), line...), '\n')
	}
	return append(b, '\n')
}

func (w *responsesEvents) end(b []byte, u *gateway.Usage, receipt []gateway.AttemptNote) []byte {
	if !w.relays {
		return w.responsesWriter.end(b, u, receipt)
	}
	if w.mixed {
		p := problemOf(gateway.Errorf(gateway.Unavailable, "the provider failed"))
		return w.fail(b, &p)
	}
	return append(b, w.last...)
}
