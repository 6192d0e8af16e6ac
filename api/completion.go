package api

import (
	"time"

	"gateway"
)

// completionJSON writes a chat.completion.
func completionJSON(b []byte, id string, begun time.Time, a *gateway.Answer, receipt bool) []byte {
	c := a.Completion
	b = appendHead(b, id, "chat.completion", begun, a.Model)
	b = append(b, `,"choices":[`...)
	for i := range c.Choices {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendChoice(b, &c.Choices[i])
	}
	b = append(b, `],"usage":`...)
	b = appendUsage(b, &c.Usage)
	if c.Meta.Tier != "" {
		b = append(b, `,"service_tier":`...)
		b = appendString(b, c.Meta.Tier)
	}
	b = append(b, `,"system_fingerprint":`...)
	if c.Meta.Fingerprint == "" {
		b = append(b, "null"...)
	} else {
		b = appendString(b, c.Meta.Fingerprint)
	}
	if receipt && a.Receipt != nil {
		b = appendReceipt(b, a.Receipt())
	}
	return append(b, '}')
}

func appendChoice(b []byte, ch *gateway.Choice) []byte {
	b = appendInt(b, `{"index":`, ch.Index)
	b = append(b, `,"message":{"role":"assistant","content":`...)
	if ch.Text == "" && (len(ch.ToolCalls) > 0 || ch.Refusal != "" || ch.Media != nil) {
		b = append(b, "null"...)
	} else {
		b = appendString(b, ch.Text)
	}
	b = append(b, `,"refusal":`...)
	if ch.Refusal == "" {
		b = append(b, "null"...)
	} else {
		b = appendString(b, ch.Refusal)
	}
	if ch.Reasoning != "" {
		b = append(b, `,"reasoning_content":`...)
		b = appendString(b, ch.Reasoning)
	}
	if len(ch.ToolCalls) > 0 {
		b = append(b, `,"tool_calls":[`...)
		for i, t := range ch.ToolCalls {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, `{"id":`...)
			b = appendString(b, t.ID)
			kind, text := callKind(t.Custom), t.Arguments
			if !t.Custom {
				text = repaired(text)
			}
			b = append(append(append(append(append(b, `,"type":"`...), kind...), `","`...), kind...), `":{"name":`...)
			b = appendString(b, t.Name)
			b = append(append(b, ','), callText(t.Custom)...)
			b = appendString(b, text)
			b = append(b, '}')
			b = appendSignature(b, t.Signature)
			b = append(b, '}')
		}
		b = append(b, ']')
	}
	b = appendThinking(b, ch.Thinking)
	if ch.Annotations != nil {
		b = append(b, `,"annotations":`...)
		b = append(b, ch.Annotations...)
	}
	b = appendMedia(b, ch.Media)
	b = append(b, `},"logprobs":`...)
	if ch.Logprobs == nil {
		b = append(b, "null"...)
	} else {
		b = append(b, ch.Logprobs...)
	}
	b = append(b, `,"finish_reason":`...)
	finish := ch.Finish
	if finish == "" {
		finish = gateway.FinishStop
	}
	b = appendString(b, string(finish))
	return append(b, '}')
}
