package gateway

import "testing"

// What was sealed is read back, and nothing else is taken for it.
func FuzzSeal(f *testing.F) {
	f.Add("gemini", "gemini-3", "call_1", "sig.na+ture==", "")
	f.Add("", "", "", "", "")
	f.Fuzz(func(t *testing.T, maker, model, call, signature, redacted string) {
		in := Thinking{Maker: maker, Model: model, Signature: signature, Redacted: redacted}
		sealed := in.Seal(call)
		out, forCall, ok := Unseal(sealed)
		if !ok || out != in || forCall != call || !IsSealed(sealed) {
			t.Errorf("%+v for %q came back as %+v for %q, %v", in, call, out, forCall, ok)
		}
		if _, _, ok := Unseal(signature); ok && !IsSealed(signature) {
			t.Errorf("%q was taken for sealed", signature)
		}
	})
}

// A vendor's own signature is not taken for one of ours.
func TestUnsealRefusesOthers(t *testing.T) {
	for _, text := range []string{"", "gw1.", "gw1.a.b", "EqoBCkgIARABGAIiQL", "gw1.!.!.!.!.!", "gw1.....!"} {
		if _, _, ok := Unseal(text); ok {
			t.Errorf("%q was unsealed", text)
		}
	}
}
