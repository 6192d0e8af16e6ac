package providers

import (
	"bytes"

	"github.com/tidwall/gjson"

	"gateway"
)

// alike remembers an event whose only new thing was a text. The events of a stream are
// the same bytes over and over around a few letters: one that differs from the last only
// in its text, and whose text needs no unescaping, says what the last one said with
// another text, and need not be parsed.
type alike struct {
	before, after []byte // of the event around the text; empty: none is known
	reasoning     bool   // the text is reasoning
	choice        int
	text          string // as it stands in the event being read; valid during decode
}

// learn notes the event just read, if it gave one chunk with nothing but a text.
func (a *alike) learn(data []byte, c *gateway.Chunk) {
	text := a.text
	a.text = ""
	if len(text) < 2 || (c.Text == "") == (c.Reasoning == "") || !onlyText(c) {
		return
	}
	at, ok := placeOf(data, text)
	if !ok || text[0] != '"' {
		return
	}
	a.before = append(a.before[:0], data[:at+1]...)
	a.after = append(a.after[:0], data[at+len(text)-1:]...)
	a.reasoning, a.choice = c.Reasoning != "", c.Choice
}

// onlyText: the chunk holds nothing besides its text.
func onlyText(c *gateway.Chunk) bool {
	return c.Refusal == "" && len(c.Tools) == 0 && len(c.Thinking) == 0 && c.Finish == "" && c.Native == "" &&
		c.Usage == nil && c.Logprobs == nil && c.Annotations == nil && c.Media == nil && c.Meta == nil && c.Raw == nil && c.Event == ""
}

// textOf finds the text of an event that is like the one learned; false if it is not, or if
// its text is not plain.
func (a *alike) textOf(data []byte) (string, bool) {
	n := len(data) - len(a.before) - len(a.after)
	if len(a.before) == 0 || n <= 0 || !bytes.HasPrefix(data, a.before) || !bytes.HasSuffix(data, a.after) {
		return "", false
	}
	text := data[len(a.before) : len(a.before)+n]
	if plain(text) < n {
		return "", false
	}
	return string(text), true
}

// likeTheLast reads an event that differs from an earlier one in its text only.
func (s *openAIStream) likeTheLast(data []byte) bool {
	text, ok := s.alike.textOf(data)
	if !ok {
		return false
	}
	s.queue = append(s.queue, gateway.Chunk{Choice: s.alike.choice})
	chunk := &s.queue[len(s.queue)-1]
	if !s.alike.reasoning {
		chunk.Text = text
		return true
	}
	chunk.Reasoning = text
	s.reasons(s.state(s.alike.choice), chunk)
	return true
}

// reasons keeps the reasoning of a choice for providers that want it back.
func (s *openAIStream) reasons(state *openAIChoice, chunk *gateway.Chunk) {
	if state != nil && chunk.Reasoning != "" && s.a.State != nil {
		state.reasoned = true
		state.reasoning.WriteString(chunk.Reasoning)
	}
}

// textIs notes where the text of the event being read stands. An event with two of them
// is like no other: the one that is empty says so too.
func (s *openAIStream) textIs(value gjson.Result) {
	if value.Str != "" {
		s.alike.text = value.Raw
	}
}
