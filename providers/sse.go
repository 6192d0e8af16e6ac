package providers

import (
	"bytes"
	"errors"
	"io"
)

// maxEvent is the most bytes one event or line may have, so that a provider cannot fill
// our memory. Images, and the calls that Gemini and Ollama send whole, take more than a
// megabyte. Source: wire reference section 11.1.
const maxEvent = 8 << 20

var errEventTooLarge = errors.New("event is larger than 8 MiB")

// sseEvent is one server-sent event. Data is valid until the next call of Next.
type sseEvent struct {
	Name string
	Data []byte
}

// sseReader reads server-sent events. Events without data and comments are skipped;
// how the bytes are cut by the network makes no difference.
type sseReader struct {
	lines byteLines
	data  []byte
	first bool
}

func newSSEReader(r io.Reader) *sseReader {
	return &sseReader{lines: byteLines{r: r}, first: true}
}

// Next returns the next event with data. It returns io.EOF at the end of input; an
// event that no blank line ended is dropped, as it may be half of one.
func (s *sseReader) Next() (sseEvent, error) {
	s.data = s.data[:0]
	var event sseEvent
	lines := 0
	for {
		line, whole, err := s.lines.next()
		if err != nil {
			return sseEvent{}, err
		}
		if !whole {
			return sseEvent{}, io.EOF
		}
		if s.first {
			s.first = false
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		if len(line) == 0 {
			if len(s.data) > 0 {
				event.Data = s.data
				return event, nil
			}
			event, lines = sseEvent{}, 0
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "data":
			if lines > 0 {
				s.data = append(s.data, '\n')
			}
			lines++
			if len(s.data)+len(value) > maxEvent {
				return sseEvent{}, errEventTooLarge
			}
			s.data = append(s.data, value...)
		case "event":
			event.Name = eventName(value)
		}
	}
}

// eventNames are those that arrive with each event of some kind of provider, so that they
// cost no memory. Only register adds to it.
var eventNames = map[string]string{}

func eventName(name []byte) string {
	if known, ok := eventNames[string(name)]; ok {
		return known
	}
	return string(name)
}

// ready says whether a whole event with data is at hand, so that Next need not read.
func (s *sseReader) ready() bool {
	window := s.lines.buf[s.lines.start:s.lines.end]
	end := bytes.Index(window, []byte("\n\n"))
	if end < 0 {
		end = bytes.Index(window, []byte("\n\r\n"))
	}
	return end > 0 && bytes.Contains(window[:end], []byte("data:"))
}
