package api

import (
	"bytes"
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

	open                        bool
	block                       gjson.Result
	text, thinking, sign, input []byte
	citations                   []byte
}

func (f *messageFold) add(raw []byte) {
	event := gjson.Parse(unsafe.String(unsafe.SliceData(raw), len(raw)))
	switch event.Get("type").Str {
	case "message_start":
		f.head = event.Get("message")
	case "content_block_start":
		f.open, f.block = true, event.Get("content_block")
		f.text, f.thinking, f.sign, f.input, f.citations = nil, nil, nil, nil, nil
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

func (f *messageFold) piece(delta gjson.Result) {
	switch delta.Get("type").Str {
	case "text_delta":
		f.text = append(f.text, delta.Get("text").Str...)
	case "thinking_delta":
		f.thinking = append(f.thinking, delta.Get("thinking").Str...)
	case "signature_delta":
		f.sign = append(f.sign, delta.Get("signature").Str...)
	case "input_json_delta":
		f.input = append(f.input, delta.Get("partial_json").Str...)
	case "citations_delta":
		if f.citations != nil {
			f.citations = append(f.citations, ',')
		}
		f.citations = append(f.citations, delta.Get("citation").Raw...)
	}
}

// close writes the block that has ended: as it began, with what its deltas added.
func (f *messageFold) close() {
	if !f.open {
		return
	}
	f.open = false
	grown := map[string][]byte{"text": f.text, "thinking": f.thinking, "signature": f.sign}
	b := []byte{'{'}
	f.block.ForEach(func(key, value gjson.Result) bool {
		raw := value.Raw
		switch more := grown[key.Str]; {
		case more != nil:
			raw = string(appendString(nil, value.Str+string(more)))
			delete(grown, key.Str)
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
	for _, name := range [...]string{"text", "thinking", "signature"} {
		if more := grown[name]; more != nil {
			b = appendMember(b, 0, name, string(appendString(nil, string(more))))
		}
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
