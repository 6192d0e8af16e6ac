package gateway

import (
	"encoding/base64"
	"strings"
)

// SealMark begins what Seal makes.
//
// A client of a format that knows only its own vendor's signed reasoning gets that of
// another provider sealed: as one opaque text in the place of the vendor's signature,
// which it hands back unchanged. The seal says who made it, so that nobody else is
// handed it; it is no secret and proves nothing.
const SealMark = "gw1."

// Seal makes the opaque text of what a provider wants back. Text is not in it: the
// client keeps that beside it. call is the tool call that the state belongs to, or "".
func (t *Thinking) Seal(call string) string {
	var b strings.Builder
	b.WriteString(SealMark)
	for i, field := range [...]string{t.Maker, t.Model, call, t.Signature, t.Redacted} {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(base64.RawURLEncoding.EncodeToString([]byte(field)))
	}
	return b.String()
}

// Unseal reads what Seal made; false for any other text.
func Unseal(sealed string) (t Thinking, call string, ok bool) {
	rest, ok := strings.CutPrefix(sealed, SealMark)
	if !ok {
		return Thinking{}, "", false
	}
	fields := strings.SplitN(rest, ".", 6) // one more than there are, however many dots a client sends
	if len(fields) != 5 {
		return Thinking{}, "", false
	}
	for i, field := range fields {
		text, err := base64.RawURLEncoding.DecodeString(field)
		if err != nil {
			return Thinking{}, "", false
		}
		fields[i] = string(text)
	}
	return Thinking{Maker: fields[0], Model: fields[1], Signature: fields[3], Redacted: fields[4]}, fields[2], true
}

// IsSealed says whether a text looks like one of Seal's, without reading it.
func IsSealed(text string) bool { return strings.HasPrefix(text, SealMark) }
