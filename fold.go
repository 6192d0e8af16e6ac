package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
)

// Fold gathers the chunks of a stream into a Completion. The zero Fold is ready;
// one goroutine uses it.
type Fold struct {
	meta    Meta
	usage   Usage
	choices []*folding
	relayed []Chunk
	body    []byte
	other   bool
}

type folding struct {
	Choice
	text, reasoning, refusal strings.Builder
	arguments                []*strings.Builder
	positions                []int // wire index of each tool call, in order of arrival
	logprobs                 [][]byte
	annotations              []byte // the elements of all lists, separated by commas
	media                    [][]byte
}

// clone copies what a chunk only lends.
func (c *Chunk) clone() Chunk {
	out := *c
	out.Raw, out.Tools, out.Thinking = bytes.Clone(c.Raw), slices.Clone(c.Tools), slices.Clone(c.Thinking)
	out.Logprobs, out.Annotations, out.Media = bytes.Clone(c.Logprobs), bytes.Clone(c.Annotations), bytes.Clone(c.Media)
	if c.Usage != nil {
		u := *c.Usage
		out.Usage = &u
	}
	return out
}

// Add takes the next chunk. It keeps no part of it.
func (f *Fold) Add(c *Chunk) {
	switch {
	case c.Whole:
		f.body = bytes.Clone(c.Raw)
	case c.Raw != nil:
		f.relayed = append(f.relayed, c.clone())
	}
	f.other = f.other || c.Other
	if c.Meta != nil {
		f.meta = *c.Meta
	}
	if c.Usage != nil {
		f.usage = *c.Usage // the last one counts, never the sum
	}
	if !c.HasContent() && c.Finish == "" && c.Logprobs == nil && c.Annotations == nil && len(c.Thinking) == 0 {
		return
	}
	f.choice(c.Choice).add(c)
}

func (f *Fold) choice(index int) *folding {
	for _, ch := range f.choices {
		if ch.Index == index {
			return ch
		}
	}
	ch := &folding{Choice: Choice{Index: index}}
	f.choices = append(f.choices, ch)
	return ch
}

func (ch *folding) add(c *Chunk) {
	ch.text.WriteString(c.Text)
	ch.reasoning.WriteString(c.Reasoning)
	ch.refusal.WriteString(c.Refusal)
	for _, d := range c.Tools {
		ch.tool(d)
	}
	ch.Thinking = append(ch.Thinking, c.Thinking...)
	if c.Finish != "" {
		ch.Finish, ch.Native = c.Finish, c.Native
	}
	if c.Logprobs != nil {
		ch.logprobs = append(ch.logprobs, bytes.Clone(c.Logprobs))
	}
	if c.Media != nil {
		ch.media = append(ch.media, bytes.Clone(c.Media))
	}
	if list := bytes.TrimSpace(c.Annotations); len(list) > 1 && list[0] == '[' {
		if one := bytes.TrimSpace(list[1 : len(list)-1]); len(one) > 0 {
			if ch.annotations != nil {
				ch.annotations = append(ch.annotations, ',')
			}
			ch.annotations = append(ch.annotations, one...)
		}
	}
}

func (ch *folding) tool(d ToolDelta) {
	i := slices.Index(ch.positions, d.Index)
	if i < 0 {
		i = len(ch.positions)
		ch.positions = append(ch.positions, d.Index)
		ch.ToolCalls = append(ch.ToolCalls, ToolCall{})
		ch.arguments = append(ch.arguments, &strings.Builder{})
	}
	call := &ch.ToolCalls[i]
	if d.ID != "" {
		call.ID = d.ID
	}
	if d.Name != "" {
		call.Name = d.Name
	}
	if d.Signature != "" {
		call.Signature = d.Signature
	}
	call.Custom = call.Custom || d.Custom
	ch.arguments[i].WriteString(d.Arguments)
}

// Usage is the latest usage seen.
func (f *Fold) Usage() Usage { return f.usage }

