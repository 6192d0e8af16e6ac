package grammar

import (
	"fmt"
	"strings"
)

// Event is one server-sent event.
type Event struct {
	Name string // of the event: line; "" if there was none
	Data string
}

// Events takes a stream apart. Comments are left out; a stream that ends inside an
// event is an error, as is a line that is no field.
func Events(stream string) ([]Event, error) {
	var out []Event
	var now Event
	data := 0
	lines := strings.Split(stream, "\n")
	if lines[len(lines)-1] != "" {
		return nil, fmt.Errorf("the last line has no end")
	}
	for n, line := range lines[:len(lines)-1] { // behind the last end of line there is none
		line = strings.TrimSuffix(line, "\r")
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "":
			if data > 0 {
				out = append(out, now)
			} else if now.Name != "" {
				return out, fmt.Errorf("line %d: event %q has no data", n+1, now.Name)
			}
			now, data = Event{}, 0
		case field == "": // a comment
		case field == "event":
			now.Name = value
		case field == "data":
			if data++; data > 1 {
				now.Data += "\n"
			}
			now.Data += value
		default:
			return out, fmt.Errorf("line %d: no field of an event: %q", n+1, line)
		}
	}
	if data > 0 || now.Name != "" {
		return out, fmt.Errorf("the stream ends inside an event")
	}
	return out, nil
}
