package api

import (
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"gateway"
)

// messagesID is the id of a call as a client of Anthropic's format gets it. That format
// has letters, digits, _ and - in ids, not too many of them, and refuses a conversation
// with any other, whoever made the call (Kimi's are functions.read_file:0): such an id is
// escaped, and ownID gives it back to whom it is from. One that is too long stays so, as
// nothing shorter could be turned back; only Anthropic itself minds, and what is relayed
// there is shortened on the way. Source: wire reference section 5.3.
func messagesID(id string) string {
	if len(id) <= gateway.MaxClaudeToolID && !strings.HasPrefix(id, gateway.EscapedToolID) &&
		strings.IndexFunc(id, func(r rune) bool { return r != '-' && !plainOfID(r) }) < 0 {
		return id
	}
	var b strings.Builder
	b.WriteString(gateway.EscapedToolID)
	for i := range len(id) {
		c := id[i]
		if plainOfID(rune(c)) {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('-')
		if at := strings.IndexByte(shortFor, c); at >= 0 {
			b.WriteByte(shortBy[at])
		} else {
			b.WriteString(hex.EncodeToString([]byte{c}))
		}
	}
	return b.String()
}

// What stands in the ids of calls as they are made today is escaped by one letter, which
// is no digit of a byte in hex.
const (
	shortFor = ".:-/|"
	shortBy  = "pqmst"
)

func plainOfID(r rune) bool {
	return r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

// ownID is what messagesID was given. An id that it did not make stays as it is, and so
// does one made of what is no text: no provider takes that in its JSON.
func ownID(id string) string {
	rest, ok := strings.CutPrefix(id, gateway.EscapedToolID)
	if !ok {
		return id
	}
	var b strings.Builder
	for rest != "" {
		text, escaped, more := strings.Cut(rest, "-")
		b.WriteString(text)
		if !more {
			break
		}
		if escaped == "" {
			return id
		}
		if at := strings.IndexByte(shortBy, escaped[0]); at >= 0 {
			b.WriteByte(shortFor[at])
			rest = escaped[1:]
			continue
		}
		if len(escaped) < 2 {
			return id
		}
		c, err := hex.DecodeString(escaped[:2])
		if err != nil {
			return id
		}
		b.Write(c)
		rest = escaped[2:]
	}
	if own := b.String(); messagesID(own) == id && utf8.ValidString(own) {
		return own
	}
	return id
}
