package providers

import (
	"strconv"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"gateway"
)

// relays says whether a request is of this format already, so that its body goes out
// as it came: settings that only Google knows, and signatures where they stood.
func (a *gemini) relays(call *gateway.Call) bool {
	return call.Request.Wire == geminiWire && call.Request.Raw != nil && call.Prefill == ""
}

// relay makes the body for a client of the same format: its own, but for a limit above
// what the hold was computed with. With sentinel, signatures of calls are replaced, the
// first call of a turn gets one if it has none, and those of texts are left out.
func (a *gemini) relay(call *gateway.Call, sentinel bool) ([]byte, error) {
	body := fittedContents(call.Request.Raw, sentinel)
	if call.MaxTokens == 0 {
		return body, nil
	}
	config, limit := "generationConfig", "maxOutputTokens"
	if gjson.GetBytes(body, "generation_config").Exists() {
		config = "generation_config"
		if gjson.GetBytes(body, config+".max_output_tokens").Exists() {
			limit = "max_output_tokens"
		}
	}
	asked := gjson.GetBytes(body, config+"."+limit)
	if asked.Type == gjson.Number && asked.Int() <= int64(call.MaxTokens) {
		return body, nil
	}
	body, err := sjson.SetRawBytes(body, config+"."+limit, []byte(strconv.Itoa(call.MaxTokens)))
	if err != nil {
		return nil, gateway.Errorf(gateway.Invalid, "generationConfig must be an object")
	}
	return body, nil
}

// fittedContents leaves out parts without data, which are refused: SDKs make them of the
// empty text that many streams end with. One that bears a signature gets that text back.
// With sentinel, signatures go too: those of calls for the word that stands for them, which
// a first call without any gets as well. A
// content of which nothing is left goes with its parts. What needs no change is the body
// as it came. Everything is read and written once, however many parts there are.
func fittedContents(body []byte, sentinel bool) []byte {
	list := gjson.GetBytes(body, "contents")
	if !list.IsArray() || list.Index == 0 {
		return body
	}
	var kept []string
	changed := false
	list.ForEach(func(_, content gjson.Result) bool {
		text, differs := fittedContent(content, sentinel)
		if changed = changed || differs; text != "" {
			kept = append(kept, text)
		}
		return true
	})
	if !changed {
		return body
	}
	out := make([]byte, 0, len(body)+64)
	out = append(append(out, body[:list.Index]...), '[')
	for i, text := range kept {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, text...)
	}
	return append(append(out, ']'), body[list.Index+len(list.Raw):]...)
}

// fittedContent is a content as it goes out; "" if nothing is left of it.
func fittedContent(content gjson.Result, sentinel bool) (text string, changed bool) {
	parts := content.Get("parts")
	var kept []string
	called := false
	for _, part := range parts.Array() { // of which one alone may stand for the list
		text, differs := fittedPart(part, sentinel)
		if sentinel && !called && calls(part) {
			called = true
			if signed := part.Get("thoughtSignature").Exists() || part.Get("thought_signature").Exists(); !signed {
				text, differs = withSentinel(part), true
			}
		}
		if changed = changed || differs; text != "" {
			kept = append(kept, text)
		}
	}
	switch {
	case !changed:
		return content.Raw, false
	case len(kept) == 0:
		return "", true
	}
	list := kept[0]
	if parts.IsArray() {
		list = array(kept)
	}
	w := objectWriter{}
	content.ForEach(func(key, value gjson.Result) bool {
		if key.Str == "parts" {
			w.put(key.Str, list)
		} else {
			w.put(key.Str, value.Raw)
		}
		return true
	})
	return w.done(), true
}

// fittedPart is a part as it goes out; "" if it is left out.
func fittedPart(part gjson.Result, sentinel bool) (text string, changed bool) {
	if sentinel && (part.Get("thoughtSignature").Exists() || part.Get("thought_signature").Exists()) {
		part, changed = gjson.Parse(withoutSignature(part)), true
	}
	switch empty, signed := emptyPart(part); {
	case empty && !signed:
		return "", true
	case empty && !part.Get("text").Exists():
		w := objectWriter{}
		part.ForEach(func(key, value gjson.Result) bool {
			w.put(key.Str, value.Raw)
			return true
		})
		w.put("text", `""`)
		return w.done(), true
	}
	return part.Raw, changed
}

func calls(part gjson.Result) bool {
	return part.Get("functionCall").Exists() || part.Get("function_call").Exists()
}

// withSentinel is a call that came without a signature, as those that another provider
// made do.
func withSentinel(part gjson.Result) string {
	w := objectWriter{}
	part.ForEach(func(key, value gjson.Result) bool {
		w.put(key.Str, value.Raw)
		return true
	})
	w.put("thoughtSignature", quoted(unsigned))
	return w.done()
}

func withoutSignature(part gjson.Result) string {
	called := calls(part)
	w := objectWriter{}
	part.ForEach(func(key, value gjson.Result) bool {
		switch signature := key.Str == "thoughtSignature" || key.Str == "thought_signature"; {
		case !signature:
			w.put(key.Str, value.Raw)
		case called:
			w.put(key.Str, quoted(unsigned))
		}
		return true
	})
	return w.done()
}

// emptyPart says whether a part has no data, and whether it has a signature.
func emptyPart(part gjson.Result) (empty, signed bool) {
	empty = part.IsObject()
	part.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "thought":
		case "thoughtSignature", "thought_signature":
			signed = v.Str != ""
		case "text":
			empty = v.Str == ""
		default:
			empty = false
		}
		return empty
	})
	return empty, signed
}
