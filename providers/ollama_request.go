package providers

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"gateway"
)

// translate makes the native body. thinks says whether thinking was asked for.
func (a *ollama) translate(call *gateway.Call, chat *gateway.Chat, thinking bool) (body []byte, thinks bool, err error) {
	var w objectWriter
	w.put("model", quoted(call.Model.Name))
	messages, err := ollamaMessages(chat, call)
	if err != nil {
		return nil, false, err
	}
	w.put("messages", array(messages))
	w.put("stream", strconv.FormatBool(!call.Plain))
	// Its default drops old messages without a word; an error lets another model answer.
	w.put("truncate", "false")
	w.put("shift", "false")
	if tools := ollamaTools(chat); len(tools) > 0 {
		w.put("tools", array(tools))
	}
	switch chat.Format.Mode {
	case "json_object":
		w.put("format", `"json"`)
	case "json_schema":
		w.put("format", string(chat.Format.Schema))
	}
	if think := ollamaThink(call.Model.Name, chat.Effort); thinking && think != "" {
		w.put("think", think)
		thinks = true
	}
	if chat.Logprobs {
		w.put("logprobs", "true")
	}
	w.put("options", ollamaOptions(call, chat))
	return a.withParams(w.bytes(), call.Model.Name), thinks, nil
}

// ollamaThink maps an effort; models that take levels are told one, others yes or no.
func ollamaThink(model, effort string) string {
	switch effort {
	case "":
		return ""
	case "none":
		return "false"
	}
	if !strings.Contains(model, "gpt-oss") {
		return "true"
	}
	switch effort {
	case "minimal", "low":
		return `"low"`
	case "medium":
		return `"medium"`
	}
	return `"high"`
}

func ollamaOptions(call *gateway.Call, chat *gateway.Chat) string {
	var w objectWriter
	if call.Model.Context > 0 {
		w.put("num_ctx", strconv.Itoa(call.Model.Context)) // its own default depends on the machine's memory
	}
	limit := chat.MaxTokens
	if call.MaxTokens > 0 {
		limit = call.MaxTokens
	}
	if limit > 0 {
		w.put("num_predict", strconv.Itoa(limit))
	}
	for _, n := range []struct {
		name  string
		value gateway.Number
	}{
		{"temperature", chat.Temperature}, {"top_p", chat.TopP}, {"top_k", chat.TopK}, {"min_p", chat.MinP}, {"seed", chat.Seed},
		{"presence_penalty", chat.PresencePenalty}, {"frequency_penalty", chat.FrequencyPenalty},
	} {
		if n.value != "" {
			w.put(n.name, string(n.value))
		}
	}
	if len(chat.Stop) > 0 {
		w.put("stop", stringList(chat.Stop))
	}
	return w.done()
}

func stringList(list []string) string {
	items := make([]string, len(list))
	for i, s := range list {
		items[i] = quoted(s)
	}
	return array(items)
}

// ollamaTools are the functions offered: none for tool_choice none, one for a named
// one, because that is the only way to say it here.
func ollamaTools(chat *gateway.Chat) []string {
	var out []string
	for _, t := range chosenTools(chat) {
		var f, w objectWriter
		f.put("name", quoted(t.Name))
		putText(&f, "description", t.Description)
		f.put("parameters", schemaOr(t.Parameters))
		w.put("type", `"function"`)
		w.put("function", f.done())
		out = append(out, w.done())
	}
	return out
}

