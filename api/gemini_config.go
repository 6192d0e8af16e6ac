package api

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"gateway"
)

func itoa(n int) string { return strconv.Itoa(n) }

func (d *geminiDecoder) config(v gjson.Result) *gateway.Error {
	c := d.chat
	number := func(camel, snake string) gateway.Number {
		if n := either(v, camel, snake); n.Type == gjson.Number {
			return gateway.Number(n.Raw)
		}
		return ""
	}
	c.Temperature, c.TopP, c.TopK = number("temperature", "temperature"), number("topP", "top_p"), number("topK", "top_k")
	c.PresencePenalty, c.FrequencyPenalty = number("presencePenalty", "presence_penalty"), number("frequencyPenalty", "frequency_penalty")
	c.Seed = number("seed", "seed")
	c.MaxTokens = int(either(v, "maxOutputTokens", "max_output_tokens").Int())
	c.N = int(either(v, "candidateCount", "candidate_count").Int())
	for _, s := range either(v, "stopSequences", "stop_sequences").Array() {
		c.Stop = append(c.Stop, s.String())
	}
	c.Logprobs = either(v, "responseLogprobs", "response_logprobs").Bool()
	c.TopLogprobs = int(v.Get("logprobs").Int())
	thinking := either(v, "thinkingConfig", "thinking_config")
	c.Effort, c.Thoughts = geminiEffort(thinking), either(thinking, "includeThoughts", "include_thoughts").Bool()
	for _, m := range either(v, "responseModalities", "response_modalities").Array() {
		if !strings.EqualFold(m.Str, "TEXT") {
			return only("generationConfig", "The answer is wanted as %s, which only Google's models give here.", clip(m.Str))
		}
	}
	schema := geminiSchemaOf(v)
	switch mime := either(v, "responseMimeType", "response_mime_type").Str; {
	case mime == "text/x.enum":
		return only("generationConfig", "responseMimeType text/x.enum is Google's own: use application/json with a schema.")
	case schema.IsObject():
		c.Format = gateway.Format{Mode: "json_schema", Name: "answer", Schema: json.RawMessage(schema.Raw)}
		if !either(v, "responseJsonSchema", "response_json_schema").Exists() {
			c.Format.Schema = json.RawMessage(jsonSchemaOf(schema))
		}
	case mime == "application/json":
		c.Format.Mode = "json_object"
	}
	return nil
}

// jsonSchemaOf rewrites Google's older schema language, a part of OpenAPI's, as JSON
// Schema: types in lower case, nullable as a type, lengths as numbers.
func jsonSchemaOf(s gjson.Result) string {
	if !s.IsObject() {
		return s.Raw
	}
	nullable := s.Get("nullable").Bool()
	b := []byte{'{'}
	put := func(name, value string) {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(appendString(b, name), ':')
		b = append(b, value...)
	}
	s.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "type":
			kind := string(appendString(nil, strings.ToLower(v.Str)))
			if nullable {
				kind = "[" + kind + `,"null"]`
			}
			put("type", kind)
		case "items":
			put("items", jsonSchemaOf(v))
		case "properties":
			put("properties", eachSchema(v))
		case "anyOf", "any_of":
			var list []string
			for _, one := range v.Array() {
				list = append(list, jsonSchemaOf(one))
			}
			put("anyOf", "["+strings.Join(list, ",")+"]")
		case "minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties":
			if _, err := strconv.ParseUint(v.String(), 10, 63); err == nil { // 64-bit numbers are strings there
				put(k.Str, v.String())
			}
		case "enum":
			if nullable && v.IsArray() && len(v.Raw) > 2 {
				put("enum", strings.TrimSuffix(v.Raw, "]")+",null]")
			} else {
				put("enum", v.Raw)
			}
		case "nullable", "propertyOrdering", "property_ordering", "example":
		default:
			put(k.Str, v.Raw)
		}
		return true
	})
	return string(append(b, '}'))
}

func eachSchema(named gjson.Result) string {
	b := []byte{'{'}
	named.ForEach(func(k, v gjson.Result) bool {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(appendString(b, k.Str), ':')
		b = append(b, jsonSchemaOf(v)...)
		return true
	})
	return string(append(b, '}'))
}
