package providers

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"gateway"
)

// encodeOpenAI writes the normal form as a Chat Completions body, which then gets the
// same edits as one that a client sent. Reasoning of earlier turns goes along that the
// model itself made.
func encodeOpenAI(c *gateway.Chat, model *gateway.Model) []byte {
	w := objectWriter{}
	w.put("messages", array(encodeMessages(c.Messages, model)))
	if len(c.Tools) > 0 {
		tools := make([]string, len(c.Tools))
		for i := range c.Tools {
			tools[i] = encodeTool(&c.Tools[i])
		}
		w.put("tools", array(tools))
	}
	encodeToolChoice(&w, c)
	encodeFormat(&w, &c.Format)
	for _, n := range [...]struct {
		name  string
		value gateway.Number
	}{{"temperature", c.Temperature}, {"top_p", c.TopP}, {"top_k", c.TopK}, {"min_p", c.MinP},
		{"frequency_penalty", c.FrequencyPenalty}, {"presence_penalty", c.PresencePenalty}, {"seed", c.Seed}} {
		if n.value != "" {
			w.put(n.name, string(n.value))
		}
	}
	for _, n := range [...]struct {
		name  string
		value int
	}{{"max_completion_tokens", c.MaxTokens}, {"n", c.N}, {"top_logprobs", c.TopLogprobs}} {
		if n.value > 0 {
			w.put(n.name, strconv.Itoa(n.value))
		}
	}
	if len(c.Stop) > 0 {
		stop := make([]string, len(c.Stop))
		for i, s := range c.Stop {
			stop[i] = quoted(s)
		}
		w.put("stop", array(stop))
	}
	if c.Logprobs {
		w.put("logprobs", "true")
	}
	putText(&w, "reasoning_effort", c.Effort)
	if rulesOf(model.Name).verbosity {
		putText(&w, "verbosity", c.Verbosity)
	}
	putText(&w, "user", c.User)
	return w.bytes()
}

func putText(w *objectWriter, name, text string) {
	if text != "" {
		w.put(name, quoted(text))
	}
}

func encodeToolChoice(w *objectWriter, c *gateway.Chat) {
	if c.ParallelTools != nil && len(c.Tools) > 0 {
		w.put("parallel_tool_calls", strconv.FormatBool(*c.ParallelTools))
	}
	switch choice := c.ToolChoice; {
	case choice.Mode == "named":
		w.put("tool_choice", `{"type":"function","function":{"name":`+quoted(choice.Name)+`}}`)
	case len(choice.Allowed) > 0:
		allowed := make([]string, len(choice.Allowed))
		for i, name := range choice.Allowed {
			allowed[i] = `{"type":"function","function":{"name":` + quoted(name) + `}}`
		}
		w.put("tool_choice", `{"type":"allowed_tools","allowed_tools":{"mode":`+quoted(choice.Mode)+`,"tools":`+array(allowed)+`}}`)
	default:
		putText(w, "tool_choice", choice.Mode)
	}
}

func encodeFormat(w *objectWriter, f *gateway.Format) {
	switch f.Mode {
	case "json_object":
		w.put("response_format", `{"type":"json_object"}`)
	case "json_schema":
		s := objectWriter{}
		name := f.Name
		if name == "" {
			name = "answer"
		}
		putText(&s, "name", name)
		putText(&s, "description", f.Description)
		s.put("schema", orEmpty(f.Schema))
		if f.Strict {
			s.put("strict", "true")
		}
		w.put("response_format", `{"type":"json_schema","json_schema":`+s.done()+"}")
	}
}

func orEmpty(raw json.RawMessage) string {
	if len(raw) == 0 {
		return "{}"
	}
	return string(raw)
}

func encodeTool(t *gateway.Tool) string {
	f := objectWriter{}
	f.put("name", quoted(t.Name))
	putText(&f, "description", t.Description)
	if len(t.Parameters) > 0 {
		f.put("parameters", string(t.Parameters))
	}
	if t.Strict {
		f.put("strict", "true")
	}
	return `{"type":"function","function":` + f.done() + "}"
}

// encodeMessages writes the turns. A tool message holds text only here: what else its
// result has follows the results of its turn as a user message.
func encodeMessages(messages []gateway.Message, model *gateway.Model) []string {
	list := make([]string, 0, len(messages))
	var shown []gateway.Part
	for i := range messages {
		m := &messages[i]
		if m.Speaker == gateway.ToolSays {
			text, others := resultParts(m)
			shown = append(shown, others...)
			list = append(list, encodeMessage(saidFailed(text), model))
		} else {
			list = append(list, encodeMessage(m, model))
		}
		last := i == len(messages)-1 || messages[i+1].Speaker != gateway.ToolSays
		if last && len(shown) > 0 {
			list = append(list, encodeMessage(&gateway.Message{Speaker: gateway.User, Parts: shown}, model))
			shown = nil
		}
	}
	return list
}

