package providers

import (
	"slices"
	"unsafe"

	"gateway"
)

// geminiAlike remembers an event whose only new things were a text and the counts of
// usage. It is what alike is to the OpenAI formats, but that Gemini's events count the
// tokens so far: an event that differs from the last in its text and these numbers, and
// whose text needs no unescaping, says what the last one said with others in their place.
type geminiAlike struct {
	event    []byte      // the event learned; empty: none is known
	gaps     []geminiGap // in it, in their order
	thought  bool        // the text is reasoning
	reported bool        // it told the usage
	counts   geminiCounts

	// As they stand in the event being read; valid during decode.
	text  string
	found [len(geminiCountNames)]string
}

// geminiGap is where an event may differ from the one learned: a text without its quotes,
// or a count.
type geminiGap struct {
	from, to int
	count    int // index of geminiCounts; textGap for the text
}

const (
	textGap      = -1
	longestAlike = 4 << 10 // bytes of an event worth keeping; usual ones have some hundreds
)

// learn notes the event just read, if it gave one chunk with nothing but a text and usage.
func (a *geminiAlike) learn(data []byte, c *gateway.Chunk) {
	bare := *c
	bare.Usage = nil
	if len(data) > longestAlike || len(a.text) < 3 || c.Text+c.Reasoning != a.text[1:len(a.text)-1] || !onlyText(&bare) {
		return
	}
	from, ok := placeOf(data, a.text)
	if !ok {
		return
	}
	a.event = a.event[:0] // nothing is known until all of it is
	a.gaps = append(a.gaps[:0], geminiGap{from + 1, from + len(a.text) - 1, textGap})
	for i, count := range a.found {
		a.counts[i] = 0
		if count == "" {
			continue
		}
		from, there := placeOf(data, count)
		n, value, ok := digits([]byte(count))
		if !there || !ok || n < len(count) {
			return
		}
		a.counts[i] = value
		a.gaps = append(a.gaps, geminiGap{from, from + n, i})
	}
	slices.SortFunc(a.gaps, func(x, y geminiGap) int { return x.from - y.from })
	a.event = append(a.event, data...)
	a.thought, a.reported = c.Reasoning != "", c.Usage != nil
}

// read finds the text and the counts of an event that is like the one learned; false if
// it is not.
func (a *geminiAlike) read(data []byte) (string, geminiCounts, bool) {
	if len(a.event) == 0 {
		return "", a.counts, false
	}
	counts := a.counts
	var text []byte
	known := 0 // of the bytes learned
	for _, gap := range a.gaps {
		same := gap.from - known
		if len(data) < same || string(data[:same]) != string(a.event[known:gap.from]) {
			return "", counts, false
		}
		data, known = data[same:], gap.to
		if gap.count == textGap {
			text = data[:plain(data)]
			data = data[len(text):]
			continue
		}
		n, count, ok := digits(data)
		if !ok {
			return "", counts, false
		}
		data, counts[gap.count] = data[n:], count
	}
	if string(data) != string(a.event[known:]) {
		return "", counts, false
	}
	return string(text), counts, true
}

// plain counts the bytes that stand for themselves in a JSON string.
func plain(data []byte) int {
	for i, c := range data {
		if c < ' ' || c == '"' || c == '\\' {
			return i
		}
	}
	return len(data)
}

// digits reads the whole number that data begins with. It is not ok if JSON writes it in
// another way, or if it is too long to be a count.
func digits(data []byte) (n, value int, ok bool) {
	for n < len(data) && '0' <= data[n] && data[n] <= '9' {
		if n == 15 { // as many as a float64 holds, which the scanner goes by
			return 0, 0, false
		}
		value = 10*value + int(data[n]-'0')
		n++
	}
	if n == 0 || n > 1 && data[0] == '0' {
		return 0, 0, false
	}
	return n, value, true
}

// placeOf gives where raw, which the scanner found in data, stands in it.
func placeOf(data []byte, raw string) (int, bool) {
	at := int(uintptr(unsafe.Pointer(unsafe.StringData(raw))) - uintptr(unsafe.Pointer(unsafe.SliceData(data))))
	if at < 0 || at+len(raw) > len(data) || string(data[at:at+len(raw)]) != raw {
		return 0, false
	}
	return at, true
}

// likeTheLast reads an event that differs from an earlier one in its text and counts only.
func (s *geminiStream) likeTheLast(data []byte) bool {
	text, counts, ok := s.alike.read(data)
	if !ok {
		return false
	}
	s.queue = append(s.queue, gateway.Chunk{})
	c := &s.queue[len(s.queue)-1]
	if s.alike.reported {
		s.reports(c, counts)
	}
	if s.alike.thought {
		c.Reasoning = text
	} else {
		c.Text = text
		s.text = append(s.text, text...)
	}
	return true
}
