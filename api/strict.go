package api

import (
	"encoding/binary"
	"math/bits"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/tidwall/gjson"
)

// strict is a quick reader of JSON that only ever says yes: what it takes is a valid
// object in which no name stands twice, at any depth. What it does not take may be valid
// all the same, and is read once more by the careful reader, whose word counts and who
// knows what is wrong. It reads eight bytes of a string at a time.
type strict struct {
	raw   []byte
	at    int
	names []span // of the objects that are open, the innermost last
}

type span struct{ from, to int }

const (
	strictDepth = mostDepth - 1 // deeper ones are for the careful reader
	strictNames = 32            // as are objects with more names, which it finds twice faster
)

// quickly appends an object's top-level fields; false if the careful reader must.
func quickly(out []property, raw []byte) ([]property, bool) {
	s := strict{raw: raw, names: make([]span, 0, 32)}
	s.space()
	if s.at >= len(raw) || raw[s.at] != '{' {
		return nil, false
	}
	// The bytes of a request do not change, so strings may look at them in place.
	text := unsafe.String(unsafe.SliceData(raw), len(raw))
	ok := s.object(0, func(name, value span) bool {
		m := property{name: text[name.from:name.to], value: gjson.Parse(text[value.from:value.to])}
		for i := range out {
			if strings.EqualFold(out[i].name, m.name) {
				return false
			}
		}
		out = append(out, m)
		return true
	})
	s.space()
	return out, ok && s.at == len(raw)
}

func (s *strict) space() {
	for s.at < len(s.raw) && (s.raw[s.at] == ' ' || s.raw[s.at] == '\n' || s.raw[s.at] == '\r' || s.raw[s.at] == '\t') {
		s.at++
	}
}

// next passes space and gives the byte after it, 0 at the end.
func (s *strict) next() byte {
	s.space()
	if s.at >= len(s.raw) {
		return 0
	}
	return s.raw[s.at]
}

func (s *strict) value(depth int) bool {
	if depth > strictDepth {
		return false
	}
	switch c := s.next(); c {
	case '"':
		_, ok := s.text()
		return ok
	case '{':
		return s.object(depth, nil)
	case '[':
		return s.array(depth)
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	default:
		return s.number()
	}
}

func (s *strict) word(w string) bool {
	if len(s.raw)-s.at < len(w) || string(s.raw[s.at:s.at+len(w)]) != w {
		return false
	}
	s.at += len(w)
	return true
}

func (s *strict) array(depth int) bool {
	s.at++
	if s.next() == ']' {
		s.at++
		return true
	}
	for {
		if !s.value(depth + 1) {
			return false
		}
		switch s.next() {
		case ',':
			s.at++
		case ']':
			s.at++
			return true
		default:
			return false
		}
	}
}

// object reads an object and tells each of its members, if told is set.
func (s *strict) object(depth int, told func(name, value span) bool) bool {
	first := len(s.names)
	s.at++
	if s.next() == '}' {
		s.at++
		return true
	}
	for {
		if s.next() != '"' {
			return false
		}
		name, ok := s.name(first)
		if !ok || s.next() != ':' {
			return false
		}
		s.at++
		s.space()
		from := s.at
		if !s.value(depth+1) || told != nil && !told(name, span{from, s.at}) {
			return false
		}
		switch s.next() {
		case ',':
			s.at++
		case '}':
			s.at++
			s.names = s.names[:first]
			return true
		default:
			return false
		}
	}
}

// name reads a name that is new to the object whose names begin at first. One with an
// escape might be another's twin in other letters: that is for the careful reader.
func (s *strict) name(first int) (span, bool) {
	from := s.at + 1
	escaped, ok := s.text()
	name := span{from, s.at - 1}
	if !ok || escaped || len(s.names)-first >= strictNames {
		return name, false
	}
	for _, n := range s.names[first:] {
		if n.to-n.from == name.to-name.from && string(s.raw[n.from:n.to]) == string(s.raw[name.from:name.to]) {
			return name, false
		}
	}
	s.names = append(s.names, name)
	return name, true
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// text reads a string and says whether it has escapes.
func (s *strict) text() (escaped, ok bool) {
	s.at++
	for {
		// The first byte that is a quote, a backslash, a control or beyond ASCII. A
		// borrow may mark a plain byte too, but only after one that is marked rightly.
		for len(s.raw)-s.at >= 8 {
			w := binary.LittleEndian.Uint64(s.raw[s.at:])
			quote, slash := w^(ones*'"'), w^(ones*'\\')
			hit := ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*0x20)&^w | w) & highs
			if hit != 0 {
				s.at += bits.TrailingZeros64(hit) / 8
				break
			}
			s.at += 8
		}
		if s.at >= len(s.raw) {
			return escaped, false
		}
		switch c := s.raw[s.at]; {
		case c == '"':
			s.at++
			return escaped, true
		case c == '\\':
			escaped = true
			if !s.escape() {
				return escaped, false
			}
		case c < 0x20:
			return escaped, false
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRune(s.raw[s.at:])
			if r == utf8.RuneError && n == 1 {
				return escaped, false
			}
			s.at += n
		default:
			s.at++
		}
	}
}

func (s *strict) escape() bool {
	if len(s.raw)-s.at < 2 {
		return false
	}
	switch s.raw[s.at+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.at += 2
		return true
	case 'u':
		if len(s.raw)-s.at < 6 {
			return false
		}
		code := rune(0)
		for _, c := range s.raw[s.at+2 : s.at+6] {
			switch {
			case '0' <= c && c <= '9':
				code = code<<4 | rune(c-'0')
			case 'a' <= c|0x20 && c|0x20 <= 'f':
				code = code<<4 | rune(c|0x20-'a'+10)
			default:
				return false
			}
		}
		s.at += 6
		return code < 0xD800 || code > 0xDFFF // halves of a pair are for the careful reader
	}
	return false
}

func (s *strict) number() bool {
	if s.at < len(s.raw) && s.raw[s.at] == '-' {
		s.at++
	}
	if s.at < len(s.raw) && s.raw[s.at] == '0' {
		s.at++
	} else if !s.digits() {
		return false
	}
	if s.at < len(s.raw) && s.raw[s.at] == '.' {
		s.at++
		if !s.digits() {
			return false
		}
	}
	if s.at < len(s.raw) && s.raw[s.at]|0x20 == 'e' {
		s.at++
		if s.at < len(s.raw) && (s.raw[s.at] == '+' || s.raw[s.at] == '-') {
			s.at++
		}
		return s.digits()
	}
	return true
}

func (s *strict) digits() bool {
	from := s.at
	for s.at < len(s.raw) && '0' <= s.raw[s.at] && s.raw[s.at] <= '9' {
		s.at++
	}
	return s.at > from
}