// Completion is what was gathered so far, choices by index. It always has at least one choice.
func (f *Fold) Completion() *Completion {
	out := &Completion{Meta: f.meta, Usage: f.usage, Relayed: f.relayed, Body: f.body, Other: f.other}
	if len(f.choices) == 0 {
		out.Choices = []Choice{{}}
		return out
	}
	for _, ch := range f.choices {
		c := ch.Choice
		c.Text, c.Reasoning, c.Refusal = ch.text.String(), ch.reasoning.String(), ch.refusal.String()
		c.ToolCalls = slices.Clone(c.ToolCalls)
		for i := range c.ToolCalls {
			c.ToolCalls[i].Arguments = ch.arguments[i].String()
		}
		c.Logprobs, c.Media = mergeLogprobs(ch.logprobs), mergeMedia(ch.media)
		if ch.annotations != nil {
			c.Annotations = slices.Concat([]byte{'['}, ch.annotations, []byte{']'})
		}
		out.Choices = append(out.Choices, c)
	}
	slices.SortStableFunc(out.Choices, func(a, b Choice) int { return a.Index - b.Index })
	return out
}

// Empty says whether an answer has nothing to show: no text, reasoning, refusal or
// tool call, and no reason of its own for that. A length stop or a filter is one, and so
// is an end that the provider counts a few tokens for (Usage.Silence): the model was asked
// and chose to say nothing, as after a tool's result or before a stop word.
func (c *Completion) Empty() bool {
	if c.Other {
		return false
	}
	for _, ch := range c.Choices {
		if ch.Text != "" || ch.Reasoning != "" || ch.Refusal != "" || len(ch.ToolCalls) > 0 || ch.Media != nil ||
			ch.Finish == FinishLength || ch.Finish == FinishFilter || ch.Finish != "" && c.Usage.Silence() {
			return false
		}
	}
	return true
}

// Collect reads a stream to its end. On failure the Completion holds what had come.
func Collect(s Stream) (*Completion, error) {
	var f Fold
	for {
		c, err := s.Next()
		if errors.Is(err, io.EOF) {
			return f.Completion(), nil
		}
		if err != nil {
			return f.Completion(), err
		}
		f.Add(&c)
	}
}

// mergeLogprobs joins {"content":[…],"refusal":[…]} objects list by list.
func mergeLogprobs(pieces [][]byte) json.RawMessage {
	switch len(pieces) {
	case 0:
		return nil
	case 1:
		return pieces[0]
	}
	merged := map[string][]json.RawMessage{}
	for _, p := range pieces {
		var lists map[string][]json.RawMessage
		if json.Unmarshal(p, &lists) != nil {
			return pieces[0]
		}
		for k, v := range lists {
			merged[k] = append(merged[k], v...)
		}
	}
	out, err := json.Marshal(merged)
	if err != nil {
		return pieces[0]
	}
	return out
}

// Replay is a Stream over a Completion: the same answer in as few chunks as it takes.
func (c *Completion) Replay() Stream {
	if c.Relayed != nil {
		return &replay{chunks: c.Relayed}
	}
	r := &replay{}
	for i, ch := range c.Choices {
		if ch.Reasoning != "" || len(ch.Thinking) > 0 {
			r.add(Chunk{Choice: ch.Index, Reasoning: ch.Reasoning, Thinking: ch.Thinking})
		}
		if ch.Text != "" || ch.Refusal != "" || ch.Logprobs != nil || ch.Annotations != nil || ch.Media != nil {
			r.add(Chunk{Choice: ch.Index, Text: ch.Text, Refusal: ch.Refusal, Logprobs: ch.Logprobs, Annotations: ch.Annotations, Media: ch.Media})
		}
		for j, t := range ch.ToolCalls {
			r.add(Chunk{Choice: ch.Index, Tools: []ToolDelta{{Index: j, ID: t.ID, Name: t.Name, Arguments: t.Arguments, Custom: t.Custom, Signature: t.Signature}}})
		}
		last := Chunk{Choice: ch.Index, Finish: ch.Finish, Native: ch.Native}
		if i == len(c.Choices)-1 {
			usage := c.Usage
			last.Usage = &usage
		}
		r.add(last)
	}
	if len(r.chunks) > 0 {
		meta := c.Meta
		r.chunks[0].Meta = &meta
	}
	return r
}

type replay struct {
	chunks []Chunk
	at     int
}

func (r *replay) add(c Chunk) { r.chunks = append(r.chunks, c) }

func (r *replay) Next() (Chunk, error) {
	if r.at == len(r.chunks) {
		return Chunk{}, io.EOF
	}
	r.at++
	return r.chunks[r.at-1], nil
}

func (r *replay) Close() error { return nil }
