package providers

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"gateway"
)

// opening stands where Anthropic wants a user turn first and the history has none.
const opening = "(The conversation begins.)"

// history translates the messages: system texts to the top, the rest into turns of
// alternating speakers without empty blocks.
func (e *messagesEdit) history() error {
	for i := range e.chat.Messages {
		m := &e.chat.Messages[i]
		var err error
		switch m.Speaker {
		case gateway.System:
			e.body.System = append(e.body.System, e.texts(m)...)
		case gateway.Assistant:
			err = e.assistant(m)
		case gateway.ToolSays:
			err = e.toolResult(m)
		default:
			var blocks []messagesBlock
			blocks, err = e.blocks(m.Parts)
			e.say("user", blocks...)
		}
		if err != nil {
			return err
		}
	}
	return e.ends()
}

// ends sees to the first and the last turn.
func (e *messagesEdit) ends() error {
	e.settle()
	if len(e.body.Messages) == 0 {
		e.body.Messages = []messagesTurn{{Role: "user", Content: e.body.System}}
		e.body.System = nil
	}
	if first := &e.body.Messages[0]; first.Role != "user" || len(first.Content) == 0 {
		e.body.Messages = slices.DeleteFunc(e.body.Messages, func(t messagesTurn) bool { return len(t.Content) == 0 })
		e.body.Messages = slices.Insert(e.body.Messages, 0, messagesTurn{"user", messagesContent{{Type: "text", Text: opening}}})
	}
	if text := strings.TrimRight(e.call.Prefill, whitespace); text != "" {
		if !e.call.Model.Can.Prefill {
			return e.cannot("continue an answer")
		}
		e.say("assistant", messagesBlock{Type: "text", Text: text})
	}
	last := &e.body.Messages[len(e.body.Messages)-1]
	if last.Role != "assistant" {
		return nil
	}
	if !e.rules.prefill && !e.call.Model.Can.Prefill {
		return e.cannot("continue an assistant turn")
	}
	end := &last.Content[len(last.Content)-1]
	end.Text = strings.TrimRight(end.Text, whitespace)
	return nil
}

const whitespace = " \t\r\n"

// say adds blocks to the turn of a speaker. Tool results come first in theirs: what else
// the user says waits for the end of the turn.
func (e *messagesEdit) say(role string, blocks ...messagesBlock) {
	if len(blocks) == 0 {
		return
	}
	if n := len(e.body.Messages); n == 0 || e.body.Messages[n-1].Role != role {
		e.settle()
		e.body.Messages = append(e.body.Messages, messagesTurn{Role: role})
	}
	if role == "user" && blocks[0].Type != "tool_result" {
		e.behind = append(e.behind, blocks...)
		return
	}
	turn := &e.body.Messages[len(e.body.Messages)-1]
	turn.Content = append(turn.Content, blocks...)
}

// settle ends the last turn: behind its results comes what else the user said in it.
func (e *messagesEdit) settle() {
	if len(e.behind) > 0 {
		turn := &e.body.Messages[len(e.body.Messages)-1]
		turn.Content = append(turn.Content, e.behind...)
		e.behind = nil
	}
}

func (e *messagesEdit) assistant(m *gateway.Message) error {
	var blocks []messagesBlock
	if e.thinks {
		blocks = thinkingBlocks(e.thinkingOf(m))
	}
	blocks = append(blocks, e.texts(m)...)
	for _, p := range m.Parts {
		if p.Kind != gateway.TextPart {
			return e.cannot("take files in assistant turns")
		}
	}
	if strings.TrimSpace(m.Refusal) != "" {
		blocks = append(blocks, messagesBlock{Type: "text", Text: m.Refusal})
	}
	for _, t := range m.ToolCalls {
		blocks = append(blocks, messagesBlock{Type: "tool_use", ID: fitToolID(t.ID, gateway.MaxClaudeToolID, false, e.ids), Name: t.Name,
			Input: jsontext.Value(argumentsObject(t.Arguments))})
	}
	if len(blocks) > 0 && blocks[len(blocks)-1].Type != "text" && len(m.ToolCalls) == 0 {
		return nil // nothing but thinking: no turn
	}
	e.say("assistant", blocks...)
	return nil
}

func (e *messagesEdit) toolResult(m *gateway.Message) error {
	var shown []gateway.Part
	if m.IsError { // errors hold text only: what else there is follows in the user's turn
		m, shown = resultParts(m)
	}
	content, err := e.blocks(m.Parts)
	if err != nil {
		return err
	}
	others, err := e.blocks(shown)
	if err != nil {
		return err
	}
	result := messagesBlock{Type: "tool_result", ToolUseID: fitToolID(m.ToolCallID, gateway.MaxClaudeToolID, false, e.ids), Content: content, IsError: m.IsError}
	for i := range content { // a breakpoint belongs to the block of the turn
		if content[i].Cache != nil {
			result.Cache, content[i].Cache = content[i].Cache, nil
		}
	}
	e.say("user", result)
	e.say("user", others...)
	return nil
}

