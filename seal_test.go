package gateway

import (
	"slices"
	"strings"
	"testing"
)

// What was sealed is read back, and nothing else is taken for it.
func FuzzSeal(f *testing.F) {
	f.Add("gemini", "gemini-3", "call_1", "sig.na+ture==", "", "hm\xff")
	f.Add("", "", "", "", "", "")
	f.Fuzz(func(t *testing.T, maker, model, call, signature, redacted, text string) {
		in := Sealed{Thinking{Maker: maker, Model: model, Signature: signature, Redacted: redacted, Text: text}, call}
		sealed := Seal(in)
		if out, ok := Unseal(sealed); !ok || len(out) != 1 || out[0] != in || !IsSealed(sealed) {
			t.Errorf("%+v came back as %+v, %v", in, out, ok)
		}
		bare, want := Sealed{Thinking: Thinking{Maker: "who"}}, []Sealed(nil)
		if signature+redacted+text != "" {
			want = []Sealed{in, in}
		}
		if out, ok := Unseal(Seal(in, bare, in)); !ok || !slices.Equal(out, want) {
			t.Errorf("two of %+v came back as %+v, %v", in, out, ok)
		}
		if _, ok := Unseal(signature); ok && !IsSealed(signature) {
			t.Errorf("%q was taken for sealed", signature)
		}
	})
}

// A vendor's own signature is not taken for one of ours.
func TestUnsealRefusesOthers(t *testing.T) {
	for _, text := range []string{"", "gw1.", "gw1.a.b", "EqoBCkgIARABGAIiQL", "gw1.!.!.!.!.!", "gw1.....!", "gw1....", "gw1.......", "gw1.....,", SealMark + strings.Repeat("YQ...YQ.,", mostSealed) + "YQ...YQ."} {
		if _, ok := Unseal(text); ok {
			t.Errorf("%q was unsealed", text)
		}
	}
}

// A conversation goes on that a client has from before pieces had a text.
func TestUnsealReadsSealsWithoutText(t *testing.T) {
	got, ok := Unseal("gw1.Z2VtaW5p.Zw.Y2FsbF8x.czE.")
	if want := (Sealed{Thinking{Maker: "gemini", Model: "g", Signature: "s1"}, "call_1"}); !ok || len(got) != 1 || got[0] != want {
		t.Errorf("%+v, %v", got, ok)
	}
}
