package providers

import (
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// messages rewrites the history. When nothing in it concerns this provider's quirks
// it is copied as it is.
func (e *edit) messages(list gjson.Result) string {
	if !e.touches(list.Raw) {
		return list.Raw
	}
	var out strings.Builder
	out.Grow(len(list.Raw) + 256)
	out.WriteByte('[')
	comma := func() {
		if out.Len() > 1 {
			out.WriteByte(',')
		}
	}
	if e.schema != "" {
		comma()
		out.WriteString(`{"role":"system","content":` +
			quoted("Answer with one JSON object that matches this JSON schema: "+compact(e.schema)) + "}")
	}
	names := map[string]string{} // tool call id -> function
	ids := map[string]string{}
	list.ForEach(func(_, m gjson.Result) bool {
		comma()
		if m.IsObject() {
			out.WriteString(e.message(m, names, ids))
		} else {
			out.WriteString(m.Raw)
		}
		return true
	})
	if e.call.Prefill != "" {
		comma()
		out.WriteString(`{"role":"assistant","content":` + quoted(e.call.Prefill))
		if e.q.OnlyKnown || e.q.Thinking {
			out.WriteString(`,"prefix":true`) // Mistral and DeepSeek continue only a marked turn
		}
		out.WriteByte('}')
	}
	out.WriteByte(']')
	return out.String()
}

// compact is a JSON text without the space between its tokens.
func compact(text string) string { return gjson.Get(text, "@ugly").Raw }

func (e *edit) touches(raw string) bool {
	q := e.q
	if e.schema != "" || e.call.Prefill != "" || q.ToolIDs != "" && e.longIDs(raw) || q.ToolName || q.ReasoningBack || q.TextAsString || e.model.reasoning {
		return true
	}
	if e.call.Request.UsualHistory {
		return false
	}
	for _, word := range [...]string{"reasoning_content", "thinking_blocks", "extra_content", `"function_call"`} {
		if strings.Contains(raw, word) {
			return true
		}
	}
	return !q.DeveloperRole && strings.Contains(raw, `"developer"`)
}

func (e *edit) message(m gjson.Result, names, ids map[string]string) string {
	role := m.Get("role").Str
	w := objectWriter{}
	toolCallID := m.Get("tool_call_id").Str
	hasName, reasoned := false, false
	if role == "function" && e.oldCall != "" {
		w.put("tool_call_id", quoted(e.toolID(e.oldCall, ids)))
	}
	m.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "role":
			w.put("role", quoted(e.role(role)))
		case "thinking_blocks", "reasoning_details":
		case "extra_content":
			if e.ownsExtra() {
				w.put(key.Str, value.Raw)
			}
		case "reasoning_content":
			if e.q.ReasoningBack && value.Type == gjson.String {
				w.put(key.Str, value.Raw)
				reasoned = true
			}
		case "content":
			w.put(key.Str, e.content(value, m))
		case "tool_calls":
			w.put(key.Str, e.toolCalls(value, names, ids))
		case "tool_call_id":
			w.put(key.Str, quoted(e.toolID(toolCallID, ids)))
		case "function_call":
			if !value.IsObject() || m.Get("tool_calls").Exists() {
				return true
			}
			w.put("tool_calls", e.toolCalls(e.presentCall(value), names, ids))
		case "name":
			if hasName = true; role == "function" && e.oldCall != "" && !e.q.ToolName {
				return true
			}
			w.put(key.Str, value.Raw)
		default:
			w.put(key.Str, value.Raw)
		}
		return true
	})
	if role == "tool" && e.q.ToolName && !hasName && names[toolCallID] != "" {
		w.put("name", quoted(names[toolCallID]))
	}
	if role == "assistant" && e.q.ReasoningBack && !reasoned {
		w.put("reasoning_content", quoted(e.recall(m)))
	}
	return w.done()
}

