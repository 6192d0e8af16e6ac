package providers

import (
	"bytes"
	"io"
	"sync"
)

// byteLines cuts a reader into lines that end in LF, CR or CRLF.
type byteLines struct {
	r          io.Reader
	buf        []byte
	start, end int
	scanned    int  // bytes after start known to hold no line end
	skipLF     bool // the last line ended in CR; an LF right after belongs to it
	err        error
	empty      int // reads in a row that gave nothing
}

const firstBuffer = 2 << 10

// buffers are those that wait for a stream that has something to read.
var buffers = sync.Pool{New: func() any { return new([firstBuffer]byte) }}

// wait waits until the reader has something, if that can be told, and lends out its
// buffer for so long. What the last call of next returned is lost.
func (b *byteLines) wait() {
	w, ok := b.r.(interface{ wait() })
	if !ok || b.start < b.end || b.err != nil {
		return
	}
	b.lend()
	w.wait()
}

func (b *byteLines) lend() {
	if len(b.buf) == firstBuffer {
		buffers.Put((*[firstBuffer]byte)(b.buf))
		b.buf, b.start, b.end, b.scanned = nil, 0, 0, 0
	}
}

// next returns the next line without its end, valid until the next call. whole is
// false for bytes at the end of input that no line end followed.
func (b *byteLines) next() (line []byte, whole bool, err error) {
	for {
		if b.skipLF && b.start < b.end {
			if b.buf[b.start] == '\n' {
				b.start++
			}
			b.skipLF = false
		}
		window := b.buf[b.start:b.end]
		if i := indexLineEnd(window[b.scanned:]); i >= 0 {
			i += b.scanned
			b.scanned = 0
			b.start += i + 1
			b.skipLF = window[i] == '\r'
			return window[:i], true, nil
		}
		b.scanned = len(window)
		if len(window) > maxEvent {
			return nil, false, errEventTooLarge
		}
		if b.err != nil {
			b.start, b.scanned = b.end, 0
			if b.err == io.EOF && len(window) > 0 {
				return window, false, nil
			}
			return nil, false, b.err
		}
		b.fill()
	}
}

func (b *byteLines) fill() {
	if b.start > 0 {
		copy(b.buf, b.buf[b.start:b.end])
		b.end -= b.start
		b.start = 0
	}
	if b.end == len(b.buf) {
		b.grow()
	}
	n, err := b.r.Read(b.buf[b.end:])
	b.end += n
	b.err = err
	if n > 0 || err != nil {
		b.empty = 0
	} else if b.empty++; b.empty > 100 {
		b.err = io.ErrNoProgress
	}
}

func (b *byteLines) grow() {
	if b.buf == nil {
		b.buf = buffers.Get().(*[firstBuffer]byte)[:]
		return
	}
	bigger := make([]byte, 2*len(b.buf))
	copy(bigger, b.buf[:b.end])
	b.buf = bigger
}

// indexLineEnd finds the first LF or CR. Provider lines hardly ever hold a CR other
// than before the LF, so two vectorised searches beat one by byte.
func indexLineEnd(p []byte) int {
	lf := bytes.IndexByte(p, '\n')
	if lf >= 0 {
		p = p[:lf]
	}
	if cr := bytes.IndexByte(p, '\r'); cr >= 0 {
		return cr
	}
	return lf
}

// lineReader reads newline-delimited JSON. Blank lines are skipped.
type lineReader struct{ lines byteLines }

func newLineReader(r io.Reader) *lineReader { return &lineReader{byteLines{r: r}} }

// ready says whether a whole line is at hand, so that Next need not read.
func (l *lineReader) ready() bool {
	return bytes.IndexByte(l.lines.buf[l.lines.start:l.lines.end], '\n') > 0
}

// Next returns the next line that is not blank, valid until the next call; io.EOF at
// the end. A last line without a line end counts: some servers leave it off.
func (l *lineReader) Next() ([]byte, error) {
	for {
		line, _, err := l.lines.next()
		if err != nil {
			return nil, err
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return line, nil
		}
	}
}
