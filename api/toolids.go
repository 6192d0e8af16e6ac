package api

import (
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// escapedID begins the id of a tool call that was escaped. It is made for clients of
// Anthropic's format alone.
const escapedID = "gw1_"

// messagesID is the id of a call as a client of Anthropic's format gets it. That format
// has letters, digits, _ and - in ids and refuses a conversation with any other, whoever
// made the call (Kimi's are functions.read_file:0): such an id is escaped, and ownID
// gives it back to whom it is from. Source: wire reference section 5.3.
func messagesID(id string) string {
	if !strings.HasPrefix(id, escapedID) && strings.IndexFunc(id, func(r rune) bool { return r != '-' && !plainOfID(r) }) < 0 {
		return id
	}
	var b strings.Builder
	b.WriteString(escapedID)
	for i := range len(id) {
		if c := id[i]; plainOfID(rune(c)) {
			b.WriteByte(c)
		} else {
			b.WriteByte('-')
			b.WriteString(hex.EncodeToString([]byte{c}))
		}
	}
	return b.String()
}

func plainOfID(r rune) bool {
	return r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

// ownID is what messagesID was given. An id that it did not make stays as it is, and so
// does one made of what is no text: no provider takes that in its JSON.
func ownID(id string) string {
	rest, ok := strings.CutPrefix(id, escapedID)
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
