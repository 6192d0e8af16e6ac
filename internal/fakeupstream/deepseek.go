package fakeupstream

import (
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// deepSeek is OpenAI's form with thoughts that must be given back, signs of life, and
// its own account of the cache.
type deepSeek struct{ openAI }

func (w deepSeek) route(r *http.Request) func(*Server, http.ResponseWriter, *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/embeddings") {
		return nil // it has none
	}
	return w.openAI.route(r)
}

func (deepSeek) keepAlive() []byte { return []byte(": keep-alive\n\n") }

func (w deepSeek) read(_ Config, _ *http.Request, body []byte) (*talk, *refusal) {
	var req chatRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, invalid("Failed to parse the request body as JSON: %v", err)
	}
	t, no := req.talk()
	if no != nil {
		return nil, no
	}
	if req.MaxCompletionTokens != nil {
		return nil, invalid("max_completion_tokens is not known here; a limit in it would be lost")
	}
	if req.Format != nil && req.Format.Type == "json_schema" {
		return nil, invalid("This response_format type is unavailable now")
	}
	t.thinking = req.Thinking == nil || req.Thinking.Type != "disabled"
	for i, m := range req.Messages {
		if m.Role == "developer" {
			return nil, &refusal{status: http.StatusUnprocessableEntity, code: "invalid_request_error",
				message: "messages[" + string(mustJSON(i)) + "].role: unknown variant `developer`"}
		}
		if t.thinking && m.Role == "assistant" && m.ReasoningContent == nil {
			return nil, invalid("The `reasoning_content` in the thinking mode must be passed back to the API.")
		}
	}
	return t, nil
}

func deepSeekUsage(u Usage) chatUsage {
	out := chatUsageOf(u)
	miss := u.Prompt - u.Cached
	out.Hit, out.Miss = &u.Cached, &miss
	return out
}

// filtered is the reason where a refusal is the work of a filter.
func (a answer) filtered() *string {
	if reason := "content_filter"; a.refused {
		return &reason
	}
	return a.finish()
}

// whole begins with blank lines, as the connection is kept alive before the body.
func (deepSeek) whole(t *talk, a answer) []byte {
	return append([]byte("\n\n\n"), chatWhole(t, a, deepSeekUsage(a.usage), true)...)
}

func (deepSeek) frames(t *talk, a answer) []frame {
	s := chatStream{talk: t, filters: true}
	empty, null := "", jsontext.Value("null")
	if t.thinking {
		s.add(head, &chatSay{Role: "assistant", Content: null, Reasoning: &empty}, nil)
		for _, token := range a.reasoning {
			s.add(content, &chatSay{Content: null, Reasoning: &token}, nil)
		}
	} else {
		s.add(head, &chatSay{Role: "assistant", Content: jsontext.Value(`""`)}, nil)
	}
	s.say(a)
	last := t.stamp("chat.completion.chunk")
	last.Choices = []chatChoice{{Delta: &chatSay{Content: jsontext.Value(`""`)}, Finish: a.filtered()}}
	if t.includeUsage {
		last.Usage = mustJSON(deepSeekUsage(a.usage))
	}
	s.event(tail, mustJSON(last))
	s.event(tail, []byte("[DONE]"))
	return s.frames
}
