package api

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"strings"

	"github.com/tidwall/gjson"

	"gateway"
)

// decodeGemini makes the normal form of a generateContent body that scanGemini accepted.
// It runs only when a provider of another format is asked.
func decodeGemini(raw []byte) (*gateway.Chat, error) {
	body := parseInPlace(raw)
	d := &geminiDecoder{chat: &gateway.Chat{}, seen: sha256.New()}
	if body.Get("cachedContent").Str != "" {
		return nil, only("cachedContent", "\"cachedContent\" is kept at Google, and no other provider has it.")
	}
	if text := textOf(either(body, "systemInstruction", "system_instruction")); text != "" {
		d.chat.Messages = append(d.chat.Messages, gateway.Message{Speaker: gateway.System, Parts: []gateway.Part{{Text: text}}})
	}
	for i, c := range body.Get("contents").Array() {
		if err := d.content(c, i); err != nil {
			return nil, err
		}
		d.seen.Write([]byte(c.Raw))
	}
	if d.calls.left > 0 {
		return nil, field("contents", "The function call %q was not answered.", clip(d.calls.first()))
	}
	if err := d.tools(body); err != nil {
		return nil, err
	}
	if err := d.config(either(body, "generationConfig", "generation_config")); err != nil {
		return nil, err
	}
	return d.chat, nil
}

type geminiDecoder struct {
	chat  *gateway.Chat
	seen  hash.Hash // of the contents so far, for the ids of calls that have none
	calls waitingCalls
	made  int // ids made
}

func textOf(content gjson.Result) string {
	var texts []string
	for _, p := range partsOf(content) {
		if t := p.Get("text").Str; t != "" {
			texts = append(texts, t)
		}
	}
	return strings.Join(texts, "\n")
}

func (d *geminiDecoder) content(c gjson.Result, at int) *gateway.Error {
	if c.Get("role").Str == "model" {
		return d.model(c, at)
	}
	var rest []gateway.Part
	for _, p := range partsOf(c) {
		if f := either(p, "functionResponse", "function_response"); f.IsObject() {
			if err := d.result(f, at); err != nil {
				return err
			}
			continue
		}
		part, err := geminiPart(p, at)
		if err != nil {
			return err
		}
		if part.Kind != gateway.TextPart || part.Text != "" {
			rest = append(rest, part)
		}
	}
	if len(rest) == 0 {
		return nil
	}
	if d.calls.left > 0 {
		return field("contents", "contents[%d] comes before the function call %q was answered.", at, clip(d.calls.first()))
	}
	speaker := gateway.User
	if c.Get("role").Str == "system" {
		speaker = gateway.System
	}
	d.chat.Messages = append(d.chat.Messages, gateway.Message{Speaker: speaker, Parts: rest})
	return nil
}

// model reads a turn of the model. Thoughts are not text to hand on; what their maker
// wants back stands in the signatures.
func (d *geminiDecoder) model(c gjson.Result, at int) *gateway.Error {
	if d.calls.left > 0 {
		return field("contents", "contents[%d] comes before the function call %q was answered.", at, clip(d.calls.first()))
	}
	m := gateway.Message{Speaker: gateway.Assistant}
	signatures := map[string]string{}
	for _, p := range partsOf(c) {
		call := either(p, "functionCall", "function_call")
		id := ""
		if call.IsObject() {
			id = or(call.Get("id").Str, d.newID())
			m.ToolCalls = append(m.ToolCalls, gateway.ToolCall{ID: id, Name: call.Get("name").Str, Arguments: or(call.Get("args").Raw, "{}")})
			if call.Get("name").Str == "" {
				return field("contents", "contents[%d] has a function call without a name.", at)
			}
		} else if !p.Get("thought").Bool() {
			part, err := geminiPart(p, at)
			if err != nil {
				return err
			}
			if part.Kind != gateway.TextPart || part.Text != "" {
				m.Parts = append(m.Parts, part)
			}
		}
		d.signed(&m, partSignature(p), id, signatures)
	}
	for i := range m.ToolCalls {
		if s := signatures[m.ToolCalls[i].ID]; s != "" {
			m.ToolCalls[i].Signature = s
		}
	}
	if len(m.Parts) > 0 || len(m.ToolCalls) > 0 {
		d.chat.Messages = append(d.chat.Messages, m)
		d.calls.add(m.ToolCalls)
	}
	return nil
}

// signed takes up a signature: Gemini's own, or what this gateway put in its place.
func (d *geminiDecoder) signed(m *gateway.Message, signature, call string, signatures map[string]string) {
	switch {
	case signature == "" || signature == unsignedCall:
	case isBased(signature):
		unbased(signature).into(m, signatures)
	case call != "":
		signatures[call] = signature
	default:
		m.Thinking = append(m.Thinking, gateway.Thinking{Maker: geminiMaker, Signature: signature})
	}
}

