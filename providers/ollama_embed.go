package providers

import (
	"context"
	"io"
	"slices"
	"strconv"

	"github.com/tidwall/gjson"

	"gateway"
)

const embedAnswerMost = 64 << 20

// Embed asks for vectors. Too long a text is an error, not silently cut.
func (a *ollama) Embed(ctx context.Context, call *gateway.Call) (*gateway.Embeddings, error) {
	in := call.Request.Embed
	if in.Tokens != nil {
		return nil, cannot(call, "token arrays")
	}
	var w objectWriter
	w.put("model", quoted(call.Model.Name))
	w.put("input", stringList(in.Texts))
	w.put("truncate", "false")
	if in.Dimensions > 0 {
		w.put("dimensions", strconv.Itoa(in.Dimensions))
	}
	raw, err := a.fetch(ctx, call, a.BaseURL+"/api/embed", a.header, a.withParams(w.bytes(), call.Model.Name))
	if err != nil {
		return nil, err
	}
	top := gjson.ParseBytes(raw)
	out := &gateway.Embeddings{Model: call.Model.Name}
	for _, v := range top.Get("embeddings").Array() {
		out.Vectors = append(out.Vectors, readVector(v))
	}
	if n := top.Get("prompt_eval_count"); n.Exists() {
		out.Usage = gateway.Usage{Fresh: int(n.Int()), Reported: true}
	}
	return complete(call, out, len(in.Texts))
}

// fetch posts and reads the whole answer.
func (c *caller) fetch(ctx context.Context, call *gateway.Call, url string, header map[string][]string, body []byte) ([]byte, error) {
	resp, err := c.post(ctx, call, url, header, payload{body})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, embedAnswerMost))
	if err != nil {
		return nil, c.brokenRead(ctx, call, err)
	}
	if !gjson.ValidBytes(raw) {
		return nil, garbled(call, nil)
	}
	return raw, nil
}

// complete refuses an answer in which an input has no vector.
func complete(call *gateway.Call, e *gateway.Embeddings, want int) (*gateway.Embeddings, error) {
	if len(e.Vectors) != want || slices.ContainsFunc(e.Vectors, func(v []float32) bool { return len(v) == 0 }) {
		return nil, garbled(call, nil)
	}
	return e, nil
}
