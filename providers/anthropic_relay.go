package providers

import (
	"bytes"

	"github.com/tidwall/gjson"

	"gateway"
)

// relay makes the body for a client of the same format: its own, byte for byte but for
// the model, whether to stream, and a limit above what the hold was computed with. Reasoning
// that another provider made, which we had sealed, is left out: its signature says
// nothing here. An id of another's call that is too long for it is shortened. With unthinking, all earlier reasoning is left out and no budget is asked for.
func (a *anthropic) relay(call *gateway.Call, unthinking bool) (*messagesAsk, error) {
	raw := call.Request.Raw
	ask := &messagesAsk{relayed: true, thinks: !unthinking && recallsThinking(raw)}
	if unthinking || bytes.Contains(raw, sealedHere) {
		var left int
		raw, left = withoutThinking(raw, unthinking)
		if unthinking {
			raw = withoutBudget(raw)
		}
		if left > 0 && !unthinking {
			call.Downgraded("the reasoning that others made was left out")
		}
	}
	body, err := splicedBody(call, messagesIDs(raw), "max_tokens")
	ask.body = body
	return ask, err
}

// sealedHere is how a sealed signature begins in a body.
var sealedHere = []byte(`"` + gateway.SealMark)

// recallsThinking says whether asking once more without earlier reasoning makes a difference.
func recallsThinking(raw []byte) bool {
	return bytes.Contains(raw, []byte(`thinking"`)) &&
		(gjson.GetBytes(raw, "thinking.type").Str == thinksBudget || gjson.GetBytes(raw, `messages.#.content.#(type%"*thinking").type`).Get("0").Exists())
}

// withoutThinking leaves reasoning out of the turns: what was sealed, or all of it. A
// turn that was nothing else goes with it. It tells how many blocks it left out.
func withoutThinking(raw []byte, all bool) (out []byte, left int) {
	messages := gjson.GetBytes(raw, "messages")
	if !messages.IsArray() || messages.Index == 0 {
		return raw, 0
	}
	out = append(out, raw[:messages.Index]...)
	out = append(out, '[')
	first := len(out)
	messages.ForEach(func(_, m gjson.Result) bool {
		text, n := turnWithoutThinking(m, all)
		if left += n; text == "" {
			return true
		}
		if len(out) > first {
			out = append(out, ',')
		}
		out = append(out, text...)
		return true
	})
	out = append(out, ']')
	return append(out, raw[messages.Index+len(messages.Raw):]...), left
}

func turnWithoutThinking(m gjson.Result, all bool) (text string, left int) {
	content := m.Get("content")
	if m.Get("role").Str != "assistant" || !content.IsArray() {
		return m.Raw, 0
	}
	var kept []string
	content.ForEach(func(_, b gjson.Result) bool {
		kind := b.Get("type").Str
		thought := kind == "thinking" && (all || gateway.IsSealed(b.Get("signature").Str)) ||
			kind == "redacted_thinking" && (all || gateway.IsSealed(b.Get("data").Str))
		if thought {
			left++
		} else {
			kept = append(kept, b.Raw)
		}
		return true
	})
	switch {
	case left == 0:
		return m.Raw, 0
	case len(kept) == 0:
		return "", left
	}
	w := objectWriter{}
	m.ForEach(func(key, value gjson.Result) bool {
		if key.Str == "content" {
			w.put(key.Str, array(kept))
		} else {
			w.put(key.Str, value.Raw)
		}
		return true
	})
	return w.done(), left
}

// withoutBudget switches thinking off that was asked for with a budget: such a request
// is refused when a tool loop has lost its reasoning.
func withoutBudget(raw []byte) []byte {
	v := gjson.GetBytes(raw, "thinking")
	if v.Get("type").Str != thinksBudget || v.Index == 0 {
		return raw
	}
	out := append([]byte(nil), raw[:v.Index]...)
	out = append(out, `{"type":"disabled"}`...)
	return append(out, raw[v.Index+len(v.Raw):]...)
}
