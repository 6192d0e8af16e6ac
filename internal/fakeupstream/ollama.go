package fakeupstream

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ollama is the native API of Ollama.
type ollama struct{}

func (ollama) route(r *http.Request) func(*Server, http.ResponseWriter, *http.Request) {
	switch r.Method + " " + r.URL.Path {
	case "POST /api/chat":
		return chat
	case "POST /api/embed":
		return embedding(readOllamaEmbed, writeOllamaEmbed)
	case "GET /api/tags":
		return listModels
	case "POST /api/show":
		return showModel
	}
	return nil
}

func (ollama) key(r *http.Request) string { return openAI{}.key(r) }

func (ollama) ids(i int, seed uint64) string { return fmt.Sprintf("call_%d%07x", i, seed&0xfffffff) }

func (ollama) contentType() string { return "application/x-ndjson" }

func (ollama) keepAlive() []byte { return nil }

func (ollama) broken(payload string) []byte { return []byte(payload + "\n") }

func (w ollama) failed(no refusal) []byte { return w.broken(string(w.refusal(no))) }

func (ollama) refusal(no refusal) []byte {
	return mustJSON(struct {
		Error string `json:"error"`
	}{no.message})
}

func (ollama) adjust(no refusal) refusal {
	switch no.code {
	case "context_length_exceeded":
		no.message = "the input length exceeds the context length"
	case "server_is_overloaded":
		no.message = "server busy, please try again. maximum pending requests exceeded"
	case "server_error":
		no.message = "llama runner process has terminated"
	}
	return no
}

type ollamaModel struct {
	Name  string `json:"name"`
	Model string `json:"model"`
}

func (ollama) models(names []string) any {
	var list struct {
		Models []ollamaModel `json:"models"`
	}
	for _, name := range names {
		list.Models = append(list.Models, ollamaModel{name, name})
	}
	return list
}

func showModel(_ *Server, w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, struct {
		Capabilities []string `json:"capabilities"`
	}{[]string{"completion", "tools", "vision", "thinking"}})
}

type ollamaRequest struct {
	Model    string          `json:"model"`
	Messages []ollamaMessage `json:"messages"`
	Tools    []chatTool      `json:"tools"`
	Format   jsontext.Value  `json:"format"`
	Stream   *bool           `json:"stream"`
	Think    jsontext.Value  `json:"think"`
	Options  struct {
		NumPredict int `json:"num_predict"`
	} `json:"options"`
}

type ollamaMessage struct {
	Role       string       `json:"role"`
	Content    string       `json:"content"`
	Thinking   string       `json:"thinking,omitempty"`
	ToolCalls  []ollamaCall `json:"tool_calls,omitempty"`
	ToolName   string       `json:"tool_name,omitempty"`
	ToolCallID string       `json:"tool_call_id,omitempty"`
}

type ollamaCall struct {
	ID       string `json:"id,omitempty"`
	Function struct {
		Index     int            `json:"index"`
		Name      string         `json:"name"`
		Arguments jsontext.Value `json:"arguments"`
	} `json:"function"`
}

func (ollama) read(_ Config, _ *http.Request, body []byte) (*talk, *refusal) {
	var req ollamaRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, invalid("%v", err)
	}
	t := &talk{model: req.Model, stream: req.Stream == nil || *req.Stream, maxTokens: max(0, req.Options.NumPredict)}
	t.thinking = len(req.Think) > 0 && string(req.Think) != "false" && string(req.Think) != "null"
	if format := string(req.Format); len(req.Format) > 0 && format != "null" && format != `""` {
		t.wantsJSON = true
		if req.Format.Kind() == '{' {
			t.schema = req.Format
		} else if format != `"json"` {
			return nil, invalid("invalid format: %s; expected \"json\" or a valid JSON Schema object", format)
		}
	}
	for _, offered := range req.Tools {
		t.tools = append(t.tools, Tool{offered.Function.Name, offered.Function.Parameters})
	}
	for _, m := range req.Messages {
		one, no := m.turn()
		if no != nil {
			return nil, no
		}
		t.turns = append(t.turns, one)
	}
	nameByOrder(t.turns)
	return t, nil
}