// newID is the id of a call that has none: the same each time the conversation is sent,
// and another in every other conversation.
func (d *geminiDecoder) newID() string {
	d.made++
	return "call_" + hex.EncodeToString(d.seen.Sum([]byte{})[:10]) + itoa(d.made)
}

// result answers the call with its id, or the first of its name that waits.
func (d *geminiDecoder) result(f gjson.Result, at int) *gateway.Error {
	id, name := f.Get("id").Str, f.Get("name").Str
	c, ok := d.calls.take(id, name)
	if !ok {
		return field("contents", "contents[%d] answers a function call %q that was not made just before it.", at, clip(or(id, name)))
	}
	m := gateway.Message{Speaker: gateway.ToolSays, ToolCallID: c.ID}
	var text string
	text, m.IsError = responseText(f.Get("response"))
	m.Parts = []gateway.Part{{Text: text}}
	for _, p := range f.Get("parts").Array() {
		part, err := geminiPart(p, at)
		if err != nil {
			return err
		}
		m.Parts = append(m.Parts, part)
	}
	d.chat.Messages = append(d.chat.Messages, m)
	return nil
}

// responseText is what a function answered: the output or the error alone if the
// response is nothing else, as they are put there for results that are no object.
func responseText(response gjson.Result) (text string, failed bool) {
	name, n := "", 0
	response.ForEach(func(k, _ gjson.Result) bool {
		name = k.Str
		n++
		return true
	})
	switch {
	case n == 1 && (name == "output" || name == "error"):
		return response.Get(name).String(), name == "error"
	case !response.Exists():
		return "", false
	}
	return response.Raw, false
}

func geminiPart(p gjson.Result, at int) (gateway.Part, *gateway.Error) {
	if data := either(p, "inlineData", "inline_data"); data.IsObject() {
		return withKind(gateway.Part{MIME: either(data, "mimeType", "mime_type").Str, Data: data.Get("data").Str, Name: either(data, "displayName", "display_name").Str}), nil
	}
	if file := either(p, "fileData", "file_data"); file.IsObject() {
		uri := either(file, "fileUri", "file_uri").Str
		part := withKind(gateway.Part{MIME: either(file, "mimeType", "mime_type").Str, URL: uri})
		if part.Kind != gateway.ImagePart || !strings.HasPrefix(uri, "http") || strings.Contains(uri, "generativelanguage.googleapis.com") {
			return part, only("contents", "contents[%d] has a file that only Google can find: send it as inlineData.", at)
		}
		return part, nil
	}
	for _, name := range [...]string{"executableCode", "codeExecutionResult", "videoMetadata"} {
		if p.Get(name).Exists() {
			return gateway.Part{}, only("contents", "contents[%d] has a part %q, which only Google's servers understand.", at, name)
		}
	}
	return gateway.Part{Text: p.Get("text").Str}, nil
}

// withKind is a part of the kind that its type says.
func withKind(p gateway.Part) gateway.Part {
	switch {
	case strings.HasPrefix(p.MIME, "image/"):
		p.Kind = gateway.ImagePart
	case strings.HasPrefix(p.MIME, "audio/"):
		p.Kind = gateway.AudioPart
		if p.Name = strings.TrimPrefix(p.MIME, "audio/"); p.Name == "mpeg" {
			p.Name = "mp3"
		}
	default:
		p.Kind = gateway.FilePart
	}
	return p
}

func (d *geminiDecoder) tools(body gjson.Result) *gateway.Error {
	for i, group := range body.Get("tools").Array() {
		var other string
		group.ForEach(func(k, _ gjson.Result) bool {
			if k.Str != "functionDeclarations" && k.Str != "function_declarations" {
				other = k.Str
			}
			return other == ""
		})
		if other != "" {
			return only("tools", "tools[%d] has %q, which only Google's servers run.", i, clip(other))
		}
		for _, f := range either(group, "functionDeclarations", "function_declarations").Array() {
			tool := gateway.Tool{Name: f.Get("name").Str, Description: f.Get("description").Str}
			if s := either(f, "parametersJsonSchema", "parameters_json_schema"); s.IsObject() {
				tool.Parameters = json.RawMessage(s.Raw)
			} else if s := f.Get("parameters"); s.IsObject() {
				tool.Parameters = json.RawMessage(jsonSchemaOf(s))
			}
			d.chat.Tools = append(d.chat.Tools, tool)
		}
	}
	calling := either(either(body, "toolConfig", "tool_config"), "functionCallingConfig", "function_calling_config")
	c := &d.chat.ToolChoice
	for _, name := range either(calling, "allowedFunctionNames", "allowed_function_names").Array() {
		c.Allowed = append(c.Allowed, name.Str)
	}
	switch strings.ToUpper(calling.Get("mode").Str) {
	case "NONE":
		c.Mode = "none"
	case "ANY":
		c.Mode = "required"
		if len(c.Allowed) == 1 {
			c.Mode, c.Name, c.Allowed = "named", c.Allowed[0], nil
		}
	case "AUTO", "VALIDATED":
		c.Mode = "auto"
	}
	return nil
}
