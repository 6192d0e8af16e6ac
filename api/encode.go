package api

import (
	"strconv"
	"time"
	"unicode/utf8"

	"gateway"
)

// chunkWriter writes chat.completion.chunk events. What is the same in all of them is
// made once; a chunk is appended by hand, without reflection.
type chunkWriter struct {
	head      []byte // up to the choices
	tail0     []byte // after the choices
	usage     bool   // the client asked for usage
	role      map[int]bool
	delivered int // characters of content
}

func newChunkWriter(id string, begun time.Time, a *gateway.Answer, usage bool) *chunkWriter {
	w := &chunkWriter{usage: usage, role: make(map[int]bool, 1)}
	model := ""
	if a != nil {
		model = a.Model
	}
	w.head = appendHead(nil, id, "chat.completion.chunk", begun, model)
	if usage {
		w.tail0 = []byte(`,"usage":null`)
	}
	return w
}

func appendHead(b []byte, id, object string, begun time.Time, model string) []byte {
	b = append(b, `{"id":"chatcmpl-`...)
	b = append(b, id...) // ours
	b = append(b, `","object":"`...)
	b = append(b, object...)
	b = append(b, `","created":`...)
	b = strconv.AppendInt(b, begun.Unix(), 10)
	b = append(b, `,"model":`...)
	return appendString(b, model)
}

// silent says that a chunk has nothing for the client.
func (w *chunkWriter) silent(c *gateway.Chunk) bool {
	return !c.HasContent() && c.Finish == "" && len(c.Thinking) == 0 && c.Logprobs == nil && c.Annotations == nil
}

func (w *chunkWriter) chunk(b []byte, c *gateway.Chunk) []byte {
	b = append(b, "data: "...)
	b = append(b, w.head...)
	if c.Meta != nil && c.Meta.Fingerprint != "" {
		b = append(b, `,"system_fingerprint":`...)
		b = appendString(b, c.Meta.Fingerprint)
	}
	b = appendInt(b, `,"choices":[{"index":`, c.Choice)
	b = append(b, `,"delta":{`...)
	mark := len(b)
	if !w.role[c.Choice] {
		w.role[c.Choice] = true
		b = append(b, `,"role":"assistant"`...)
		if c.Text == "" {
			b = append(b, `,"content":""`...)
		}
	}
	b = w.delta(b, c)
	if len(b) > mark { // the first comma of an object is one too many
		b = append(b[:mark], b[mark+1:]...)
	}
	b = append(b, `},"logprobs":`...)
	if c.Logprobs == nil {
		b = append(b, "null"...)
	} else {
		b = append(b, c.Logprobs...)
	}
	b = append(b, `,"finish_reason":`...)
	if c.Finish == "" {
		b = append(b, "null"...)
	} else {
		b = appendString(b, string(c.Finish))
	}
	b = append(b, "}]"...)
	b = append(b, w.tail0...)
	return append(b, "}\n\n"...)
}

func (w *chunkWriter) delta(b []byte, c *gateway.Chunk) []byte {
	if c.Text != "" {
		b = append(b, `,"content":`...)
		b = appendString(b, c.Text)
		w.delivered += utf8.RuneCountInString(c.Text)
	}
	if c.Reasoning != "" {
		b = append(b, `,"reasoning_content":`...)
		b = appendString(b, c.Reasoning)
		w.delivered += utf8.RuneCountInString(c.Reasoning)
	}
	if c.Refusal != "" {
		b = append(b, `,"refusal":`...)
		b = appendString(b, c.Refusal)
		w.delivered += utf8.RuneCountInString(c.Refusal)
	}
	if len(c.Tools) > 0 {
		b = append(b, `,"tool_calls":[`...)
		for i := range c.Tools {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendToolDelta(b, &c.Tools[i])
			w.delivered += len(c.Tools[i].Arguments) + len(c.Tools[i].Name)
		}
		b = append(b, ']')
	}
	b = appendThinking(b, c.Thinking)
	if c.Annotations != nil {
		b = append(b, `,"annotations":`...)
		b = append(b, c.Annotations...)
	}
	w.delivered += len(c.Media)
	return appendMedia(b, c.Media)
}

// appendMedia writes the members of an object, each after a comma.
func appendMedia(b, media []byte) []byte {
	if len(media) <= len("{}") {
		return b
	}
	b = append(b, ',')
	return append(b, media[1:len(media)-1]...)
}

func appendToolDelta(b []byte, t *gateway.ToolDelta) []byte {
	b = appendInt(b, `{"index":`, t.Index)
	if t.ID != "" {
		b = append(b, `,"id":`...)
		b = appendString(b, t.ID)
		b = append(append(append(b, `,"type":"`...), callKind(t.Custom)...), '"')
	}
	b = append(append(append(b, `,"`...), callKind(t.Custom)...), `":{`...)
	if t.Name != "" {
		b = append(b, `"name":`...)
		b = appendString(b, t.Name)
		b = append(b, ',')
	}
	b = append(b, callText(t.Custom)...)
	b = appendString(b, t.Arguments)
	b = append(b, '}')
	b = appendSignature(b, t.Signature)
	return append(b, '}')
}

// callKind is the type of a call, and the name of the member that holds it.
func callKind(custom bool) string {
	if custom {
		return "custom"
	}
	return "function"
}

// callText is the name of what the model wrote, as it begins the member.
func callText(custom bool) string {
	if custom {
		return `"input":`
	}
	return `"arguments":`
}

