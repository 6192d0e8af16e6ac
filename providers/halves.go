package providers

import (
	"strings"

	"github.com/tidwall/gjson"
)

// halves joins characters that a server cut in two. JSON may write one beyond the first
// 65,536 as two escapes; a server that cuts its text by UTF-16 units sends them in two
// events, and neither alone is a character. The zero value has no half.
type halves struct{ first string }

// text is that of a piece, in memory of its own: behind the half that waited for it, and
// without one at its end that has to wait.
func (h *halves) text(piece gjson.Result) string {
	if piece.Type != gjson.String || h.first == "" && !endsInHalf(piece.Raw) {
		return owned(piece)
	}
	body, rest := piece.Raw[1:len(piece.Raw)-1], ""
	if endsInHalf(piece.Raw) {
		body, rest = body[:len(body)-lenEscape], strings.Clone(body[len(body)-lenEscape:])
	} else if body == "" {
		return ""
	}
	if h.first, body = rest, h.first+body; body == "" {
		return ""
	}
	return gjson.Parse(`"` + body + `"`).Str
}

const lenEscape = len(`\ud83d`)

// endsInHalf says whether a JSON string ends in the escape of a first half.
func endsInHalf(raw string) bool {
	at := len(raw) - 1 - lenEscape
	if at < 1 || raw[at] != '\\' || raw[at+1] != 'u' || raw[at+2]|0x20 != 'd' {
		return false
	}
	if c := raw[at+3] | 0x20; c != '8' && c != '9' && c != 'a' && c != 'b' {
		return false
	}
	before := raw[:at]
	return (len(before)-len(strings.TrimRight(before, `\`)))%2 == 0
}
