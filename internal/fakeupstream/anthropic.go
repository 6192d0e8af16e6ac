package fakeupstream

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// anthropic is the Messages API.
type anthropic struct{}

func (anthropic) route(r *http.Request) func(*Server, http.ResponseWriter, *http.Request) {
	switch r.Method + " " + r.URL.Path {
	case "POST /v1/messages":
		return chat
	case "POST /v1/messages/count_tokens":
		return count
	case "GET /v1/models":
		return listModels
	}
	return nil
}

func (anthropic) key(r *http.Request) string {
	if key := r.Header.Get("X-Api-Key"); key != "" {
		return key
	}
	return openAI{}.key(r)
}

func (anthropic) ids(i int, seed uint64) string { return fmt.Sprintf("toolu_%d%016x", i, seed) }

func (anthropic) contentType() string { return "text/event-stream" }

func (anthropic) keepAlive() []byte { return nil }

func (anthropic) broken(payload string) []byte {
	return fmt.Appendf(nil, "event: content_block_delta\ndata: %s\n\n", payload)
}

func (w anthropic) failed(no refusal) []byte {
	return fmt.Appendf(nil, "event: error\ndata: %s\n\n", w.refusal(no))
}

func (anthropic) refusal(no refusal) []byte {
	type inner struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	}
	return mustJSON(struct {
		Type  string `json:"type"`
		Error inner  `json:"error"`
		ID    string `json:"request_id"`
	}{"error", inner{anthropicErrorType(no.status), no.message}, "req_fake"})
}

func anthropicErrorType(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "authentication_error"
	case http.StatusNotFound:
		return "not_found_error"
	case http.StatusRequestEntityTooLarge:
		return "request_too_large"
	case http.StatusTooManyRequests:
		return "rate_limit_error"
	case anthropicOverloaded:
		return "overloaded_error"
	}
	if status >= 500 {
		return "api_error"
	}
	return "invalid_request_error"
}

// anthropicOverloaded is a status of Anthropic's own.
const anthropicOverloaded = 529

func (anthropic) adjust(no refusal) refusal {
	switch no.code {
	case "server_is_overloaded":
		no.status, no.message = anthropicOverloaded, "Overloaded"
	case "context_length_exceeded":
		no.message = "prompt is too long: 200001 tokens > 200000 maximum"
	case "invalid_api_key":
		no.message = "invalid x-api-key"
	}
	return no
}

func (anthropic) models(names []string) any {
	type model struct {
		Type    string `json:"type"`
		ID      string `json:"id"`
		Name    string `json:"display_name"`
		Created string `json:"created_at"`
	}
	list := struct {
		Data  []model `json:"data"`
		More  bool    `json:"has_more"`
		First string  `json:"first_id"`
		Last  string  `json:"last_id"`
	}{First: names[0], Last: names[len(names)-1]}
	for _, name := range names {
		list.Data = append(list.Data, model{"model", name, name, "2026-11-23T08:00:00Z"})
	}
	return list
}

// signature vouches for a thought: it holds for this text and model only.
func signature(model, thought string) string { return opaque(model + "\x00" + thought) }

// messageUsage is the account of Messages. Input does not include what was cached.
type messageUsage struct {
	Input  int `json:"input_tokens"`
	Write  int `json:"cache_creation_input_tokens"`
	Read   int `json:"cache_read_input_tokens"`
	Output int `json:"output_tokens"`
}

type message struct {
	ID       string       `json:"id"`
	Type     string       `json:"type"`
	Role     string       `json:"role"`
	Model    string       `json:"model"`
	Content  []any        `json:"content"`
	Stop     *string      `json:"stop_reason"`
	Sequence *string      `json:"stop_sequence"`
	Usage    messageUsage `json:"usage"`
}

type textBlock struct {
	Type      string         `json:"type"`
	Text      string         `json:"text"`
	Citations jsontext.Value `json:"citations"`
}

type thinkingBlock struct {
	Type      string `json:"type"`
	Thinking  string `json:"thinking"`
	Signature string `json:"signature"`
}

type toolBlock struct {
	Type  string         `json:"type"`
	ID    string         `json:"id"`
	Name  string         `json:"name"`
	Input jsontext.Value `json:"input"`
}

