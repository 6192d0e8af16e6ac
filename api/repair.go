package api

import (
	"strings"

	"github.com/tidwall/gjson"
)

// repaired mends tool arguments that are not valid JSON in the two ways that models
// get them wrong and no meaning is guessed: code fences around them, and commas
// before a closing bracket. Anything else is passed as it is.
func repaired(arguments string) string {
	if arguments == "" || gjson.Valid(arguments) {
		return arguments
	}
	mended := withoutTrailingCommas(unfenced(arguments))
	if gjson.Valid(mended) {
		return mended
	}
	return arguments
}

// unfenced strips a markdown code fence that encloses the whole text.
func unfenced(s string) string {
	t := strings.TrimSpace(s)
	rest, ok := strings.CutPrefix(t, "```")
	if !ok {
		return t
	}
	if i := strings.IndexByte(rest, '\n'); i >= 0 {
		rest = rest[i+1:] // the language stands on the first line
	} else {
		rest = strings.TrimPrefix(rest, "json")
	}
	return strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "```"))
}

func withoutTrailingCommas(s string) string {
	var b strings.Builder
	inString := false
	for i := 0; i < len(s); i++ {
		switch ch := s[i]; {
		case inString && ch == '\\' && i+1 < len(s):
			b.WriteByte(ch)
			i++
		case ch == '"':
			inString = !inString
		case ch == ',' && !inString:
			next := strings.TrimLeft(s[i+1:], " \t\r\n")
			if next != "" && (next[0] == '}' || next[0] == ']') {
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
