package gateway

import (
	"bytes"
	"encoding/json"
	"strings"
)

// mergeMedia makes one object of those that a message came in. Of an object among its
// members the data and the transcript come in pieces, of a list the elements; of anything
// else the last word counts.
func mergeMedia(pieces [][]byte) json.RawMessage {
	switch len(pieces) {
	case 0:
		return nil
	case 1:
		return pieces[0]
	}
	whole := map[string]*medium{}
	for _, p := range pieces {
		var members map[string]json.RawMessage
		if json.Unmarshal(p, &members) != nil {
			continue
		}
		for name, value := range members {
			if whole[name] == nil {
				whole[name] = &medium{}
			}
			whole[name].add(value)
		}
	}
	out, err := json.Marshal(whole)
	if err != nil {
		return pieces[len(pieces)-1]
	}
	return out
}

// medium is a member that is being put together.
type medium struct {
	last   json.RawMessage
	list   []json.RawMessage
	fields map[string]json.RawMessage
	grown  map[string]*strings.Builder
}

func (m *medium) add(value json.RawMessage) {
	m.last = value
	switch bytes.TrimSpace(value)[0] {
	case '[':
		var list []json.RawMessage
		if json.Unmarshal(value, &list) == nil {
			m.list = append(m.list, list...)
		}
	case '{':
		var fields map[string]json.RawMessage
		if json.Unmarshal(value, &fields) != nil {
			return
		}
		for name, field := range fields {
			m.field(name, field)
		}
	}
}

func (m *medium) field(name string, value json.RawMessage) {
	if m.fields == nil {
		m.fields, m.grown = map[string]json.RawMessage{}, map[string]*strings.Builder{}
	}
	var text string
	if grows := name == "data" || name == "transcript"; !grows || json.Unmarshal(value, &text) != nil {
		m.fields[name] = value
		return
	}
	if m.grown[name] == nil {
		m.grown[name] = &strings.Builder{}
	}
	m.grown[name].WriteString(text)
}

// MarshalJSON implements json.Marshaler.
func (m *medium) MarshalJSON() ([]byte, error) {
	switch {
	case m.list != nil:
		return json.Marshal(m.list)
	case m.fields == nil:
		return m.last, nil
	}
	for name, text := range m.grown {
		whole, err := json.Marshal(text.String())
		if err != nil {
			return nil, err
		}
		m.fields[name] = whole
	}
	return json.Marshal(m.fields)
}
