package providers

import (
	"bytes"
	"strconv"

	"github.com/tidwall/gjson"

	"gateway"
)

// relay makes the body for a client of the same format: its own, byte for byte but for
// the model, whether to stream, and a limit above what the hold was computed with. With
// unreasoning, the reasoning of earlier turns is left out of it.
func (a *responses) relay(call *gateway.Call, unreasoning bool) (*responsesAsk, error) {
	const limit = "max_output_tokens"
	raw := call.Request.Raw
	recalls := !unreasoning && bytes.Contains(raw, []byte(`"encrypted_content"`))
	ask := &responsesAsk{relayed: true, reasons: recalls, recalled: recalls}
	if unreasoning {
		raw = withoutReasoning(raw)
	}
	body, err := splicedBody(call, raw, limit)
	if err != nil {
		return nil, err
	}
	if call.MaxTokens > 0 && !gjson.GetBytes(body, limit).Exists() { // optional here, but the hold is bound to it
		body = appendField(body, limit, strconv.Itoa(call.MaxTokens))
	}
	ask.body = body
	return ask, nil
}

// withoutReasoning leaves the reasoning items out of the input. All else stays as it is.
func withoutReasoning(raw []byte) []byte {
	input := gjson.GetBytes(raw, "input")
	if !input.IsArray() || input.Index == 0 {
		return raw
	}
	out := append(make([]byte, 0, len(raw)), raw[:input.Index]...)
	out = append(out, '[')
	first := len(out)
	input.ForEach(func(_, item gjson.Result) bool {
		if item.Get("type").Str == "reasoning" {
			return true
		}
		if len(out) > first {
			out = append(out, ',')
		}
		out = append(out, item.Raw...)
		return true
	})
	out = append(out, ']')
	return append(out, raw[input.Index+len(input.Raw):]...)
}
