package providers

import (
	"gateway"
)

// history translates the messages into input items, in order. Instructions stay where
// the client put them.
func (e *responsesEdit) history() error {
	for i := range e.chat.Messages {
		m := &e.chat.Messages[i]
		var err error
		switch m.Speaker {
		case gateway.System:
			role := "system"
			if e.rules.reasoning {
				role = "developer"
			}
			err = e.message(role, m.Parts)
		case gateway.Assistant:
			err = e.assistant(m)
		case gateway.ToolSays:
			err = e.toolResult(m)
		default:
			err = e.message("user", m.Parts)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *responsesEdit) message(role string, parts []gateway.Part) error {
	content, err := e.content(parts)
	if err != nil {
		return err
	}
	e.say(role, content)
	return nil
}

func (e *responsesEdit) say(role string, content []string) {
	if len(content) > 0 {
		e.items = append(e.items, `{"type":"message","role":`+quoted(role)+`,"content":`+array(content)+"}")
	}
}

// content translates what a user, a tool or the instructions say.
func (e *responsesEdit) content(parts []gateway.Part) ([]string, error) {
	var out []string
	for i := range parts {
		p := &parts[i]
		w := objectWriter{}
		switch {
		case p.Kind == gateway.TextPart:
			w.put("type", `"input_text"`)
			w.put("text", quoted(p.Text))
		case p.Kind == gateway.ImagePart && (p.Data != "" || p.URL != "" || p.FileID != ""):
			w.put("type", `"input_image"`)
			putText(&w, "image_url", sourceURL(p))
			putText(&w, "file_id", p.FileID)
			putText(&w, "detail", p.Detail)
		case p.Kind == gateway.FilePart && (p.Data != "" || p.URL != "" || p.FileID != ""):
			w.put("type", `"input_file"`)
			putText(&w, "filename", fileName(p))
			field := "file_url"
			if p.Data != "" {
				field = "file_data"
			}
			putText(&w, field, sourceURL(p))
			putText(&w, "file_id", p.FileID)
		case p.Kind == gateway.AudioPart:
			return nil, e.cannot("take audio")
		default:
			return nil, e.cannot("take this file")
		}
		out = append(out, w.done())
	}
	return out, nil
}

// sourceURL is where the data of a part is: inside the URL itself, if the client sent it.
func sourceURL(p *gateway.Part) string {
	if p.Data == "" {
		return p.URL
	}
	return "data:" + p.MIME + ";base64," + p.Data
}

// assistant writes one turn of the model as its items: reasoning, message, calls.
func (e *responsesEdit) assistant(m *gateway.Message) error {
	var content []string
	for i := range m.Parts {
		if m.Parts[i].Kind != gateway.TextPart {
			return e.cannot("take files in assistant turns")
		}
		if m.Parts[i].Text != "" {
			content = append(content, `{"type":"output_text","text":`+quoted(m.Parts[i].Text)+"}")
		}
	}
	if m.Refusal != "" {
		content = append(content, `{"type":"refusal","refusal":`+quoted(m.Refusal)+"}")
	}
	if len(content) > 0 || len(m.ToolCalls) > 0 { // reasoning must not stand alone
		e.reasoned(m)
	}
	e.say("assistant", content)
	for i := range m.ToolCalls {
		t := &m.ToolCalls[i]
		arguments := t.Arguments
		if arguments == "" {
			arguments = "{}"
		}
		e.items = append(e.items, `{"type":"function_call","call_id":`+quoted(fitToolID(t.ID, maxResponsesToolID, false, e.ids))+
			`,"name":`+quoted(t.Name)+`,"arguments":`+quoted(arguments)+"}")
	}
	return nil
}

func (e *responsesEdit) reasoned(m *gateway.Message) {
	if e.unreasoning {
		return
	}
	for _, t := range e.thinkingOf(m) {
		summary := "[]"
		if t.Text != "" {
			summary = `[{"type":"summary_text","text":` + quoted(t.Text) + "}]"
		}
		e.items = append(e.items, `{"type":"reasoning","summary":`+summary+`,"encrypted_content":`+quoted(t.Signature)+"}")
		e.recalled = true
	}
}

// thinkingOf is the encrypted reasoning before this turn: from the client, or from what
// was kept if the client dropped it. Another model cannot read it.
func (e *responsesEdit) thinkingOf(m *gateway.Message) []gateway.Thinking {
	var own []gateway.Thinking
	for _, t := range m.Thinking {
		if t.Maker == openAIMaker && (t.Model == "" || t.Model == e.call.Model.Name) && t.Signature != "" {
			own = append(own, t)
		}
	}
	if len(own) > 0 {
		return own
	}
	for i := range m.ToolCalls {
		kept, ok := e.settings.State.Get(e.call.Request, m.ToolCalls[i].ID)
		if ok && kept.Maker == openAIMaker && kept.Model == e.call.Model.Name && len(kept.Thinking) > 0 {
			return kept.Thinking
		}
	}
	return nil
}

// toolResult writes what a tool answered: text alone as one string.
func (e *responsesEdit) toolResult(m *gateway.Message) error {
	m = saidFailed(m)
	output := `""`
	switch {
	case len(m.Parts) == 1 && m.Parts[0].Kind == gateway.TextPart:
		output = quoted(m.Parts[0].Text)
	case len(m.Parts) > 0:
		content, err := e.content(m.Parts)
		if err != nil {
			return err
		}
		output = array(content)
	}
	e.items = append(e.items, `{"type":"function_call_output","call_id":`+quoted(fitToolID(m.ToolCallID, maxResponsesToolID, false, e.ids))+
		`,"output":`+output+"}")
	return nil
}
