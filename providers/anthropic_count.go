package providers

import (
	"context"
	"io"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"gateway"
)

// uncounted are the fields of a request that counting does not take.
var uncounted = [...]string{"max_tokens", "stream", "metadata", "temperature", "top_p", "top_k", "stop_sequences", "service_tier"}

// CountTokens asks how many tokens the prompt has. A client of the same format gets what
// it asked, with the model replaced.
func (a *anthropic) CountTokens(ctx context.Context, call *gateway.Call) (int, error) {
	ask, err := a.countAsk(call)
	if err != nil {
		return 0, err
	}
	resp, err := a.post(ctx, call, a.url+"/count_tokens", a.headerFor(call, ask), payload{ask.body})
	if err != nil {
		if !ask.relayed {
			ours(err)
		}
		return 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return 0, a.brokenRead(ctx, call, err)
	}
	n := gjson.GetBytes(body, "input_tokens")
	if n.Type != gjson.Number || n.Int() < 0 {
		return 0, garbled(call, nil)
	}
	return int(n.Int()), nil
}

func (a *anthropic) countAsk(call *gateway.Call) (*messagesAsk, error) {
	if call.Request.Wire == messagesWire && call.Request.Raw != nil {
		raw, _ := withoutThinking(call.Request.Raw, false)
		return &messagesAsk{body: replaced(messagesIDs(raw), "model", quoted(call.Model.Name)), relayed: true}, nil
	}
	ask, err := a.translate(call, false)
	if err != nil {
		return nil, err
	}
	for _, name := range uncounted {
		if body, err := sjson.DeleteBytes(ask.body, name); err == nil {
			ask.body = body
		}
	}
	return ask, nil
}

// replaced is an object with another value of one of its fields, which is added if it
// is not there. The rest keeps its bytes.
func replaced(raw []byte, name, value string) []byte {
	if v := gjson.GetBytes(raw, name); v.Index > 0 {
		out := append([]byte(nil), raw[:v.Index]...)
		out = append(out, value...)
		return append(out, raw[v.Index+len(v.Raw):]...)
	}
	out, err := sjson.SetRawBytes(raw, name, []byte(value))
	if err != nil {
		return raw
	}
	return out
}
