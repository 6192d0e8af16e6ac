package gateway

// What a prompt costs beyond its text: the framing of a message and of a tool call, and
// a mid-sized image. OpenAI documents three to four tokens a message; the others are of
// that order.
const (
	tokensPerMessage = 4
	tokensPerCall    = 8
	tokensPerImage   = 800
)

// CountPrompt estimates the tokens of the prompt by reading it whole. It is for
// settling an attempt that reported none, not for the way in.
func (r *Request) CountPrompt() int {
	if r.Embed != nil {
		return r.Embed.countTokens()
	}
	chat, err := r.Chat()
	if err != nil { // a provider took what we cannot read: its bytes are all there is
		return (r.PromptBytes+3)/4 + r.Messages*tokensPerMessage + r.Images*tokensPerImage
	}
	var text TokenCount
	more := 0
	for i := range chat.Messages {
		more += chat.Messages[i].countTokens(&text)
	}
	for i := range chat.Tools {
		t := &chat.Tools[i]
		more += tokensPerCall
		text.Add(t.Name)
		text.Add(t.Description)
		text.Add(string(t.Parameters))
	}
	text.Add(string(chat.Format.Schema))
	return text.Tokens() + more
}

// countTokens adds the message's text and gives the tokens that are not text.
func (m *Message) countTokens(text *TokenCount) int {
	more := tokensPerMessage
	for i := range m.Parts {
		p := &m.Parts[i]
		if p.Kind == ImagePart {
			more += tokensPerImage
		}
		text.Add(p.Text)
	}
	text.Add(m.Reasoning)
	for _, c := range m.ToolCalls {
		more += tokensPerCall
		text.Add(c.Name)
		text.Add(c.Arguments)
	}
	text.Add("\n") // no word runs on into the next message
	return more
}

func (e *EmbedInput) countTokens() int {
	var text TokenCount
	n := 0
	for _, t := range e.Texts {
		text.Add(t)
		text.Add("\n")
	}
	for _, ids := range e.Tokens {
		n += len(ids)
	}
	return n + text.Tokens()
}
