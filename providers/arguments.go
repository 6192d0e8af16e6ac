package providers

import (
	"encoding/json"
	"strings"

	"github.com/tidwall/gjson"
)

// argumentsObject makes the object that most formats want from the JSON text of
// OpenAI's. Text that is no object, even without a code fence or trailing commas,
// is wrapped instead of failing a conversation over an old turn.
func argumentsObject(arguments string) json.RawMessage {
	text := strings.TrimSpace(arguments)
	if text == "" {
		return json.RawMessage("{}")
	}
	if isObject(text) {
		return json.RawMessage(text)
	}
	if text = withoutTrailingCommas(withoutFence(text)); isObject(text) {
		return json.RawMessage(text)
	}
	raw, err := json.Marshal(map[string]string{"_raw": arguments})
	if err != nil {
		return json.RawMessage("{}") // a string always encodes
	}
	return raw
}

func isObject(text string) bool {
	return strings.HasPrefix(text, "{") && gjson.Valid(text)
}

func withoutFence(text string) string {
	if !strings.HasPrefix(text, "```") {
		return text
	}
	text = strings.TrimPrefix(text, "```")
	text = strings.TrimPrefix(text, "json")
	return strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "```"))
}

// withoutTrailingCommas drops each comma that stands before a closing bracket, outside strings.
func withoutTrailingCommas(text string) string {
	var out strings.Builder
	inString := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case inString && c == '\\' && i+1 < len(text):
			out.WriteByte(c)
			i++
			c = text[i]
		case c == '"':
			inString = !inString
		case c == ',' && !inString:
			rest := strings.TrimLeft(text[i+1:], " \t\r\n")
			if rest != "" && (rest[0] == '}' || rest[0] == ']') {
				continue
			}
		}
		out.WriteByte(c)
	}
	return out.String()
}