func (m *ollamaMessage) turn() (turn, *refusal) {
	one := turn{text: m.Content, id: m.ToolCallID, name: m.ToolName}
	switch m.Role {
	case "system":
		one.role = system
	case "user":
		one.role = user
	case "assistant":
		one.role = assistant
	case "tool":
		one.role = toolResult
	default:
		return one, invalid("invalid role %q", m.Role)
	}
	for _, c := range m.ToolCalls {
		if c.Function.Arguments.Kind() != '{' {
			return one, invalid("json: cannot unmarshal %s into Go struct field arguments", c.Function.Arguments)
		}
		one.calls = append(one.calls, Call{c.ID, c.Function.Name, string(c.Function.Arguments)})
	}
	return one, nil
}

// nameByOrder gives ids to calls without one, and to the results that follow them, by
// name and order.
func nameByOrder(turns []turn) {
	var open []Call
	made := 0
	for i := range turns {
		for j := range turns[i].calls {
			if turns[i].calls[j].ID == "" {
				made++
				turns[i].calls[j].ID = fmt.Sprintf("#%d", made)
			}
		}
		if turns[i].role == assistant {
			open = append([]Call(nil), turns[i].calls...)
		}
		if turns[i].role != toolResult {
			continue
		}
		for j, c := range open {
			if turns[i].id == c.ID || turns[i].id == "" && (turns[i].name == "" || turns[i].name == c.Name) {
				turns[i].id = c.ID
				open = append(open[:j], open[j+1:]...)
				break
			}
		}
	}
}

// ollamaLine is a line of a stream, or a whole answer.
type ollamaLine struct {
	Model    string        `json:"model"`
	Created  string        `json:"created_at"`
	Message  ollamaMessage `json:"message"`
	Done     bool          `json:"done"`
	Reason   string        `json:"done_reason,omitempty"`
	Total    int           `json:"total_duration,omitzero"`
	Prompt   int           `json:"prompt_eval_count,omitzero"`
	Eval     int           `json:"eval_count,omitzero"`
	Duration int           `json:"eval_duration,omitzero"`
}

func (t *talk) line(m ollamaMessage) ollamaLine {
	m.Role = "assistant"
	return ollamaLine{Model: t.model, Created: "2026-11-23T08:00:00.000001Z", Message: m}
}

func (l ollamaLine) finished(a answer) ollamaLine {
	l.Done, l.Reason = true, "stop"
	if a.cut {
		l.Reason = "length"
	}
	l.Prompt, l.Eval, l.Total, l.Duration = a.usage.Prompt, a.usage.Output, 1500000000, 400000000
	return l
}

func ollamaCalls(a answer) []ollamaCall {
	var calls []ollamaCall
	for i, c := range a.calls {
		one := ollamaCall{ID: c.ID}
		one.Function.Index, one.Function.Name, one.Function.Arguments = i, c.Name, jsontext.Value(c.Arguments)
		calls = append(calls, one)
	}
	return calls
}

func (ollama) whole(t *talk, a answer) []byte {
	return mustJSON(t.line(ollamaMessage{Content: strings.Join(a.text, ""), Thinking: strings.Join(a.reasoning, ""),
		ToolCalls: ollamaCalls(a)}).finished(a))
}

func (ollama) frames(t *talk, a answer) []frame {
	var frames []frame
	tokens := 0
	add := func(part part, line ollamaLine) {
		frames = append(frames, frame{part, append(mustJSON(line), '\n'), tokens})
	}
	for _, token := range a.reasoning {
		tokens++
		add(content, t.line(ollamaMessage{Thinking: token}))
	}
	for _, token := range a.text {
		tokens++
		add(content, t.line(ollamaMessage{Content: token}))
	}
	for _, c := range ollamaCalls(a) {
		tokens += len(pieces(string(c.Function.Arguments)))
		add(content, t.line(ollamaMessage{ToolCalls: []ollamaCall{c}}))
	}
	add(tail, t.line(ollamaMessage{}).finished(a))
	return frames
}
