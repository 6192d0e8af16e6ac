package api

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"

	"github.com/gin-gonic/gin"
	"github.com/tidwall/gjson"

	"gateway"
)

const (
	defaultEmbedding  = "text-embedding-ada-002" // of POST /embed
	mostInputs        = 2048
	mostTokensOfInput = 8192
)

// embeddings is POST /v1/embeddings.
func (s *Server) embeddings(c *gin.Context) {
	o, err := s.short(c)
	if err == nil {
		err = o.checkTypes()
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	format := "float"
	if v, ok := o.get("encoding_format"); ok {
		format = v.Str
	}
	if format != "float" && format != "base64" {
		s.fail(c, field("encoding_format", "\"encoding_format\" must be float or base64."))
		return
	}
	input, ok := o.get("input")
	if !ok {
		s.fail(c, field("input", "\"input\" is required."))
		return
	}
	answer, rerr := s.embed0(c, o, "input", input)
	if rerr != nil {
		s.fail(c, rerr)
		return
	}
	c.Data(200, "application/json", embeddingsJSON(nil, answer, format == "base64"))
}

// embed is POST /embed {"text": string | [string], "model"?}.
func (s *Server) embed(c *gin.Context) {
	o, err := s.short(c)
	if err != nil {
		s.fail422(c, err)
		return
	}
	text, ok := o.get("text")
	if !ok || text.Type == gjson.String && blank(text.Str) || text.Type != gjson.String && !text.IsArray() {
		s.fail422(c, missing("text", "a string or an array of strings, not blank"))
		return
	}
	for _, t := range text.Array() {
		if t.Type != gjson.String || blank(t.Str) {
			s.fail422(c, missing("text", "a string or an array of strings, not blank"))
			return
		}
	}
	if _, ok := o.get("model"); !ok {
		o.set("model", gjson.Parse(`"`+defaultEmbedding+`"`))
	}
	answer, rerr := s.embed0(c, o, "text", text)
	if rerr != nil {
		if rerr.Param != "" {
			s.fail422(c, rerr)
			return
		}
		s.fail(c, rerr)
		return
	}
	e := answer.Embeddings
	b := append([]byte(nil), `{"embeddings":[`...)
	for i, v := range e.Vectors {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendVector(b, v)
	}
	b = append(b, `],"model":`...)
	b = appendString(b, answer.Model)
	b = appendInt(b, `,"dimensions":`, len(e.Vectors[0]))
	b = s.callLog(b, c, answer, &e.Usage)
	c.Data(200, "application/json", append(b, '}'))
}

func blank(s string) bool {
	for _, r := range s {
		if r != ' ' && r != '\t' && r != '\n' && r != '\r' {
			return false
		}
	}
	return true
}

// embed0 asks for the vectors of an input.
func (s *Server) embed0(c *gin.Context, o *object, name string, input gjson.Result) (*gateway.Answer, *gateway.Error) {
	req, err := s.request0(c)
	if err != nil {
		return nil, err
	}
	if req.Embed, err = embedInput(name, input); err != nil {
		return nil, err
	}
	if v, ok := o.get("model"); ok {
		req.Model = v.String()
	}
	if v, ok := o.get("dimensions"); ok {
		if v.Int() < 1 || v.Int() > 1<<16 {
			return nil, field("dimensions", "\"dimensions\" must be at least 1.")
		}
		req.Embed.Dimensions = int(v.Int())
	}
	if v, ok := o.get("user"); ok {
		req.Embed.User = v.String()
	}
	req.Needs.Embeddings, req.Needs.TokenInput = true, req.Embed.Tokens != nil
	for _, t := range req.Embed.Texts {
		req.PromptBytes += len(t)
	}
	for _, t := range req.Embed.Tokens {
		req.PromptBytes += 4 * len(t)
	}
	req.Raw, req.Wire = o.raw, chatWire
	event(c).model = req.Model
	answer, rerr := s.route(c, req)
	if rerr != nil {
		return nil, problemOf(rerr).err
	}
	s.noteWhole(c, answer, &answer.Embeddings.Usage)
	return answer, nil
}

// embedInput takes a string, strings, an array of tokens or arrays of tokens.
func embedInput(name string, v gjson.Result) (*gateway.EmbedInput, *gateway.Error) {
	wrong := field(name, "%q must be a string or an array of strings, none of them empty; /v1/embeddings takes token arrays too.", name)
	in := &gateway.EmbedInput{}
	if v.Type == gjson.String {
		if v.Str == "" {
			return nil, wrong
		}
		in.Texts = []string{v.Str}
		return in, nil
	}
	list := v.Array()
	if !v.IsArray() || len(list) == 0 {
		return nil, wrong
	}
	if len(list) > mostInputs && list[0].Type != gjson.Number {
		return nil, field(name, "%q has more than %d items.", name, mostInputs)
	}
	if list[0].Type == gjson.Number {
		tokens, ok := tokenArray(list)
		if !ok {
			return nil, wrong
		}
		in.Tokens = [][]int{tokens}
		return in, nil
	}
	for _, item := range list {
		if item.Type == gjson.String && item.Str != "" && in.Tokens == nil {
			in.Texts = append(in.Texts, item.Str)
			continue
		}
		tokens, ok := tokenArray(item.Array())
		if !ok || !item.IsArray() || in.Texts != nil {
			return nil, wrong
		}
		in.Tokens = append(in.Tokens, tokens)
	}
	return in, nil
}

func tokenArray(list []gjson.Result) ([]int, bool) {
	if len(list) == 0 || len(list) > mostTokensOfInput {
		return nil, false
	}
	out := make([]int, len(list))
	for i, t := range list {
		if t.Type != gjson.Number || !aWhole.fits(t) || t.Int() < 0 {
			return nil, false
		}
		out[i] = int(t.Int())
	}
	return out, true
}

func embeddingsJSON(b []byte, a *gateway.Answer, asBase64 bool) []byte {
	b = append(b, `{"object":"list","data":[`...)
	for i, v := range a.Embeddings.Vectors {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendInt(b, `{"object":"embedding","index":`, i)
		b = append(b, `,"embedding":`...)
		if asBase64 {
			b = append(b, '"')
			b = base64.StdEncoding.AppendEncode(b, littleEndian(v))
			b = append(b, '"')
		} else {
			b = appendVector(b, v)
		}
		b = append(b, '}')
	}
	b = append(b, `],"model":`...)
	b = appendString(b, a.Model)
	b = appendInt(b, `,"usage":{"prompt_tokens":`, a.Embeddings.Usage.Prompt())
	b = appendInt(b, `,"total_tokens":`, a.Embeddings.Usage.Prompt())
	return append(b, "}}"...)
}

func littleEndian(v []float32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, f := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return b
}

func appendVector(b []byte, v []float32) []byte {
	b = append(b, '[')
	for i, f := range v {
		if i > 0 {
			b = append(b, ',')
		}
		if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
			f = 0
		}
		b = strconv.AppendFloat(b, float64(f), 'g', -1, 32)
	}
	return append(b, ']')
}