// saidFailed says in words that a tool failed, for formats that have no mark for it.
func saidFailed(m *gateway.Message) *gateway.Message {
	if !m.IsError || strings.HasPrefix(strings.ToLower(joined(m.Parts)), "error") {
		return m
	}
	told := *m
	told.Parts = append([]gateway.Part{{Text: "Error:"}}, m.Parts...)
	return &told
}

// resultParts takes the text of a tool's result apart from what else it holds.
func resultParts(m *gateway.Message) (*gateway.Message, []gateway.Part) {
	if !slices.ContainsFunc(m.Parts, func(p gateway.Part) bool { return p.Kind != gateway.TextPart }) {
		return m, nil
	}
	text := *m
	text.Parts = nil
	var others []gateway.Part
	for _, p := range m.Parts {
		if p.Kind == gateway.TextPart {
			text.Parts = append(text.Parts, p)
		} else {
			others = append(others, p)
		}
	}
	text.Parts = append(text.Parts, gateway.Part{Text: "(What else the tool gave follows.)"})
	return &text, append([]gateway.Part{{Text: "From the tool call " + m.ToolCallID + ":"}}, others...)
}

// reasoningOf is the reasoning of an earlier turn as the client sent it back: in the
// format's own field, or signed as this model's.
func reasoningOf(m *gateway.Message, model *gateway.Model) (string, bool) {
	if m.HasReasoning {
		return m.Reasoning, true
	}
	text, own := "", false
	for _, t := range m.Thinking {
		if t.Maker == model.Kind && t.Model == model.Name {
			text, own = text+t.Text, true
		}
	}
	return text, own
}

func encodeMessage(m *gateway.Message, model *gateway.Model) string {
	w := objectWriter{}
	w.put("role", quoted(string(m.Speaker)))
	w.put("content", encodeContent(m))
	putText(&w, "name", m.Name)
	putText(&w, "refusal", m.Refusal)
	if text, ok := reasoningOf(m, model); ok && m.Speaker == gateway.Assistant {
		w.put("reasoning_content", quoted(text))
	}
	putText(&w, "tool_call_id", m.ToolCallID)
	if len(m.ToolCalls) > 0 {
		calls := make([]string, len(m.ToolCalls))
		for i, t := range m.ToolCalls {
			extra := ""
			if t.Signature != "" {
				extra = `,"extra_content":{"google":{"thought_signature":` + quoted(t.Signature) + `}}`
			}
			calls[i] = `{"id":` + quoted(t.ID) + `,"type":"function","function":{"name":` + quoted(t.Name) +
				`,"arguments":` + quoted(t.Arguments) + `}` + extra + `}`
		}
		w.put("tool_calls", array(calls))
	}
	return w.done()
}

// encodeContent writes parts; text alone becomes one string, which every server takes.
func encodeContent(m *gateway.Message) string {
	if len(m.Parts) == 0 {
		if len(m.ToolCalls) > 0 {
			return "null"
		}
		return `""`
	}
	parts := make([]string, len(m.Parts))
	texts := make([]string, 0, len(m.Parts))
	for i := range m.Parts {
		parts[i] = encodePart(&m.Parts[i])
		if m.Parts[i].Kind == gateway.TextPart {
			texts = append(texts, m.Parts[i].Text)
		}
	}
	if len(texts) == len(parts) {
		return quoted(strings.Join(texts, "\n"))
	}
	return array(parts)
}

// fileByURL says whether the history has a file that the provider would have to fetch, for
// which this format has no word.
func fileByURL(c *gateway.Chat) bool {
	for i := range c.Messages {
		for j := range c.Messages[i].Parts {
			if p := &c.Messages[i].Parts[j]; p.Kind == gateway.FilePart && p.Data == "" && p.FileID == "" {
				return true
			}
		}
	}
	return false
}

// fileName is that of a file whose data goes along: OpenAI refuses one without a name, and
// takes its kind from how that ends. Google's clients name none.
func fileName(p *gateway.Part) string {
	if p.Name != "" || p.Data == "" {
		return p.Name
	}
	switch p.MIME {
	case "application/pdf":
		return "document.pdf"
	case "text/plain":
		return "document.txt"
	}
	_, kind, _ := strings.Cut(p.MIME, "/")
	return "document." + kind
}

func encodePart(p *gateway.Part) string {
	inner := objectWriter{}
	data := "data:" + p.MIME + ";base64," + p.Data
	switch p.Kind {
	case gateway.ImagePart:
		url := p.URL
		if url == "" {
			url = data
		}
		inner.put("url", quoted(url))
		putText(&inner, "detail", p.Detail)
		return `{"type":"image_url","image_url":` + inner.done() + "}"
	case gateway.AudioPart:
		inner.put("data", quoted(p.Data))
		putText(&inner, "format", p.Name)
		return `{"type":"input_audio","input_audio":` + inner.done() + "}"
	case gateway.FilePart:
		if p.Data != "" {
			inner.put("file_data", quoted(data))
		}
		putText(&inner, "file_id", p.FileID)
		putText(&inner, "filename", fileName(p))
		return `{"type":"file","file":` + inner.done() + "}"
	}
	return `{"type":"text","text":` + quoted(p.Text) + "}"
}