func newMessage(t *talk, a answer) message {
	return message{
		ID: fmt.Sprintf("msg_%016x", sum(t.question)), Type: "message", Role: "assistant", Model: t.model, Content: []any{},
		Usage: messageUsage{Input: a.usage.Prompt - a.usage.Cached, Read: a.usage.Cached, Output: 1},
	}
}

func (a answer) stopReason() *string {
	reason := "end_turn"
	switch {
	case a.refused:
		reason = "refusal"
	case len(a.calls) > 0:
		reason = "tool_use"
	case a.cut:
		reason = "max_tokens"
	}
	return &reason
}

func (anthropic) whole(t *talk, a answer) []byte {
	out := newMessage(t, a)
	out.Stop, out.Usage.Output = a.stopReason(), a.usage.Output
	if thought := strings.Join(a.reasoning, ""); thought != "" {
		out.Content = append(out.Content, thinkingBlock{"thinking", thought, signature(t.model, thought)})
	}
	if text := strings.Join(a.text, ""); text != "" {
		out.Content = append(out.Content, textBlock{"text", text, nil})
	}
	for _, c := range a.calls {
		out.Content = append(out.Content, toolBlock{"tool_use", c.ID, c.Name, jsontext.Value(c.Arguments)})
	}
	return mustJSON(out)
}

// eventStream collects the frames of a stream of Messages.
type eventStream struct {
	frames []frame
	tokens int
	block  int
}

// event adds one event. Its type is the first field of its data, as Anthropic does.
func (s *eventStream) event(part part, name string, fields string, args ...any) {
	if part == content {
		s.tokens++
	}
	data := fmt.Appendf(nil, "event: %s\ndata: {%q:%q%s}\n\n", name, "type", name, fmt.Sprintf(fields, args...))
	s.frames = append(s.frames, frame{part, data, s.tokens})
}

// glue adds an event to the frame before, since it has no token of its own.
func (s *eventStream) glue(name string, fields string, args ...any) {
	s.event(head, name, fields, args...)
	last := len(s.frames) - 1
	s.frames[last-1].data = append(s.frames[last-1].data, s.frames[last].data...)
	s.frames = s.frames[:last]
}

func (s *eventStream) open(block any) {
	s.glue("content_block_start", `,"index":%d,"content_block":%s`, s.block, mustJSON(block))
}

func (s *eventStream) delta(kind, field, value string) {
	s.event(content, "content_block_delta", `,"index":%d,"delta":{"type":%q,%q:%s}`, s.block, kind, field, mustJSON(value))
}

func (s *eventStream) shut() {
	s.glue("content_block_stop", `,"index":%d`, s.block)
	s.block++
}

func (anthropic) frames(t *talk, a answer) []frame {
	s := &eventStream{}
	s.event(early, "message_start", `,"message":%s`, mustJSON(newMessage(t, a)))
	s.event(head, "ping", "")
	if len(a.reasoning) > 0 {
		s.open(thinkingBlock{Type: "thinking"})
		for _, token := range a.reasoning {
			s.delta("thinking_delta", "thinking", token)
		}
		s.glue("content_block_delta", `,"index":%d,"delta":{"type":"signature_delta","signature":%q}`,
			s.block, signature(t.model, strings.Join(a.reasoning, "")))
		s.shut()
	}
	if len(a.text) > 0 {
		s.open(textBlock{Type: "text"})
		for i, token := range a.text {
			s.delta("text_delta", "text", token)
			if i == len(a.text)/2 {
				s.glue("ping", "") // may come anywhere
			}
		}
		s.shut()
	}
	for _, c := range a.calls {
		s.open(toolBlock{"tool_use", c.ID, c.Name, jsontext.Value("{}")})
		if c.Arguments != "{}" { // a call without arguments says nothing about them
			for _, piece := range pieces(c.Arguments) {
				s.delta("input_json_delta", "partial_json", piece)
			}
		}
		s.shut()
	}
	s.event(tail, "message_delta", `,"delta":{"stop_reason":%q,"stop_sequence":null},"usage":%s`, *a.stopReason(),
		mustJSON(messageUsage{Input: a.usage.Prompt - a.usage.Cached, Read: a.usage.Cached, Output: a.usage.Output}))
	s.event(tail, "message_stop", "")
	return s.frames
}
