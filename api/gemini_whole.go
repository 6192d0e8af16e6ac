package api

import (
	"bytes"
	"maps"
	"slices"

	"github.com/tidwall/gjson"

	"gateway"
)

// geminiWhole is the answer to a client that does not stream. One that a provider of
// the format gave in events is put together from those, so that nothing in it is lost.
func geminiWhole(b []byte, req *gateway.Request, a *gateway.Answer) []byte {
	if events := a.Completion.Relayed; len(events) > 0 {
		return withReceipt(joinGemini(b, events), req, a)
	}
	w := newGeminiWriter(req, a)
	texts := map[int]string{}
	for i := range a.Completion.Choices {
		c := &a.Completion.Choices[i]
		ch := w.choice(c.Index)
		ch.calls, ch.state, ch.logprobs = c.ToolCalls, nil, logprobsOf(c.Logprobs)
		ch.reasoning.WriteString(c.Reasoning)
		for _, t := range c.Thinking {
			ch.state.think(t)
		}
		ch.finish = c.Finish
		texts[c.Index] = c.Text + c.Refusal
	}
	return withReceipt(w.ending(b, &a.Completion.Usage, texts), req, a)
}

// joinGemini makes one response of the events of a stream: texts are joined, other
// parts stay as they are, and of every other field the last word counts.
func joinGemini(b []byte, events []gateway.Chunk) []byte {
	var top joined
	candidates := map[int]*joinedCandidate{}
	for _, ev := range events {
		gjson.ParseBytes(ev.Raw).ForEach(func(k, v gjson.Result) bool {
			if k.Str != "candidates" {
				top.set(k.Str, v.Raw)
				return true
			}
			top.set("candidates", "")
			for _, c := range v.Array() {
				i := int(c.Get("index").Int())
				if candidates[i] == nil {
					candidates[i] = &joinedCandidate{}
				}
				candidates[i].add(c)
			}
			return true
		})
	}
	return top.write(b, func(b []byte, name, raw string) []byte {
		if name != "candidates" {
			return append(b, raw...)
		}
		b = append(b, '[')
		for n, i := range slices.Sorted(maps.Keys(candidates)) {
			if n > 0 {
				b = append(b, ',')
			}
			b = candidates[i].write(b)
		}
		return append(b, ']')
	})
}

// joined is an object whose fields keep the order of their first appearance.
type joined struct {
	names  []string
	values map[string]string
}

func (j *joined) set(name, raw string) {
	if j.values == nil {
		j.values = map[string]string{}
	}
	if _, ok := j.values[name]; !ok {
		j.names = append(j.names, name)
	}
	j.values[name] = raw
}

func (j *joined) write(b []byte, value func(b []byte, name, raw string) []byte) []byte {
	b = append(b, '{')
	for i, name := range j.names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, name), ':')
		b = value(b, name, j.values[name])
	}
	return append(b, '}')
}

type joinedCandidate struct {
	fields, content joined
	parts           [][]byte
	text            []byte // of a part that is not among parts yet, as more may be joined to it
	thought, open   bool
}

func (j *joinedCandidate) add(c gjson.Result) {
	c.ForEach(func(k, v gjson.Result) bool {
		if k.Str != "content" {
			j.fields.set(k.Str, v.Raw)
			return true
		}
		j.fields.set("content", "")
		v.ForEach(func(k, v gjson.Result) bool {
			if k.Str != "parts" {
				j.content.set(k.Str, v.Raw)
				return true
			}
			j.content.set("parts", "")
			for _, p := range v.Array() {
				j.part(p)
			}
			return true
		})
		return true
	})
}

// part adds a part, or joins its text to that of the part before. A signature belongs
// to the part it stands on, which then ends.
func (j *joinedCandidate) part(p gjson.Result) {
	plain := p.Get("text").Type == gjson.String
	p.ForEach(func(k, _ gjson.Result) bool {
		plain = plain && (k.Str == "text" || k.Str == "thought" || k.Str == "thoughtSignature")
		return plain
	})
	if !plain {
		j.shut("")
		j.parts = append(j.parts, []byte(p.Raw))
		return
	}
	thought, signature := p.Get("thought").Bool(), p.Get("thoughtSignature").Str
	if j.thought != thought {
		j.shut("")
	}
	j.text, j.thought, j.open = append(j.text, p.Get("text").Str...), thought, true
	if signature != "" {
		j.shut(signature)
	}
}

// shut ends the part that text is being joined to.
func (j *joinedCandidate) shut(signature string) {
	if j.open {
		j.parts = append(j.parts, appendTextPart(nil, string(j.text), j.thought, signature))
	}
	j.text, j.open = j.text[:0], false
}

func (j *joinedCandidate) write(b []byte) []byte {
	j.shut("")
	return j.fields.write(b, func(b []byte, name, raw string) []byte {
		if name != "content" {
			return append(b, raw...)
		}
		return j.content.write(b, func(b []byte, name, raw string) []byte {
			if name != "parts" {
				return append(b, raw...)
			}
			b = append(b, '[')
			b = append(b, bytes.Join(j.parts, []byte(","))...)
			return append(b, ']')
		})
	})
}
