package providers

import (
	"slices"
	"unsafe"
)

// objectWriter writes one JSON object from names and JSON texts. A large value is copied
// once: a prompt goes through one for each level of the body it is in.
type objectWriter struct{ out []byte }

// afterLarge is room for what follows a large value, so that it is not moved for that.
const afterLarge = 1 << 10

func (w *objectWriter) put(name, value string) {
	if len(value) >= spliceLeast {
		w.out = slices.Grow(w.out, len(name)+len(value)+afterLarge)
	}
	if len(w.out) == 0 {
		w.out = append(w.out, '{')
	} else {
		w.out = append(w.out, ',')
	}
	w.out = append(append(append(w.out, quoted(name)...), ':'), value...)
}

// done is the object. The writer is empty then, and may not write into it any more.
func (w *objectWriter) done() string { return inPlace(w.bytes()) }

// bytes is done for who sends it.
func (w *objectWriter) bytes() []byte {
	if len(w.out) == 0 {
		return []byte("{}")
	}
	out := append(w.out, '}')
	w.out = nil
	return out
}

// array is a JSON array of JSON texts.
func array(items []string) string {
	size := 2
	for _, item := range items {
		size += len(item) + 1
	}
	out := append(make([]byte, 0, size), '[')
	for i, item := range items {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, item...)
	}
	return inPlace(append(out, ']'))
}

// inPlace is a text of bytes that nobody else has.
func inPlace(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
