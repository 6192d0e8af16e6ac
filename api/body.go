package api

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/tidwall/gjson"

	"gateway"
)

// readBody reads the whole body, bounded. It must be read before anything waits: a
// client that leaves goes unnoticed while its body is unread.
func (s *Server) readBody(c *gin.Context) ([]byte, *gateway.Error) {
	if c.Request.ContentLength > s.cfg.BodyLimit {
		return nil, gateway.Errorf(gateway.TooLarge, "The body is larger than %d bytes.", s.cfg.BodyLimit)
	}
	body := io.Reader(c.Request.Body)
	if c.Request.ContentLength < 0 { // else it ends where it says
		body = http.MaxBytesReader(c.Writer, c.Request.Body, s.cfg.BodyLimit)
	}
	raw, err := readAll(body, c.Request.ContentLength, &event(c).hold)
	if err != nil {
		return nil, s.unread(c, err)
	}
	event(c).sent = raw
	return raw, nil
}

// unread is why a body could not be read.
func (s *Server) unread(c *gin.Context, err error) *gateway.Error {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, errNoRoom):
		s.refusals.note(s, &s.refusals.memory)
		return noRoom()
	case errors.As(err, &tooLarge):
		return gateway.Errorf(gateway.TooLarge, "The body is larger than %d bytes.", s.cfg.BodyLimit)
	case contextOf(c).Err() != nil:
		return gateway.Errorf(gateway.Canceled, "the client left")
	}
	return gateway.Errorf(gateway.Invalid, "The body could not be read.")
}

var errNoRoom = errors.New("no room for the body")

// readAll reads a body of a known size, or of an unknown one if size is below 0. What
// is known was weighed before; of the unknown each part is weighed before there is
// memory for it.
func readAll(r io.Reader, size int64, h *hold) ([]byte, error) {
	known := size >= 0
	if !known {
		size = firstPart
		if !h.grow(bodyWeight * size) {
			return nil, errNoRoom
		}
	}
	buf := make([]byte, 0, size+1) // one more, so that the end is seen without growing
	for {
		if len(buf) == cap(buf) {
			more := int64(cap(buf))
			if !h.grow(bodyWeight * more) {
				return nil, errNoRoom
			}
			buf = append(make([]byte, 0, 2*more), buf...)
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// firstPart is how much of a body without a length is taken at first.
const firstPart = 8 << 10

// object is a strictly valid JSON object: no duplicate or case-variant names at its
// top, no invalid UTF-8, nothing after it.
type object struct {
	raw    []byte
	fields []property
}

// property is one field of an object.
type property struct {
	name  string
	value gjson.Result
}

// parse reads an object strictly. Two readers that disagree about which of two equal
// names counts are a way around every check, so those are refused.
func parse(raw []byte) (*object, *gateway.Error) {
	o, err := parseInto(make([]property, 0, 8), raw)
	if err != nil {
		return nil, err
	}
	return &o, nil
}

// parseInto is parse with room for the fields.
func parseInto(room []property, raw []byte) (object, *gateway.Error) {
	if fields, ok := quickly(room, raw); ok {
		return object{raw: raw, fields: fields}, nil
	}
	o, err := carefully(raw)
	if err != nil {
		return object{}, err
	}
	return *o, nil
}

// carefully reads what the quick reader did not take, and says what is wrong with it.
func carefully(raw []byte) (*object, *gateway.Error) {
	if tooDeep(raw) {
		return nil, gateway.Errorf(gateway.Invalid, "The body is nested deeper than %d levels.", mostDepth)
	}
	o := &object{raw: raw}
	d := jsontext.NewDecoder(bytes.NewReader(raw))
	t, err := d.ReadToken()
	if err != nil {
		return nil, notJSON(err)
	}
	if t.Kind() != '{' {
		return nil, gateway.Errorf(gateway.Invalid, "The body must be a JSON object.")
	}
	folded := make(map[string]string, 16)
	for d.PeekKind() == '"' {
		t, err := d.ReadToken()
		if err != nil {
			return nil, notJSON(err)
		}
		name := t.String()
		if other, ok := folded[strings.ToLower(name)]; ok {
			return nil, field(name, "%q stands in the body as %q too.", name, other)
		}
		folded[strings.ToLower(name)] = name
		v, err := d.ReadValue()
		if err != nil {
			return nil, notJSON(err)
		}
		end := int(d.InputOffset())
		o.fields = append(o.fields, property{name, parseInPlace(raw[end-len(v) : end])})
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, notJSON(err)
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, gateway.Errorf(gateway.Invalid, "Something follows the JSON object in the body.")
	}
	return o, nil
}

// mostDepth is how deep objects and arrays may stand in each other: many readers call
// themselves for each level. Source: routing reference section 11.
const mostDepth = 64

// tooDeep says whether a text that may be JSON opens more than mostDepth at once.
func tooDeep(raw []byte) bool {
	depth, inside := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case inside && c == '\\':
			i++
		case c == '"':
			inside = !inside
		case inside:
		case c == '{' || c == '[':
			if depth++; depth > mostDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

func notJSON(err error) *gateway.Error {
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return gateway.Errorf(gateway.Invalid, "The body has a JSON object with the same name twice.")
	}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		return gateway.Errorf(gateway.Invalid, "The body is not valid JSON (at byte %d).", syntax.ByteOffset)
	}
	return gateway.Errorf(gateway.Invalid, "The body is not valid JSON.")
}

// field is the client's error about one field.
func field(param, format string, args ...any) *gateway.Error {
	e := gateway.Errorf(gateway.Invalid, format, args...)
	e.Param = param
	return e
}

// get is a field that is there and not null.
func (o *object) get(name string) (gjson.Result, bool) {
	v := o.at(name)
	return v, v.Type != gjson.Null
}

// at is a field, or null where there is none.
func (o *object) at(name string) gjson.Result {
	for i := range o.fields {
		if o.fields[i].name == name {
			return o.fields[i].value
		}
	}
	return gjson.Result{}
}

// set gives a field another value.
func (o *object) set(name string, value gjson.Result) {
	for i := range o.fields {
		if o.fields[i].name == name {
			o.fields[i].value = value
			return
		}
	}
	o.fields = append(o.fields, property{name, value})
}

// top is the fields as they are written.
func (o *object) top() []gateway.Field {
	out := make([]gateway.Field, len(o.fields))
	for i := range o.fields {
		out[i] = gateway.Field{Name: o.fields[i].name, Raw: o.fields[i].value.Raw}
	}
	return out
}
