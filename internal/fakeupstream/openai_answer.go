package fakeupstream

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// chatAnswer is an answer or a chunk of one.
type chatAnswer struct {
	ID      string         `json:"id"`
	Object  string         `json:"object"`
	Created int64          `json:"created"`
	Model   string         `json:"model"`
	Choices []chatChoice   `json:"choices"`
	Usage   jsontext.Value `json:"usage,omitzero"`
}

type chatChoice struct {
	Index   int      `json:"index"`
	Message *chatSay `json:"message,omitzero"`
	Delta   *chatSay `json:"delta,omitzero"`
	Finish  *string  `json:"finish_reason"`
}

// chatSay is a message of the model or a delta of one.
type chatSay struct {
	Role      string         `json:"role,omitempty"`
	Content   jsontext.Value `json:"content,omitzero"`
	Refusal   string         `json:"refusal,omitempty"`
	Reasoning *string        `json:"reasoning_content,omitzero"`
	ToolCalls []chatCall     `json:"tool_calls,omitempty"`
}

type chatUsage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
	Total      int `json:"total_tokens"`
	InDetail   struct {
		Cached int `json:"cached_tokens"`
	} `json:"prompt_tokens_details"`
	OutDetail struct {
		Reasoning int `json:"reasoning_tokens"`
	} `json:"completion_tokens_details"`
	Hit  *int `json:"prompt_cache_hit_tokens,omitzero"`
	Miss *int `json:"prompt_cache_miss_tokens,omitzero"`
}

func chatUsageOf(u Usage) chatUsage {
	out := chatUsage{Prompt: u.Prompt, Completion: u.Output, Total: u.Prompt + u.Output}
	out.InDetail.Cached, out.OutDetail.Reasoning = u.Cached, u.Reasoning
	return out
}

// finish is the reason in OpenAI's words.
func (a answer) finish() *string {
	reason := "stop"
	switch {
	case a.refused:
		// A refusal of OpenAI is an answer of its own kind that comes to its end.
	case len(a.calls) > 0:
		reason = "tool_calls"
	case a.cut:
		reason = "length"
	}
	return &reason
}

// stamp makes the part of an answer that is the same in all its chunks.
func (t *talk) stamp(object string) chatAnswer {
	return chatAnswer{ID: fmt.Sprintf("chatcmpl-%016x", sum(t.question)), Object: object, Created: created, Model: t.model}
}

func (openAI) whole(t *talk, a answer) []byte {
	return chatWhole(t, a, chatUsageOf(a.usage), false)
}

func chatWhole(t *talk, a answer, usage chatUsage, showThoughts bool) []byte {
	out := t.stamp("chat.completion")
	say := &chatSay{Role: "assistant", Content: jsontext.Value("null")}
	if text := strings.Join(a.text, ""); text != "" || len(a.calls) == 0 {
		say.Content = mustJSON(text)
	}
	if a.refused && !showThoughts {
		say.Content, say.Refusal = jsontext.Value("null"), strings.Join(a.text, "")
	}
	if showThoughts && t.thinking {
		thought := strings.Join(a.reasoning, "")
		say.Reasoning = &thought
	}
	finish := a.finish()
	if showThoughts {
		finish = a.filtered()
	}
	for _, c := range a.calls {
		one := chatCall{ID: c.ID, Type: "function"}
		one.Function.Name, one.Function.Arguments = c.Name, c.Arguments
		say.ToolCalls = append(say.ToolCalls, one)
	}
	for i := range max(1, t.choices) {
		out.Choices = append(out.Choices, chatChoice{Index: i, Message: say, Finish: finish})
	}
	out.Usage = mustJSON(usage)
	return mustJSON(out)
}

func (openAI) frames(t *talk, a answer) []frame {
	s := chatStream{talk: t}
	s.tokens = a.usage.Reasoning // never shown, always paid
	for s.choice = range max(1, t.choices) {
		s.add(head, &chatSay{Role: "assistant", Content: jsontext.Value(`""`)}, nil)
		s.say(a)
		s.add(tail, &chatSay{}, a.finish())
	}
	if t.includeUsage {
		chunk := t.stamp("chat.completion.chunk")
		chunk.Choices, chunk.Usage = []chatChoice{}, mustJSON(chatUsageOf(a.usage))
		s.event(tail, mustJSON(chunk))
	}
	s.event(tail, []byte("[DONE]"))
	return s.frames
}

// chatStream collects the frames of a stream of chunks.
type chatStream struct {
	talk   *talk
	frames []frame
	tokens int // of output until now
	choice int // that speaks

	filters bool // a refusal is text that a filter ended, not a field of its own
}

func (s *chatStream) event(part part, data []byte) {
	s.frames = append(s.frames, frame{part, fmt.Appendf(nil, "data: %s\n\n", data), s.tokens})
}

func (s *chatStream) add(part part, delta *chatSay, finish *string) {
	chunk := s.talk.stamp("chat.completion.chunk")
	chunk.Choices = []chatChoice{{Index: s.choice, Delta: delta, Finish: finish}}
	if s.talk.includeUsage {
		chunk.Usage = jsontext.Value("null")
	}
	if part == content {
		s.tokens++
	}
	s.event(part, mustJSON(chunk))
}

// say adds the text and the calls. The arguments come in pieces.
func (s *chatStream) say(a answer) {
	for _, token := range a.text {
		if a.refused && !s.filters {
			s.add(content, &chatSay{Refusal: token}, nil)
			continue
		}
		s.add(content, &chatSay{Content: mustJSON(token)}, nil)
	}
	for i, c := range a.calls {
		first := chatCall{Index: &i, ID: c.ID, Type: "function"}
		first.Function.Name = c.Name
		s.add(content, &chatSay{ToolCalls: []chatCall{first}}, nil)
		s.tokens-- // the name is not counted
		for _, piece := range pieces(c.Arguments) {
			more := chatCall{Index: &i}
			more.Function.Arguments = piece
			s.add(content, &chatSay{ToolCalls: []chatCall{more}}, nil)
		}
	}
}
