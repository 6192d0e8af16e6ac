package fakeupstream

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"github.com/go-json-experiment/json"
)

func TestEmbeddingsAreTheSameInEveryFormat(t *testing.T) {
	texts := []string{"first text", "second"}
	want := [][]float32{Vector(texts[0], 4), Vector(texts[1], 4)}
	read := map[Kind]func(string) [][]float32{
		Ollama: func(body string) [][]float32 {
			var got struct{ Embeddings [][]float32 }
			_ = json.Unmarshal([]byte(body), &got, json.MatchCaseInsensitiveNames(true))
			return got.Embeddings
		},
		Gemini: func(body string) (out [][]float32) {
			var got struct{ Embeddings []struct{ Values []float32 } }
			_ = json.Unmarshal([]byte(body), &got, json.MatchCaseInsensitiveNames(true))
			for _, one := range got.Embeddings {
				out = append(out, one.Values)
			}
			return out
		},
	}
	asks := map[Kind][2]string{
		Ollama: {"/api/embed", `{"model":"m","input":["first text","second"],"dimensions":4}`},
		Gemini: {"/v1beta/models/m:batchEmbedContents", `{"requests":[{"model":"models/m","content":{"parts":[{"text":"first text"}]},"outputDimensionality":4},` +
			`{"model":"models/m","content":{"parts":[{"text":"second"}]},"outputDimensionality":4}]}`},
	}
	for kind, ask1 := range asks {
		s := start(t, Config{Kind: kind})
		_, body, err := ask(t, t.Context(), s.URL()+ask1[0], ask1[1])
		if got := read[kind](body); err != nil || !slices.EqualFunc(got, want, slices.Equal[[]float32]) {
			t.Errorf("%v: %v, %v: %s", kind, got, err, body)
		}
	}
	s := start(t, Config{})
	var got struct {
		Data []struct{ Embedding []float32 }
	}
	_, body, _ := ask(t, t.Context(), s.URL()+"/v1/embeddings", `{"model":"m","input":["first text","second"],"dimensions":4}`)
	if err := json.Unmarshal([]byte(body), &got, json.MatchCaseInsensitiveNames(true)); err != nil || len(got.Data) != 2 || !slices.Equal(got.Data[1].Embedding, want[1]) {
		t.Errorf("%v: %s", err, body)
	}
	var packed struct{ Data []struct{ Embedding string } }
	_, body, _ = ask(t, t.Context(), s.URL()+"/v1/embeddings", `{"model":"m","input":"first text","dimensions":4,"encoding_format":"base64"}`)
	if err := json.Unmarshal([]byte(body), &packed, json.MatchCaseInsensitiveNames(true)); err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(packed.Data[0].Embedding)
	if err != nil || len(raw) != 16 {
		t.Fatalf("%v: %s", err, body)
	}
	for i := range 4 {
		if x := math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:])); x != want[0][i] {
			t.Errorf("%v, want %v", x, want[0][i])
		}
	}
	_ = s.Close()
	if bill := s.Bill(); len(bill) != 2 || bill[0].Usage.Prompt != Tokens("first text")+Tokens("second") {
		t.Errorf("bill %+v", bill)
	}
}