// appendSignature hands Gemini's state back under the name that its own compatible
// endpoint uses.
func appendSignature(b []byte, signature string) []byte {
	if signature == "" {
		return b
	}
	b = append(b, `,"extra_content":{"google":{"thought_signature":`...)
	b = appendString(b, signature)
	return append(b, "}}"...)
}

// appendThinking hands signed reasoning back, for clients that return it.
func appendThinking(b []byte, list []gateway.Thinking) []byte {
	if len(list) == 0 {
		return b
	}
	b = append(b, `,"thinking_blocks":[`...)
	for i, t := range list {
		if i > 0 {
			b = append(b, ',')
		}
		if t.Redacted != "" {
			b = append(b, `{"type":"redacted_thinking","data":`...)
			b = appendString(b, t.Redacted)
		} else {
			b = append(b, `{"type":"thinking","thinking":`...)
			b = appendString(b, t.Text)
			b = append(b, `,"signature":`...)
			b = appendString(b, t.Signature)
		}
		b = append(b, `,"maker":`...)
		b = appendString(b, t.Maker)
		b = append(b, `,"model":`...)
		b = appendString(b, t.Model)
		b = append(b, '}')
	}
	return append(b, ']')
}

// end closes a whole answer.
func (w *chunkWriter) end(b []byte, u *gateway.Usage, receipt []gateway.AttemptNote) []byte {
	return append(w.tail(b, u, receipt), "data: [DONE]\n\n"...)
}

// fail tells of the failure in the stream; no [DONE] follows.
func (w *chunkWriter) fail(b []byte, p *problem) []byte {
	b = append(b, `data: {"error":{"message":`...)
	if w.delivered > 0 && !p.own { // what is our own doing is told as it is
		b = appendString(b, "The provider failed in the middle of its answer ("+reason(p.err.Kind)+").")
		b = append(b, `,"type":"upstream_error","code":"provider_failed_mid_stream","param":null`...)
		b = appendInt(b, `,"delivered_characters":`, w.delivered)
	} else {
		b = appendString(b, p.message)
		b = append(b, `,"type":`...)
		b = appendString(b, p.kind)
		b = append(b, `,"code":`...)
		b = appendString(b, p.code)
		b = append(b, `,"param":null`...)
	}
	b = p.shortage(b)
	b = p.attempts(b)
	return append(b, "}}\n\n"...)
}

// tail is what comes after the last choice: usage if it was asked for, and the receipt.
func (w *chunkWriter) tail(b []byte, u *gateway.Usage, receipt []gateway.AttemptNote) []byte {
	if !w.usage && receipt == nil {
		return b
	}
	b = append(b, "data: "...)
	b = append(b, w.head...)
	b = append(b, `,"choices":[]`...)
	if w.usage {
		if u == nil {
			u = &gateway.Usage{}
		}
		b = append(b, `,"usage":`...)
		b = appendUsage(b, u)
	}
	if receipt != nil {
		b = appendReceipt(b, receipt)
	}
	return append(b, "}\n\n"...)
}

func appendUsage(b []byte, u *gateway.Usage) []byte {
	b = appendInt(b, `{"prompt_tokens":`, u.Prompt())
	b = appendInt(b, `,"completion_tokens":`, u.Output)
	b = appendInt(b, `,"total_tokens":`, u.Total())
	b = appendInt(b, `,"prompt_tokens_details":{"cached_tokens":`, u.CachedRead)
	if n := u.CacheWrite5m + u.CacheWrite1h; n > 0 {
		b = appendInt(b, `,"cache_write_tokens":`, n)
	}
	b = appendInt(b, `},"completion_tokens_details":{"reasoning_tokens":`, u.Reasoning)
	return append(b, "}}"...)
}

// appendReceipt says what each attempt came to. Times are milliseconds since the
// request began.
func appendReceipt(b []byte, notes []gateway.AttemptNote) []byte {
	total := gateway.Microcents(0)
	b = append(b, `,"gateway":{"attempts":[`...)
	for i, n := range notes {
		if i > 0 {
			b = append(b, ',')
		}
		total += n.Cost
		b = appendInt(b, `{"attempt":`, n.Attempt)
		b = append(b, `,"provider":`...)
		b = appendString(b, n.Provider)
		b = append(b, `,"model":`...)
		b = appendString(b, n.Model)
		b = append(b, `,"role":`...)
		b = appendString(b, string(n.Role))
		b = appendInt(b, `,"start_ms":`, int(n.Start.Milliseconds()))
		b = appendInt(b, `,"first_content_ms":`, int(n.FirstContent.Milliseconds()))
		b = appendInt(b, `,"end_ms":`, int(n.End.Milliseconds()))
		b = append(b, `,"outcome":`...)
		b = appendString(b, n.Outcome)
		if n.Reason != "" {
			b = append(b, `,"why":`...)
			b = appendString(b, n.Reason)
		}
		if n.Downgrade != "" {
			b = append(b, `,"downgrade":`...)
			b = appendString(b, n.Downgrade)
		}
		b = appendInt(b, `,"cost_microcents":`, int(n.Cost))
		b = append(b, `,"estimated":`...)
		b = strconv.AppendBool(b, n.Estimated)
		b = append(b, '}')
	}
	b = appendInt(b, `],"cost_microcents":`, int(total))
	return append(b, '}')
}
