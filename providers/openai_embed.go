package providers

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"io"
	"math"

	"github.com/tidwall/gjson"

	"gateway"
)

type embedBody struct {
	Model          string `json:"model"`
	Input          any    `json:"input"` // texts or token arrays
	Dimensions     int    `json:"dimensions,omitempty"`
	User           string `json:"user,omitempty"`
	EncodingFormat string `json:"encoding_format,omitempty"`
}

// Embed asks for vectors. What the client asked about their encoding is the edge's matter.
func (a *openAI) Embed(ctx context.Context, call *gateway.Call) (*gateway.Embeddings, error) {
	in := call.Request.Embed
	if in == nil {
		return nil, &gateway.Error{Kind: gateway.Internal, Provider: a.Name, Message: "no input to embed"}
	}
	ask := embedBody{Model: call.Model.Name, Input: in.Texts, Dimensions: in.Dimensions, User: in.User, EncodingFormat: "float"}
	if in.Tokens != nil {
		ask.Input = in.Tokens
	}
	for _, field := range a.Quirks.Drop {
		switch field {
		case "encoding_format":
			ask.EncodingFormat = ""
		case "user":
			ask.User = ""
		case "dimensions":
			ask.Dimensions = 0
		}
	}
	body, err := json.Marshal(ask)
	if err != nil {
		return nil, &gateway.Error{Kind: gateway.Internal, Provider: a.Name, Err: err}
	}
	resp, err := a.post(ctx, call, a.BaseURL+"/embeddings", a.header, payload{body})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return nil, a.brokenRead(ctx, call, err)
	}
	return a.vectors(call, answer, max(len(in.Texts), len(in.Tokens)))
}

// vectors reads an embedding answer; each of the want inputs must have its vector.
func (a *openAI) vectors(call *gateway.Call, answer []byte, want int) (*gateway.Embeddings, error) {
	if !gjson.ValidBytes(answer) {
		return nil, garbled(call, nil)
	}
	top := gjson.ParseBytes(answer)
	if fault := top.Get("error"); fault.Exists() && fault.Type != gjson.Null {
		return nil, classify(a.Kind, a.Name, call.Model.Name, 200, nil, answer)
	}
	out := &gateway.Embeddings{Model: top.Get("model").String(), Vectors: make([][]float32, want)}
	ok, found, position := true, 0, 0
	top.Get("data").ForEach(func(_, item gjson.Result) bool {
		at := position
		if i := item.Get("index"); i.Exists() {
			at = int(i.Int())
		}
		position++
		vector := readVector(item.Get("embedding"))
		if ok = vector != nil && at >= 0 && at < want && out.Vectors[at] == nil; ok {
			out.Vectors[at] = vector
			found++
		}
		return ok
	})
	if !ok || found != want {
		return nil, garbled(call, nil)
	}
	if usage := top.Get("usage"); usage.IsObject() {
		out.Usage = openAIUsage(usage)
	}
	return out, nil
}

// readVector reads a list of numbers or base64 of little-endian float32; nil for anything else.
func readVector(value gjson.Result) []float32 {
	if value.Type == gjson.String {
		raw, err := base64.StdEncoding.DecodeString(value.Str)
		if err != nil || len(raw) == 0 || len(raw)%4 != 0 {
			return nil
		}
		vector := make([]float32, len(raw)/4)
		for i := range vector {
			vector[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
		return vector
	}
	var vector []float32
	value.ForEach(func(_, n gjson.Result) bool {
		vector = append(vector, float32(n.Num))
		return true
	})
	return vector
}
