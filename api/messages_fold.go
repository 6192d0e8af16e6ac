package api

import (
	"bytes"
	"slices"
	"unsafe"

	"github.com/tidwall/gjson"

	"gateway"
)

// foldMessage puts a message together from its events, as the official clients do: the
// blocks into the message's content, what message_delta says over what message_start
// said. Fields that are not known here go through. False if the events are no message.
func foldMessage(b []byte, events []gateway.Chunk) ([]byte, bool) {
	f := &messageFold{}
	for i := range events {
		f.add(events[i].Raw)
	}
	if !f.head.IsObject() || f.open {
		return b, false
	}
	first := len(b)
	b = append(b, '{')
	f.head.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "content":
			b = appendMember(b, first, key.Str, "["+string(bytes.Join(f.blocks, []byte(",")))+"]")
		case "usage":
			b = appendMember(b, first, key.Str, overlay(value, f.usage))
		default:
			if _, replaced := f.delta[key.Str]; !replaced {
				b = appendMember(b, first, key.Str, value.Raw)
			}
		}
		return true
	})
	for _, name := range f.order {
		b = appendMember(b, first, name, f.delta[name])
	}
	return append(b, '}'), true
}

// messageFold holds pieces of the events, whose bytes stay as they are meanwhile.
type messageFold struct {
	head   gjson.Result
	blocks [][]byte
	delta  map[string]string
	order  []string
	usage  gjson.Result

	open      bool
	block     gjson.Result
	grown     []grownField // of the open block, in order of arrival
	input     []byte
	citations []byte
}

// grownField is what the deltas of a block add to one of its fields.
type grownField struct {
	name string
	text []byte // of strings, which are joined
	last string // JSON of anything else, of which the last word counts
}

func (f *messageFold) add(raw []byte) {
	event := gjson.Parse(unsafe.String(unsafe.SliceData(raw), len(raw)))
	switch event.Get("type").Str {
	case "message_start":
		f.head = event.Get("message")
	case "content_block_start":
		f.open, f.block = true, event.Get("content_block")
		f.grown, f.input, f.citations = nil, nil, nil
	case "content_block_delta":
		f.piece(event.Get("delta"))
	case "content_block_stop":
		f.close()
	case "message_delta":
		event.ForEach(func(key, value gjson.Result) bool {
			switch key.Str {
			case "type":
			case "usage":
				f.usage = value
			case "delta":
				value.ForEach(func(name, v gjson.Result) bool {
					f.set(name.Str, v.Raw)
					return true
				})
			default:
				f.set(key.Str, value.Raw)
			}
			return true
		})
	}
}

func (f *messageFold) set(name, value string) {
	if f.delta == nil {
		f.delta = map[string]string{}
	}
	if _, has := f.delta[name]; !has {
		f.order = append(f.order, name)
	}
	f.delta[name] = value
}

// piece takes a delta. Its fields belong to those of the block with the same names, but
// for two that the format names otherwise.
func (f *messageFold) piece(delta gjson.Result) {
	kind := delta.Get("type").Str
	delta.ForEach(func(key, value gjson.Result) bool {
		switch {
		case key.Str == "type":
		case kind == "input_json_delta" && key.Str == "partial_json":
			f.input = append(f.input, value.Str...)
		case kind == "citations_delta" && key.Str == "citation":
			if f.citations != nil {
				f.citations = append(f.citations, ',')
			}
			f.citations = append(f.citations, value.Raw...)
		case value.Type != gjson.Null:
			f.grow(key.Str, value)
		}
		return true
	})
}

func (f *messageFold) grow(name string, value gjson.Result) {
	at := slices.IndexFunc(f.grown, func(g grownField) bool { return g.name == name })
	if at < 0 {
		at = len(f.grown)
		f.grown = append(f.grown, grownField{name: name})
	}
	if g := &f.grown[at]; value.Type == gjson.String {
		g.text, g.last = append(g.text, value.Str...), ""
	} else {
		g.text, g.last = nil, value.Raw
	}
}

// raw is the field as JSON, after what the block began with.
func (g *grownField) raw(began gjson.Result) string {
	if g.last != "" {
		return g.last
	}
	return string(appendString(nil, began.Str+string(g.text)))
}

// close writes the block that has ended: as it began, with what its deltas added.
func (f *messageFold) close() {
	if !f.open {
		return
	}
	f.open = false
	grown := f.grown
	b := []byte{'{'}
	f.block.ForEach(func(key, value gjson.Result) bool {
		raw := value.Raw
		at := slices.IndexFunc(grown, func(g grownField) bool { return g.name == key.Str })
		switch {
		case at >= 0:
			raw = grown[at].raw(value)
			grown = slices.Delete(grown, at, at+1)
		case key.Str == "input" && f.input != nil:
			if raw = string(f.input); !gjson.ValidBytes(f.input) {
				raw = messageInput(raw)
			}
		case key.Str == "citations" && f.citations != nil:
			raw = "[" + string(f.citations) + "]"
			f.citations = nil
		}
		b = appendMember(b, 0, key.Str, raw)
		return true
	})
	for i := range grown {
		b = appendMember(b, 0, grown[i].name, grown[i].raw(gjson.Result{}))
	}
	if f.citations != nil {
		b = appendMember(b, 0, "citations", "["+string(f.citations)+"]")
	}
	f.blocks = append(f.blocks, append(b, '}'))
}

// overlay is an object with the members of a later one over its own.
func overlay(base, later gjson.Result) string {
	if !later.IsObject() {
		return base.Raw
	}
	fresh := map[string]string{}
	later.ForEach(func(key, value gjson.Result) bool {
		if value.Type != gjson.Null {
			fresh[key.Str] = value.Raw
		}
		return true
	})
	b := []byte{'{'}
	base.ForEach(func(key, value gjson.Result) bool {
		raw, has := fresh[key.Str]
		if !has {
			raw = value.Raw
		}
		delete(fresh, key.Str)
		b = appendMember(b, 0, key.Str, raw)
		return true
	})
	later.ForEach(func(key, _ gjson.Result) bool {
		if raw, has := fresh[key.Str]; has {
			b = appendMember(b, 0, key.Str, raw)
		}
		return true
	})
	return string(append(b, '}'))
}

// appendMember adds a member to the object that begins at b[first].
func appendMember(b []byte, first int, name, value string) []byte {
	if len(b) > first+1 {
		b = append(b, ',')
	}
	b = appendString(b, name)
	b = append(b, ':')
	return append(b, value...)
}
