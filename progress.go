package gateway

// Progress follows a call's arguments while they come in pieces, and tells when they are
// whole. It looks at every byte once: to parse all there is with every piece would cost
// the square of their length. Arguments that are no object or array are never told whole
// and end with the answer. The zero Progress is ready.
type Progress struct {
	depth   int
	begun   bool
	text    bool // inside a string
	escaped bool
	broken  bool // whatever follows, it is no JSON
}

// Add takes the next piece.
func (p *Progress) Add(piece string) {
	for i := 0; i < len(piece) && !p.broken; i++ {
		c := piece[i]
		switch {
		case p.escaped:
			p.escaped = false
		case p.text:
			p.text, p.escaped = c != '"', c == '\\'
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
		case p.depth == 0:
			p.broken = p.begun || c != '{' && c != '['
			p.begun, p.depth = true, 1
		case c == '"':
			p.text = true
		case c == '{' || c == '[':
			p.depth++
		case c == '}' || c == ']':
			p.depth--
		}
	}
}

// Whole says whether the pieces are a JSON value. valid reads them all, and is asked once
// at most: of arguments whose brackets close, and never again if they are no JSON.
func (p *Progress) Whole(valid func() bool) bool {
	if p.broken || !p.begun || p.depth > 0 {
		return false
	}
	p.broken = !valid()
	return !p.broken
}
