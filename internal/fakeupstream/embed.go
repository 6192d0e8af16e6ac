package fakeupstream

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Vector gives the embedding of a text: of length one and always the same. n is its
// number of dimensions; 0 means 8. Every number in it is exact in 32 bits.
func Vector(text string, n int) []float32 {
	if n <= 0 {
		n = 8
	}
	vector := make([]float32, n)
	square := 0.0
	for i := range vector {
		x := float64(int64(sum(fmt.Sprint(i, " ", text)))) / math.MaxInt64
		vector[i] = float32(x)
		square += x * x
	}
	for i := range vector {
		vector[i] = float32(float64(vector[i]) / math.Sqrt(square))
	}
	return vector
}

// embedded is a request for embeddings in no provider's format.
type embedded struct {
	model      string
	texts      []string
	dimensions int
	base64     bool
}

// tokens counts the input.
func (e embedded) tokens() int {
	n := 0
	for _, text := range e.texts {
		n += max(1, Tokens(text))
	}
	return n
}

// embedding makes a handler of a format's way to read a request and to write the answer.
func embedding(read func(*http.Request, []byte) (embedded, *refusal), write func(embedded) any) func(*Server, http.ResponseWriter, *http.Request) {
	return func(s *Server, w http.ResponseWriter, r *http.Request) {
		number, _ := s.books.enter()
		defer s.books.leave()
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyLimit))
		if err != nil {
			return
		}
		asked, no := read(r, body)
		p := &play{server: s, w: w, r: r, talk: &talk{model: asked.model, question: strings.Join(asked.texts, " ")}}
		p.bill = Bill{Number: number, Model: asked.model, ID: markedID(p.talk.question)}
		p.begin()
		defer p.end()
		if no == nil && len(asked.texts) == 0 {
			no = invalid("input must not be empty")
		}
		if no != nil {
			p.refuse(*no)
			return
		}
		p.step = s.stepFor(number, p.bill.ID, p.talk)
		if p.step.Fault == BlackHole {
			p.hold()
			return
		}
		if p.failsAtOnce() || !p.pause(s.config.First.draw(s.config.Seed, number)) {
			return
		}
		p.bill.Status, p.bill.Usage.Prompt = http.StatusOK, asked.tokens()
		writeJSON(w, write(asked))
	}
}

func readOpenAIEmbed(_ *http.Request, body []byte) (embedded, *refusal) {
	var req struct {
		Model      string         `json:"model"`
		Input      jsontext.Value `json:"input"`
		Dimensions int            `json:"dimensions"`
		Encoding   string         `json:"encoding_format"`
	}
	if err := json.Unmarshal(body, &req); err != nil {
		return embedded{}, invalid("We could not parse the JSON body of your request: %v", err)
	}
	if req.Encoding != "" && req.Encoding != "float" && req.Encoding != "base64" {
		return embedded{}, invalid("Invalid value for 'encoding_format': %q", req.Encoding)
	}
	out := embedded{model: req.Model, dimensions: req.Dimensions, base64: req.Encoding == "base64"}
	var one string
	var many, tokens []jsontext.Value
	switch {
	case json.Unmarshal(req.Input, &one) == nil:
		out.texts = []string{one}
	case json.Unmarshal(req.Input, &out.texts) == nil:
	case json.Unmarshal(req.Input, &many) == nil && len(many) > 0 && json.Unmarshal(many[0], &tokens) == nil:
		for _, list := range many { // each list of tokens stands for a text
			out.texts = append(out.texts, string(list))
		}
	case len(many) > 0:
		out.texts = []string{string(req.Input)}
	default:
		return embedded{}, invalid("Invalid type for 'input'.")
	}
	return out, nil
}

func writeOpenAIEmbed(e embedded) any {
	type item struct {
		Object    string         `json:"object"`
		Index     int            `json:"index"`
		Embedding jsontext.Value `json:"embedding"`
	}
	type usage struct {
		Prompt int `json:"prompt_tokens"`
		Total  int `json:"total_tokens"`
	}
	list := struct {
		Object string `json:"object"`
		Data   []item `json:"data"`
		Model  string `json:"model"`
		Usage  usage  `json:"usage"`
	}{Object: "list", Model: e.model, Usage: usage{e.tokens(), e.tokens()}}
	for i, text := range e.texts {
		vector := Vector(text, e.dimensions)
		encoded := mustJSON(vector)
		if e.base64 {
			var raw []byte
			for _, x := range vector {
				raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
			}
			encoded = mustJSON(base64.StdEncoding.EncodeToString(raw))
		}
		list.Data = append(list.Data, item{"embedding", i, encoded})
	}
	return list
}

func readOllamaEmbed(_ *http.Request, body []byte) (embedded, *refusal) {
	var req struct {
		Model      string         `json:"model"`
		Input      jsontext.Value `json:"input"`
		Dimensions int            `json:"dimensions"`
	}
	out := embedded{}
	if err := json.Unmarshal(body, &req); err != nil {
		return out, invalid("%v", err)
	}
	out.model, out.dimensions = req.Model, req.Dimensions
	var one string
	if json.Unmarshal(req.Input, &one) == nil {
		out.texts = []string{one}
	} else if err := json.Unmarshal(req.Input, &out.texts); err != nil {
		return out, invalid("invalid input type")
	}
	return out, nil
}

func writeOllamaEmbed(e embedded) any {
	out := struct {
		Model      string      `json:"model"`
		Embeddings [][]float32 `json:"embeddings"`
		Prompt     int         `json:"prompt_eval_count"`
	}{Model: e.model, Prompt: e.tokens()}
	for _, text := range e.texts {
		out.Embeddings = append(out.Embeddings, Vector(text, e.dimensions))
	}
	return out
}

func readGeminiEmbed(r *http.Request, body []byte) (embedded, *refusal) {
	var req struct {
		Requests []struct {
			Model      string        `json:"model"`
			Content    geminiContent `json:"content"`
			TaskType   string        `json:"taskType"`
			Title      string        `json:"title"`
			Dimensions int           `json:"outputDimensionality"`
		} `json:"requests"`
	}
	out := embedded{}
	if err := json.Unmarshal(body, &req, json.RejectUnknownMembers(true)); err != nil {
		return out, invalid("Invalid JSON payload received. %v", err)
	}
	out.model, _ = geminiMethod(r)
	for _, one := range req.Requests {
		if one.Model != "models/"+out.model {
			return out, invalid("* BatchEmbedContentsRequest.requests[].model: must be models/%s", out.model)
		}
		out.texts, out.dimensions = append(out.texts, one.Content.text()), one.Dimensions
	}
	return out, nil
}

func writeGeminiEmbed(e embedded) any {
	type values struct {
		Values []float32 `json:"values"`
	}
	var out struct {
		Embeddings []values `json:"embeddings"`
	}
	for _, text := range e.texts {
		out.Embeddings = append(out.Embeddings, values{Vector(text, e.dimensions)})
	}
	return out
}
