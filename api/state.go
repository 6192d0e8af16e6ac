package api

import (
	"encoding/base64"
	"strings"

	"gateway"
)

// state is what the maker of a turn wants back unchanged and a format has no field for. It
// is sealed into the one field that clients of the format return as it is. It is encoded,
// not encrypted: it holds nothing that the client did not get from the provider, and is
// only ever about its own conversation.
type state []gateway.Sealed

// madeBy is who gave an answer, as its state names it.
func madeBy(a *gateway.Answer) gateway.Thinking {
	if a == nil {
		return gateway.Thinking{}
	}
	return gateway.Thinking{Maker: protocolOf(a).Maker, Model: a.Model}
}

// unsigned is who gave reasoning that is not signed, and wants the text back; a zero one is
// of a maker that signs.
func unsigned(a *gateway.Answer) gateway.Thinking {
	if !protocolOf(a).Unsigned {
		return gateway.Thinking{}
	}
	return madeBy(a)
}

func (s *state) think(t gateway.Thinking) { *s = append(*s, gateway.Sealed{Thinking: t}) }

// sign keeps the signature of a call.
func (s *state) sign(by gateway.Thinking, call, signature string) {
	by.Signature = signature
	*s = append(*s, gateway.Sealed{Thinking: by, Call: call})
}

// text is the state of reasoning that came without any, if its maker signs none.
func (s *state) text(text string, maker gateway.Thinking) {
	if text == "" || maker.Maker == "" {
		return
	}
	for _, p := range *s {
		if p.Call == "" {
			return
		}
	}
	maker.Text = text
	s.think(maker)
}

// vendors is the signature of one piece of state of the format's own vendor, which stays as
// it came, so that it can be used without this gateway too; "" for any other state.
func (s state) vendors(maker string) string {
	if len(s) == 1 && s[0].Call == "" && s[0].Maker == maker {
		return s[0].Signature
	}
	return ""
}

// unseal reads what was sealed here, and what earlier versions made in its place. ok is
// false for what is damaged: its turn then goes on without, for which each format has
// its downgrade.
func unseal(text string) (s state, ok bool) {
	if s, ok := unsealOlder(text); ok {
		return s, true
	}
	pieces, ok := gateway.Unseal(text)
	return pieces, ok
}

// isSealed says whether a text looks like one of ours, without reading it.
func isSealed(text string) bool {
	return gateway.IsSealed(text) || strings.HasPrefix(text, olderMark)
}

// Some formats want base64 for a signature, so that a seal is in base64 there once more.
// sealBase64 and olderBase64 are what begins in base64 like a text of ours.
var (
	sealBase64  = base64.StdEncoding.EncodeToString([]byte(gateway.SealMark))[:5]
	olderBase64 = base64.StdEncoding.EncodeToString([]byte(olderMark))[:9]
)

// based puts a seal in base64.
func based(s state) string { return base64.StdEncoding.EncodeToString([]byte(gateway.Seal(s...))) }

// isBased says whether a signature looks like a seal in base64, without reading it.
func isBased(signature string) bool {
	return strings.HasPrefix(signature, sealBase64) || strings.HasPrefix(signature, olderBase64)
}

// unbased is what a signature seals; nothing if it is damaged.
func unbased(signature string) state {
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return nil
	}
	s, _ := unseal(string(raw))
	return s
}

// maker is who made the state; "" for none.
func (s state) maker() (maker, model string) {
	for i := len(s) - 1; i >= 0; i-- {
		if maker, model = s[i].Maker, s[i].Model; s[i].Call == "" {
			break
		}
	}
	return maker, model
}

// into gives a turn back what its maker made. Signatures of calls are noted by the
// call's id.
func (s state) into(m *gateway.Message, signatures map[string]string) {
	for _, p := range s {
		if p.Call != "" {
			signatures[p.Call] = p.Signature
		} else {
			m.Thinking = append(m.Thinking, p.Thinking)
		}
	}
}