// chosenTools are the tools that the choice leaves.
func chosenTools(chat *gateway.Chat) []gateway.Tool {
	choice := &chat.ToolChoice
	if choice.Mode == "none" {
		return nil
	}
	var out []gateway.Tool
	for _, t := range chat.Tools {
		if choice.Mode == "named" && t.Name != choice.Name {
			continue
		}
		if len(choice.Allowed) > 0 && !contains(choice.Allowed, t.Name) {
			continue
		}
		out = append(out, t)
	}
	return out
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

func schemaOr(schema json.RawMessage) string {
	if len(schema) == 0 {
		return `{"type":"object","properties":{}}`
	}
	return string(schema)
}

// ollamaMessages puts every system text at the front: templates may lose a later one.
func ollamaMessages(chat *gateway.Chat, call *gateway.Call) ([]string, error) {
	var system []string
	var out []string
	names := map[string]string{} // tool call id to function name
	for _, m := range chat.Messages {
		if m.Speaker == gateway.System {
			if text := joined(m.Parts); text != "" {
				system = append(system, text)
			}
			continue
		}
		text, err := ollamaMessage(&m, names, call)
		if err != nil {
			return nil, err
		}
		out = append(out, text)
	}
	if len(system) > 0 {
		var w objectWriter
		w.put("role", `"system"`)
		w.put("content", quoted(strings.Join(system, "\n\n")))
		out = append([]string{w.done()}, out...)
	}
	if call.Prefill != "" {
		var w objectWriter
		w.put("role", `"assistant"`)
		w.put("content", quoted(call.Prefill))
		out = append(out, w.done())
	}
	return out, nil
}

func ollamaMessage(m *gateway.Message, names map[string]string, call *gateway.Call) (string, error) {
	var w objectWriter
	w.put("role", quoted(string(m.Speaker)))
	w.put("content", quoted(joined(saidFailed(m).Parts)))
	images, err := ollamaImages(m.Parts, call)
	if err != nil {
		return "", err
	}
	if len(images) > 0 {
		w.put("images", array(images))
	}
	if len(m.ToolCalls) > 0 {
		calls := make([]string, len(m.ToolCalls))
		for i, t := range m.ToolCalls {
			names[t.ID] = t.Name
			calls[i] = ollamaCall(i, t)
		}
		w.put("tool_calls", array(calls))
	}
	if m.Speaker == gateway.ToolSays {
		putText(&w, "tool_name", names[m.ToolCallID])
		w.put("tool_call_id", quoted(m.ToolCallID))
	}
	return w.done(), nil
}

func ollamaCall(i int, t gateway.ToolCall) string {
	var f, w objectWriter
	f.put("index", strconv.Itoa(i))
	f.put("name", quoted(t.Name))
	f.put("arguments", string(argumentsObject(t.Arguments)))
	w.put("id", quoted(t.ID))
	w.put("function", f.done())
	return w.done()
}

func ollamaImages(parts []gateway.Part, call *gateway.Call) ([]string, error) {
	var out []string
	for _, p := range parts {
		switch p.Kind {
		case gateway.ImagePart:
			if p.Data == "" {
				return nil, cannot(call, "images by URL")
			}
			out = append(out, quoted(p.Data))
		case gateway.AudioPart, gateway.FilePart:
			return nil, cannot(call, "audio and files")
		}
	}
	return out, nil
}

// cannot is about what this provider alone does not take.
func cannot(call *gateway.Call, what string) *gateway.Error {
	return &gateway.Error{Kind: gateway.Unsupported, Provider: call.Model.Provider, Model: call.Model.Name, Message: "the provider does not take " + what}
}

// joined is the text of a message.
func joined(parts []gateway.Part) string {
	var texts []string
	for _, p := range parts {
		if p.Kind == gateway.TextPart && p.Text != "" {
			texts = append(texts, p.Text)
		}
	}
	return strings.Join(texts, "\n")
}

// withParams adds the configured fields that the body does not have; in objects that
// it has, the fields that those do not have.
func (c *caller) withParams(body []byte, model string) []byte {
	for _, params := range []map[string]json.RawMessage{c.ModelParams[model], c.Params} {
		for _, name := range sortedKeys(params) {
			body = addParam(body, name, params[name])
		}
	}
	return body
}

func addParam(body []byte, name string, value json.RawMessage) []byte {
	top := gjson.ParseBytes(body)
	var old gjson.Result
	top.ForEach(func(k, v gjson.Result) bool {
		if k.Str == name {
			old = v
		}
		return !old.Exists()
	})
	if !old.Exists() {
		return appendField(body, name, string(value))
	}
	inner := gjson.ParseBytes(value)
	if !old.IsObject() || !inner.IsObject() {
		return body
	}
	merged := []byte(old.Raw)
	inner.ForEach(func(k, v gjson.Result) bool {
		merged = addParam(merged, k.Str, json.RawMessage(v.Raw))
		return true
	})
	start := old.Index
	return append(append(append([]byte(nil), body[:start]...), merged...), body[start+len(old.Raw):]...)
}

func appendField(object []byte, name, value string) []byte {
	out := object[: len(object)-1 : len(object)-1]
	if len(object) > 2 {
		out = append(out, ',')
	}
	return append(append(append(append(out, quoted(name)...), ':'), value...), '}')
}
