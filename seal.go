package gateway

import (
	"encoding/base64"
	"strings"
)

// SealMark begins what Seal makes.
//
// A client of a format that knows only its own vendor's opaque state gets that of another
// provider sealed: as one text in the place of the vendor's, which it hands back unchanged.
// The seal says who made it, so that nobody else is handed it; it is no secret and proves
// nothing. All formats have the same seal.
const SealMark = "gw1."

// Sealed is a piece of state as a client keeps it.
type Sealed struct {
	Thinking
	Call string // id of the tool call that Signature is of; "" for none
}

// mostSealed is how many pieces one text may hold. Models give a few with a turn, and what
// a client made up itself must not grow when it is read.
const mostSealed = 256

// Seal makes the opaque text of what a provider wants back: for each piece its fields in
// base64, separated by dots, the pieces by commas. A text that the client keeps beside it
// is best left out.
func Seal(pieces ...Sealed) string {
	var b strings.Builder
	b.WriteString(SealMark)
	for i := range pieces {
		if i > 0 {
			b.WriteByte(',')
		}
		p := &pieces[i]
		for j, field := range [...]string{p.Maker, p.Model, p.Call, p.Signature, p.Redacted, p.Text} {
			if j == sealedFields && field == "" {
				break
			}
			if j > 0 {
				b.WriteByte('.')
			}
			b.WriteString(base64.RawURLEncoding.EncodeToString([]byte(field)))
		}
	}
	return b.String()
}

// sealedFields are those that each piece has; the text may follow.
const sealedFields = 5

// Unseal reads what Seal made; false for any other text. Of several pieces those that say
// nothing but who made them are left out.
func Unseal(sealed string) (pieces []Sealed, ok bool) {
	rest, ok := strings.CutPrefix(sealed, SealMark)
	if !ok {
		return nil, false
	}
	n := 1 + strings.Count(rest, ",")
	if n > mostSealed {
		return nil, false
	}
	for text := range strings.SplitSeq(rest, ",") {
		p, ok := unsealed(text)
		if !ok {
			return nil, false
		}
		if n == 1 || p.Signature != "" || p.Redacted != "" || p.Text != "" {
			pieces = append(pieces, p)
		}
	}
	return pieces, true
}

func unsealed(text string) (p Sealed, ok bool) {
	fields := strings.SplitN(text, ".", sealedFields+2) // one more than there are, however many dots a client sends
	if len(fields) < sealedFields || len(fields) > sealedFields+1 {
		return p, false
	}
	for i, to := range [...]*string{&p.Maker, &p.Model, &p.Call, &p.Signature, &p.Redacted, &p.Text} {
		if i == len(fields) {
			break
		}
		field, err := base64.RawURLEncoding.DecodeString(fields[i])
		if err != nil {
			return Sealed{}, false
		}
		*to = string(field)
	}
	return p, true
}

// IsSealed says whether a text looks like one of Seal's, without reading it.
func IsSealed(text string) bool { return strings.HasPrefix(text, SealMark) }
