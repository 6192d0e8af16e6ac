package providers

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"gateway"
)

// A relayed body goes out as it came, but ids of calls that another provider made may be
// longer than this one takes. They are shortened alike in the call and in its result, and
// in the same way whenever the conversation comes, as caches depend on that. All else
// keeps its bytes.

// messagesIDs is a body of Anthropic's format with ids that Anthropic takes. Longer ones
// can only be those that were escaped for the client.
func messagesIDs(raw []byte) []byte {
	if !anyEscapedLong(raw) {
		return raw
	}
	return withShortIDs(raw, gateway.MaxClaudeToolID, func(depth int, at jsontext.Pointer) bool {
		if depth != 5 || !strings.HasPrefix(string(at), "/messages/") { // body, messages, message, content, block
			return false
		}
		field := at.LastToken()
		return (field == "id" || field == "tool_use_id") && at.Parent().Parent().LastToken() == "content"
	})
}

// anyEscapedLong says whether an id that was escaped is longer than Anthropic takes.
func anyEscapedLong(raw []byte) bool {
	for {
		_, rest, found := bytes.Cut(raw, []byte(`"`+gateway.EscapedToolID))
		if !found {
			return false
		}
		if end := bytes.IndexByte(rest, '"'); end < 0 || len(gateway.EscapedToolID)+end > gateway.MaxClaudeToolID {
			return true
		}
		raw = rest
	}
}

// maxCallID is how many characters OpenAI's Responses API takes in the id of a call, as
// its error says: "string too long. Expected a string with maximum length 64".
const maxCallID = 64

// responsesIDs is a body of the Responses API with ids that OpenAI takes.
func responsesIDs(raw []byte) []byte {
	if !bytes.Contains(raw, []byte(`"call_id"`)) || !anyLong(string(raw), `"call_id"`, maxCallID) {
		return raw
	}
	return withShortIDs(raw, maxCallID, func(depth int, at jsontext.Pointer) bool { // body, input, item
		return depth == 3 && at.LastToken() == "call_id" && strings.HasPrefix(string(at), "/input/")
	})
}

// anyLong says whether a field with that name has a text of more bytes than most.
func anyLong(raw, name string, most int) bool {
	for {
		_, rest, found := strings.Cut(raw, name)
		if !found {
			return false
		}
		raw = rest
		if value := strings.TrimLeft(rest, ": \t\r\n"); strings.HasPrefix(value, `"`) && strings.IndexByte(value[1:], '"') > most {
			return true
		}
	}
}

// withShortIDs is a JSON text whose ids have at most so many bytes; where ids are, isID says.
func withShortIDs(raw []byte, most int, isID func(depth int, at jsontext.Pointer) bool) []byte {
	out := make([]byte, 0, len(raw))
	copied := 0
	taken := map[string]string{}
	in := jsontext.NewDecoder(bytes.NewReader(raw), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	for {
		token, err := in.ReadToken()
		if err != nil {
			break // at the end, or the provider says what is wrong
		}
		if token.Kind() != '"' || !isID(in.StackDepth(), in.StackPointer()) {
			continue
		}
		id := token.String()
		if len(id) <= most {
			continue
		}
		end := int(in.InputOffset())
		out = append(append(out, raw[copied:beginOfText(raw[:end])]...), quoted(fitToolID(id, most, false, taken))...)
		copied = end
	}
	return append(out, raw[copied:]...)
}

// beginOfText is where the JSON string begins that ends a text: at the last quote before
// its end that no backslash escapes.
func beginOfText(raw []byte) int {
	for at := len(raw) - 1; ; {
		at = bytes.LastIndexByte(raw[:at], '"')
		slashes := len(raw[:at]) - len(bytes.TrimRight(raw[:at], `\`))
		if slashes%2 == 0 {
			return at
		}
	}
}
