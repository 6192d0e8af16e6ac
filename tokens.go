package gateway

import (
	"unicode"
	"unicode/utf8"
)

// TokenCount estimates how many tokens a text comes to while it passes by, for answers
// whose provider reported nothing. It keeps no text, and the zero value is ready.
//
// It cuts the text where the pre-tokenizer of o200k (OpenAI's vocabulary) does, and
// counts for each piece the mean number of tokens of such pieces, measured over some
// 800 files of English, code and JSON. Within 5 % in sum on English and on code, as the
// test shows against the real vocabulary; another vendor's counts differ by a factor
// that is steady for a model, which the caller may learn.
type TokenCount struct {
	hundredths int64

	state  tokenState
	n      int // runes of the piece
	upper  int // its leading upper-case letters
	lower  bool
	prefix tokenPrefix
	wide   bool // it holds runes beyond ASCII
	mixed  bool // a run of punctuation that is not one sign repeated
	last   rune
	spaced bool // the run of punctuation has the space before it
	afterW bool // it began right after a word: 't and its like
	broken bool // a newline came: in a run of spaces, or after punctuation
	tail   int  // spaces after the last newline
}

type tokenState uint8

const (
	noPiece tokenState = iota
	inWord
	inDigits
	inMarks
	inSpace
)

type tokenPrefix uint8

const (
	bare     tokenPrefix = iota // the word follows a piece directly
	spaced                      // it has the space before it
	marked                      // it has the sign before it
	abridged                    // it follows an apostrophe that follows a word
)

// Add counts a piece of text; words may be split between calls.
func (c *TokenCount) Add(text string) {
	for _, r := range text {
		switch {
		case r < utf8.RuneSelf && ('a' <= r && r <= 'z'):
			c.letter(r, false)
		case r < utf8.RuneSelf && ('A' <= r && r <= 'Z'):
			c.letter(r, true)
		case r == '\n' || r == '\r':
			c.newline()
		case r == ' ' || r == '\t' || r >= utf8.RuneSelf && unicode.IsSpace(r):
			c.space(r)
		case '0' <= r && r <= '9' || r >= utf8.RuneSelf && unicode.IsNumber(r):
			c.digit()
		case r >= utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsMark(r)):
			c.letter(r, unicode.IsUpper(r))
		default:
			c.mark(r)
		}
	}
}

// Tokens is the estimate for what was added.
func (c *TokenCount) Tokens() int {
	whole := *c
	whole.end()
	return int((whole.hundredths + 50) / 100)
}

func (c *TokenCount) begin(s tokenState) {
	*c = TokenCount{hundredths: c.hundredths, state: s, n: 1}
}

func (c *TokenCount) letter(r rune, upper bool) {
	if c.state == inWord && !(upper && c.lower) {
		c.n++
	} else {
		prefix := c.beforeWord()
		c.begin(inWord)
		c.prefix = prefix
	}
	if upper {
		c.upper++
	} else {
		c.lower = true
	}
	c.wide = c.wide || r >= utf8.RuneSelf
}

// beforeWord ends the piece before a word; the last space, or a lone sign, belongs to
// the word.
func (c *TokenCount) beforeWord() tokenPrefix {
	switch {
	case c.state == inSpace && c.tail > 0:
		last := c.last
		c.tail--
		c.end()
		if last == ' ' {
			return spaced
		}
		return marked
	case c.state == inMarks && c.n == 1 && !c.spaced && !c.broken:
		if c.last == '\'' && c.afterW {
			return abridged
		}
		return marked
	}
	c.end()
	return bare
}

func (c *TokenCount) digit() {
	if c.state == inDigits && c.n < 3 {
		c.n++
		return
	}
	c.end()
	c.begin(inDigits)
}

func (c *TokenCount) mark(r rune) {
	if c.state == inMarks && !c.broken {
		c.n++
		c.mixed = c.mixed || r != c.last
	} else {
		afterWord := c.state == inWord
		taken := c.state == inSpace && c.tail > 0 && c.last == ' '
		if taken {
			c.tail--
		}
		c.end()
		c.begin(inMarks)
		c.spaced, c.afterW = taken, afterWord
	}
	c.last = r
	c.wide = c.wide || r >= utf8.RuneSelf
}

func (c *TokenCount) newline() {
	if c.state == inMarks { // it belongs to the signs before it
		c.broken = true
		return
	}
	if c.state != inSpace {
		c.end()
		c.begin(inSpace)
	}
	c.broken, c.tail = true, 0
}

func (c *TokenCount) space(r rune) {
	if c.state != inSpace {
		c.end()
		c.begin(inSpace)
	}
	c.tail++
	c.last = r
}

// Mean tokens, in hundredths, of words by their length; beyond the table each further
// letter adds the last number.
var (
	plainWord = [...]int64{100, 100, 101, 103, 106, 108, 112, 117, 127, 141, 145, 150, 30}
	signWord  = [...]int64{104, 114, 122, 119, 131, 130, 148, 166, 187, 182, 227, 252, 30}
	upperWord = [...]int64{100, 101, 118, 127, 172, 160, 186, 238, 270, 308, 35}
	shoutWord = [...]int64{108, 142, 150, 175, 230, 243, 275, 340, 390, 450, 50}
	markRun   = [...]int64{100, 101, 117, 172, 212, 268, 45}
)

func byLength(table []int64, n int) int64 {
	known := len(table) - 1
	if n <= known {
		return table[n-1]
	}
	return table[known-1] + table[known]*int64(n-known)
}

// end counts the piece that ends here.
func (c *TokenCount) end() {
	switch c.state {
	case inWord:
		c.hundredths += c.word()
	case inDigits:
		c.hundredths += 100
	case inMarks:
		switch {
		case c.wide:
			c.hundredths += 105 + 85*int64(c.n-1)
		case !c.mixed && c.n > 3: // a ruled line
			c.hundredths += 100 + 2*int64(c.n)
		default:
			c.hundredths += byLength(markRun[:], c.n)
		}
	case inSpace:
		if c.broken {
			c.hundredths += 100
		}
		if c.tail > 0 {
			c.hundredths += 100
		}
	}
	c.state = noPiece
}

func (c *TokenCount) word() int64 {
	switch {
	case c.prefix == abridged && c.n <= 2:
		return 0
	case c.wide:
		return 165 + 70*int64(c.n-1)
	case c.upper > 1 || c.upper == 1 && c.n == 1:
		if c.prefix == spaced {
			return byLength(upperWord[:], c.n)
		}
		return byLength(shoutWord[:], c.n)
	case c.prefix == marked || c.prefix == abridged:
		return byLength(signWord[:], c.n)
	}
	return byLength(plainWord[:], c.n)
}
