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
	return call.Request.Wire == gateway.WireGemini && call.Request.Raw != nil && call.Prefill == ""
}

// relay makes the body for a client of the same format: its own, but for a limit above
// what the hold was computed with. With sentinel, signatures of calls are replaced and
// those of texts left out.
func (a *gemini) relay(call *gateway.Call, sentinel bool) ([]byte, error) {
	body, err := withoutEmptyParts(call.Request.Raw)
	if err != nil {
		return nil, err
	}
	if sentinel {
		if body, err = withoutSignatures(body); err != nil {
			return nil, err
		}
	}
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
	body, err = sjson.SetRawBytes(body, config+"."+limit, []byte(strconv.Itoa(call.MaxTokens)))
	if err != nil {
		return nil, gateway.Errorf(gateway.Invalid, "generationConfig must be an object")
	}
	return body, nil
}

func withoutSignatures(body []byte) ([]byte, error) {
	for i, content := range gjson.GetBytes(body, "contents").Array() {
		for j, part := range content.Get("parts").Array() {
			for _, name := range [...]string{"thoughtSignature", "thought_signature"} {
				if !part.Get(name).Exists() {
					continue
				}
				var err error
				path := "contents." + strconv.Itoa(i) + ".parts." + strconv.Itoa(j) + "." + name
				if part.Get("functionCall").Exists() || part.Get("function_call").Exists() {
					body, err = sjson.SetBytes(body, path, unsigned)
				} else {
					body, err = sjson.DeleteBytes(body, path)
				}
				if err != nil {
					return nil, gateway.Errorf(gateway.Invalid, "contents must be an array")
				}
			}
		}
	}
	return body, nil
}

// emptyMost is far more than a session of any SDK holds; each costs a copy of the body.
const emptyMost = 256

// withoutEmptyParts leaves out parts without data, which are refused: SDKs make them of
// the empty text that many streams end with. One that bears a signature gets that text back.
func withoutEmptyParts(body []byte) ([]byte, error) {
	contents := gjson.GetBytes(body, "contents").Array()
	var err error
	cut := 0
	for i := len(contents) - 1; i >= 0 && err == nil; i-- { // from the end, so that places stay what they are
		content := "contents." + strconv.Itoa(i)
		parts := contents[i].Get("parts").Array()
		left := len(parts)
		for j := len(parts) - 1; j >= 0 && err == nil; j-- {
			part := content + ".parts." + strconv.Itoa(j)
			switch empty, signed := emptyPart(parts[j]); {
			case !empty:
			case cut >= emptyMost:
				return nil, gateway.Errorf(gateway.Invalid, "contents have more than %d parts without data", emptyMost)
			case !signed:
				cut++
				body, err = sjson.DeleteBytes(body, part)
				left--
			case !parts[j].Get("text").Exists():
				body, err = sjson.SetBytes(body, part+".text", "")
			}
		}
		if len(parts) > 0 && left == 0 && err == nil {
			body, err = sjson.DeleteBytes(body, content)
		}
	}
	if err != nil {
		return nil, gateway.Errorf(gateway.Invalid, "contents must be an array of contents with parts")
	}
	return body, nil
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
