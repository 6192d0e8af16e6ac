package providers

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"gateway"
)

// splicedBody is raw, the client's own body, byte for byte but for a model that has another
// name here, whether to stream where that is not as the client asked, a limit (the field of
// that name) above what the hold was computed with, and the fields that are set. Caches
// and signatures depend on the rest.
func splicedBody(call *gateway.Call, raw []byte, limit string, set ...gateway.Field) ([]byte, error) {
	fresh := map[string]string{"model": quoted(call.Model.Name), "stream": "true"}
	if call.Plain {
		fresh["stream"] = "false"
	}
	for _, f := range set {
		fresh[f.Name] = f.Raw
	}
	out := make([]byte, 0, len(raw)+64)
	fields := jsontext.NewDecoder(bytes.NewReader(raw), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	copied := 0
	if start, err := fields.ReadToken(); err != nil || start.Kind() != '{' {
		return nil, gateway.Errorf(gateway.Invalid, "the body is not a JSON object")
	}
	for fields.PeekKind() == '"' {
		token, err := fields.ReadToken()
		if err != nil {
			return nil, gateway.Errorf(gateway.Invalid, "the body is not valid JSON")
		}
		name := token.String()
		value, err := fields.ReadValue()
		if err != nil {
			return nil, gateway.Errorf(gateway.Invalid, "the body is not valid JSON")
		}
		to, replaced := fresh[name]
		if replaced && saysTheSame(value, to) {
			delete(fresh, name)
			replaced = false
		}
		if name == limit {
			to, replaced = lowered(string(value), call.MaxTokens)
		}
		if replaced {
			end := int(fields.InputOffset())
			out = append(out, raw[copied:end-len(value)]...)
			out = append(out, to...)
			copied = end
			delete(fresh, name)
		}
	}
	if end, err := fields.ReadToken(); err != nil || end.Kind() != '}' {
		return nil, gateway.Errorf(gateway.Invalid, "the body is not valid JSON")
	}
	end := int(fields.InputOffset())
	out = append(out, raw[copied:end-1]...)
	for _, f := range append([]gateway.Field{{Name: "model"}, {Name: "stream"}}, set...) {
		if value, missing := fresh[f.Name]; missing && !(f.Name == "stream" && value == "false") {
			if last := bytes.TrimRight(out, whitespace); last[len(last)-1] != '{' {
				out = append(out, ',')
			}
			out = append(out, quoted(f.Name)+":"+value...)
		}
	}
	return append(append(out, '}'), raw[end:]...), nil // with the space after it
}

// saysTheSame says whether a value is another, however it is written. No stream is what null
// asks for too.
func saysTheSame(value []byte, other string) bool {
	if string(value) == other || other == "false" && string(value) == "null" {
		return true
	}
	text, err := jsontext.AppendUnquote(nil, value)
	wanted, failed := jsontext.AppendUnquote(nil, other)
	return err == nil && failed == nil && bytes.Equal(text, wanted)
}

// lowered is the limit instead of a greater number of tokens, or of null, which is none.
func lowered(tokens string, limit int) (string, bool) {
	n, err := strconv.Atoi(tokens)
	if limit > 0 && (tokens == "null" || err == nil && n > limit) {
		return strconv.Itoa(limit), true
	}
	return "", false
}