// thinkingOf is what the model thought before this turn, as it wants it back: from the
// client, or from what was kept if the client dropped it. Another model's is nothing to it.
func (e *messagesEdit) thinkingOf(m *gateway.Message) []gateway.Thinking {
	var own []gateway.Thinking
	for _, t := range m.Thinking {
		if t.Maker == anthropicKind && (t.Model == "" || t.Model == e.call.Model.Name) && (t.Signature != "" || t.Redacted != "") {
			own = append(own, t)
		}
	}
	if len(own) > 0 {
		return own
	}
	for _, t := range m.ToolCalls {
		kept, ok := e.settings.State.Get(e.call.Request, t.ID)
		if ok && kept.Maker == anthropicKind && kept.Model == e.call.Model.Name && len(kept.Thinking) > 0 {
			return kept.Thinking
		}
	}
	return nil
}

func thinkingBlocks(thinking []gateway.Thinking) []messagesBlock {
	var blocks []messagesBlock
	for i := range thinking {
		if t := &thinking[i]; t.Redacted != "" {
			blocks = append(blocks, messagesBlock{Type: "redacted_thinking", Data: t.Redacted})
		} else {
			blocks = append(blocks, messagesBlock{Type: "thinking", Thinking: &t.Text, Signature: t.Signature})
		}
	}
	return blocks
}

// texts are the text blocks of a message.
func (e *messagesEdit) texts(m *gateway.Message) []messagesBlock {
	var blocks []messagesBlock
	for _, p := range m.Parts {
		if p.Kind == gateway.TextPart && strings.TrimSpace(p.Text) != "" {
			blocks = append(blocks, messagesBlock{Type: "text", Text: p.Text, Cache: e.breakpoint(p.Cache)})
		}
	}
	return blocks
}

func (e *messagesEdit) blocks(parts []gateway.Part) ([]messagesBlock, error) {
	var blocks []messagesBlock
	for i := range parts {
		p := &parts[i]
		b := messagesBlock{}
		switch {
		case p.Kind == gateway.TextPart:
			if strings.TrimSpace(p.Text) == "" {
				continue
			}
			b.Type, b.Text = "text", p.Text
		case p.Kind == gateway.ImagePart && (p.Data != "" || p.URL != ""):
			b.Type, b.Source = "image", sourceOf(p, mediaType(p.MIME))
		case p.Kind == gateway.FilePart && (p.Data != "" || p.URL != "") && isPDF(p):
			b.Type, b.Source, b.Title = "document", sourceOf(p, "application/pdf"), p.Name
		case p.Kind == gateway.AudioPart:
			return nil, e.cannot("take audio")
		default:
			return nil, e.cannot("take this file")
		}
		b.Cache = e.breakpoint(p.Cache)
		blocks = append(blocks, b)
	}
	return blocks, nil
}

func sourceOf(p *gateway.Part, mime string) *messagesSource {
	if p.Data != "" {
		return &messagesSource{Type: "base64", MediaType: mime, Data: p.Data}
	}
	return &messagesSource{Type: "url", URL: p.URL}
}

func mediaType(mime string) string {
	mime = strings.ToLower(mime)
	if mime == "image/jpg" {
		return "image/jpeg" // the one name of the four that clients get wrong
	}
	return mime
}

func isPDF(p *gateway.Part) bool {
	return strings.EqualFold(p.MIME, "application/pdf") ||
		p.MIME == "" && strings.HasSuffix(strings.ToLower(p.Name+p.URL), ".pdf")
}

// maxBreakpoints is how many cache breakpoints a request may have.
const maxBreakpoints = 4

// breakpoint is the mark after a block. Of too many the first are left out: a later
// one covers what stands before it.
func (e *messagesEdit) breakpoint(lifetime string) *messagesCache {
	if lifetime == "" {
		return nil
	}
	if e.surplus > 0 {
		e.surplus--
		return nil
	}
	if lifetime == "1h" {
		return &messagesCache{Type: "ephemeral", TTL: lifetime}
	}
	return &messagesCache{Type: "ephemeral"}
}

func surplusBreakpoints(c *gateway.Chat) int {
	n := -maxBreakpoints
	for i := range c.Tools {
		if c.Tools[i].Cache != "" {
			n++
		}
	}
	for i := range c.Messages {
		for j := range c.Messages[i].Parts {
			if c.Messages[i].Parts[j].Cache != "" {
				n++
			}
		}
	}
	return max(0, n)
}
