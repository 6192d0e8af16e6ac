package providers

import (
	"bytes"
	"strconv"

	"github.com/tidwall/gjson"

	"gateway"
)

// relay makes the body for a client of the same format: its own, byte for byte but for
// the model, whether to stream, a limit above what the hold was computed with, and ids of
// calls that are too long. With unreasoning, the reasoning of earlier turns is left out of it.
func (a *responses) relay(call *gateway.Call, unreasoning bool) (*responsesAsk, error) {
	const limit = "max_output_tokens"
	raw := responsesIDs(call.Request.Raw)
	recalls := !unreasoning && bytes.Contains(raw, []byte(`"encrypted_content"`))
	ask := &responsesAsk{relayed: true, reasons: recalls, recalled: recalls}
	var set []gateway.Field
	if call.Request.Unstored {
		set = unstored(call.Model.Name, raw)
	}
	raw, dropped := withoutReasoning(raw, func(item gjson.Result) bool {
		return unreasoning || call.Request.Unstored && item.Get("encrypted_content").Str == ""
	})
	if dropped && !unreasoning {
		call.Downgraded("reasoning of earlier turns that came without its encrypted content was left out")
	}
	body, err := splicedBody(call, raw, limit, set...)
	if err != nil {
		return nil, err
	}
	if call.MaxTokens > 0 && !gjson.GetBytes(body, limit).Exists() { // optional here, but the hold is bound to it
		body = appendField(bytes.TrimRight(body, whitespace), limit, strconv.Itoa(call.MaxTokens))
	}
	ask.body = body
	return ask, nil
}

// encryptedReasoning asks for reasoning that can be handed back.
const encryptedReasoning = "reasoning.encrypted_content"

// unstored are the fields of a request that the provider must not keep. A client that
// relied on its being kept, which is what a missing "store" means, gets the reasoning to
// hand back itself instead.
func unstored(model string, raw []byte) []gateway.Field {
	set := []gateway.Field{{Name: "store", Raw: "false"}}
	if gjson.GetBytes(raw, "store").Type == gjson.False || !rulesOf(model).reasoning {
		return set
	}
	var include []string
	for _, one := range gjson.GetBytes(raw, "include").Array() {
		if one.Str == encryptedReasoning {
			return set
		}
		include = append(include, one.Raw)
	}
	return append(set, gateway.Field{Name: "include", Raw: array(append(include, quoted(encryptedReasoning)))})
}

// withoutReasoning leaves reasoning items out of the input. Where there are none to be
// left out the body stays as it is.
func withoutReasoning(raw []byte, drops func(item gjson.Result) bool) (out []byte, dropped bool) {
	input := gjson.GetBytes(raw, "input")
	if !input.IsArray() || input.Index == 0 || !bytes.Contains(raw, []byte(`"reasoning"`)) {
		return raw, false
	}
	out = append(make([]byte, 0, len(raw)), raw[:input.Index]...)
	out = append(out, '[')
	first := len(out)
	input.ForEach(func(_, item gjson.Result) bool {
		if item.Get("type").Str == "reasoning" && drops(item) {
			dropped = true
			return true
		}
		if len(out) > first {
			out = append(out, ',')
		}
		out = append(out, item.Raw...)
		return true
	})
	if !dropped {
		return raw, false
	}
	out = append(out, ']')
	return append(out, raw[input.Index+len(input.Raw):]...), true
}