// recall is the reasoning of an earlier turn, if this model's was kept; "" is what these
// providers take for unknown.
func (e *edit) recall(m gjson.Result) string {
	text := ""
	m.Get("tool_calls").ForEach(func(_, call gjson.Result) bool {
		kept, ok := e.settings.State.Get(e.call.Request, call.Get("id").Str)
		if ok && kept.HasReasoning && kept.Maker == e.settings.Kind && kept.Model == e.call.Model.Name {
			text = kept.Reasoning
			return false
		}
		return true
	})
	return text
}

func (e *edit) role(role string) string {
	switch {
	case role == "function" && e.oldCall != "":
		return "tool"
	case role == "system" && e.model.reasoning:
		return "developer"
	case role == "developer" && !e.q.DeveloperRole && !e.model.reasoning:
		return "system"
	}
	return role
}

// ownsExtra says whether the model takes back extra_content: Gemini's compat endpoint does.
func (e *edit) ownsExtra() bool {
	return strings.Contains(strings.ToLower(e.call.Model.Name), "gemini")
}

// presentCall turns the deprecated function_call of a turn into a list of one tool
// call. Its id comes from its place in the history, so that it is the same each time.
func (e *edit) presentCall(call gjson.Result) gjson.Result {
	if !call.IsObject() {
		return gjson.Parse("[]")
	}
	e.oldCalls++
	e.oldCall = "call_function" + strconv.Itoa(e.oldCalls)
	return gjson.Parse(`[{"id":` + quoted(e.oldCall) + `,"type":"function","function":` + call.Raw + `}]`)
}

func (e *edit) content(value, m gjson.Result) string {
	if !e.q.TextAsString {
		return value.Raw
	}
	if value.Type == gjson.Null && m.Get("tool_calls").Exists() {
		return `""`
	}
	if !value.IsArray() {
		return value.Raw
	}
	var texts []string
	plain := true
	value.ForEach(func(_, part gjson.Result) bool {
		plain = part.Get("type").Str == "text"
		texts = append(texts, part.Get("text").String())
		return plain
	})
	if !plain {
		return value.Raw
	}
	return quoted(strings.Join(texts, "\n"))
}

// maxOpenAIToolID is how many characters OpenAI takes in the id of a call. Source: wire
// reference section 5.3.
const maxOpenAIToolID = 40

// toolID is the id of a call as this provider takes it. Others are made alike in the call
// and in its result, and in the same way whenever the conversation comes.
func (e *edit) toolID(id string, ids map[string]string) string {
	switch {
	case e.q.ToolIDs == "alnum9":
		return fitToolID(id, 9, true, ids)
	case e.q.ToolIDs == "max40" && len(id) > maxOpenAIToolID:
		return fitToolID(id, maxOpenAIToolID, false, ids)
	}
	return id
}

// longIDs says whether ids of the messages may have to be others here: it looks at those
// of results, without which no call may be.
func (e *edit) longIDs(raw string) bool {
	return e.q.ToolIDs != "max40" || anyLong(raw, `"tool_call_id"`, maxOpenAIToolID)
}

func (e *edit) toolCalls(list gjson.Result, names, ids map[string]string) string {
	if !list.IsArray() {
		return list.Raw
	}
	var out strings.Builder
	out.WriteByte('[')
	list.ForEach(func(_, call gjson.Result) bool {
		if out.Len() > 1 {
			out.WriteByte(',')
		}
		id := call.Get("id").Str
		names[id] = call.Get("function.name").Str
		w := objectWriter{}
		call.ForEach(func(key, value gjson.Result) bool {
			switch key.Str {
			case "id":
				w.put("id", quoted(e.toolID(id, ids)))
			case "extra_content":
				if e.ownsExtra() {
					w.put(key.Str, value.Raw)
				}
			default:
				w.put(key.Str, value.Raw)
			}
			return true
		})
		if e.ownsExtra() && !call.Get("extra_content").Exists() {
			if kept, ok := e.settings.State.Get(e.call.Request, id); ok && kept.Signature != "" {
				w.put("extra_content", `{"google":{"thought_signature":`+quoted(kept.Signature)+`}}`)
			}
		}
		out.WriteString(w.done())
		return true
	})
	return out.String() + "]"
}
