package api

import (
	"encoding/json"
	"strings"

	"github.com/tidwall/gjson"

	"gateway"
)

// decodeMessages makes the normal form of a Messages body that the scan accepted. It
// runs only when a provider of another format is asked.
func decodeMessages(raw []byte) (*gateway.Chat, error) {
	d := &messagesDecoder{chat: &gateway.Chat{}, body: parseInPlace(raw)}
	d.settings()
	eachBlock(d.body.Get("system"), d.system)
	var err *gateway.Error
	i := 0
	d.body.Get("messages").ForEach(func(_, m gjson.Result) bool {
		err = d.turn(m, i)
		i++
		return err == nil
	})
	if err == nil {
		err = checkPairs(d.chat.Messages)
	}
	if err != nil {
		return nil, err
	}
	return d.chat, nil
}

type messagesDecoder struct {
	chat *gateway.Chat
	body gjson.Result
}

func (d *messagesDecoder) settings() {
	c := d.chat
	number := func(name string) gateway.Number {
		if v := d.body.Get(name); v.Type == gjson.Number {
			return gateway.Number(v.Raw)
		}
		return ""
	}
	c.MaxTokens = int(d.body.Get("max_tokens").Int())
	c.Temperature, c.TopP, c.TopK = number("temperature"), number("top_p"), number("top_k")
	for _, s := range d.body.Get("stop_sequences").Array() {
		c.Stop = append(c.Stop, s.Str)
	}
	output := d.body.Get("output_config")
	c.Effort = effortOf(d.body.Get("thinking"), output)
	c.Thoughts = c.Effort != "" && c.Effort != "none" && d.body.Get("thinking.display").Str != "omitted"
	if f := output.Get("format"); f.Get("type").Str == "json_schema" {
		c.Format = gateway.Format{Mode: "json_schema", Schema: json.RawMessage(f.Get("schema").Raw)}
	}
	c.User = userOf(d.body.Get("metadata.user_id").Str)
	for _, t := range d.body.Get("tools").Array() {
		d.tool(t)
	}
	d.choice(d.body.Get("tool_choice"))
}

// userOf is the user behind metadata.user_id, which agents fill with a JSON object:
// other providers take short ids only, and a session in it would be another user each time.
func userOf(id string) string {
	if !strings.HasPrefix(id, "{") {
		return id
	}
	for _, name := range []string{"account_uuid", "user_id", "device_id"} {
		if v := gjson.Get(id, name).Str; v != "" {
			return v
		}
	}
	return ""
}

func (d *messagesDecoder) tool(t gjson.Result) {
	tool := gateway.Tool{Name: t.Get("name").Str, Description: t.Get("description").Str, Strict: t.Get("strict").Bool(), Cache: cacheOf(t)}
	if schema := t.Get("input_schema"); schema.IsObject() {
		tool.Parameters = json.RawMessage(schema.Raw)
	}
	d.chat.Tools = append(d.chat.Tools, tool)
}

func (d *messagesDecoder) choice(v gjson.Result) {
	c := &d.chat.ToolChoice
	switch v.Get("type").Str {
	case "auto":
		c.Mode = "auto"
	case "any":
		c.Mode = "required"
	case "none":
		c.Mode = "none"
	case "tool":
		c.Mode, c.Name = "named", v.Get("name").Str
	}
	if v.Get("disable_parallel_tool_use").Bool() {
		one := false
		d.chat.ParallelTools = &one
	}
}

// cacheOf is how long what ends with this block is to be cached; "" if it says nothing.
func cacheOf(b gjson.Result) string {
	if c := b.Get("cache_control"); c.IsObject() {
		return or(c.Get("ttl").Str, "5m")
	}
	return ""
}

func (d *messagesDecoder) system(b gjson.Result) {
	text := blockText(b)
	if text == "" || isBilling(text) {
		return
	}
	d.chat.Messages = append(d.chat.Messages, gateway.Message{Speaker: gateway.System, Parts: []gateway.Part{{Text: text, Cache: cacheOf(b)}}})
}

func (d *messagesDecoder) turn(m gjson.Result, i int) *gateway.Error {
	switch m.Get("role").Str {
	case "system":
		eachBlock(m.Get("content"), d.system)
		return nil
	case "assistant":
		return d.assistant(m.Get("content"), i)
	}
	return d.user(m.Get("content"), i)
}

// user takes a turn apart: its tool results become messages of their own, what else the
// user says follows them, wherever it stood.
func (d *messagesDecoder) user(content gjson.Result, i int) *gateway.Error {
	said := gateway.Message{Speaker: gateway.User}
	var err *gateway.Error
	eachBlock(content, func(b gjson.Result) {
		if err != nil {
			return
		}
		if b.Get("type").Str == "tool_result" {
			var result gateway.Message
			if result, err = toolResultOf(b, i); err == nil {
				d.chat.Messages = append(d.chat.Messages, result)
			}
			return
		}
		said.Parts, err = appendParts(said.Parts, b, i)
	})
	if err == nil && len(said.Parts) > 0 {
		d.chat.Messages = append(d.chat.Messages, said)
	}
	return err
}

func toolResultOf(b gjson.Result, i int) (gateway.Message, *gateway.Error) {
	m := gateway.Message{Speaker: gateway.ToolSays, ToolCallID: ownID(b.Get("tool_use_id").Str), IsError: b.Get("is_error").Bool()}
	var err *gateway.Error
	if content := b.Get("content"); content.Exists() && content.Type != gjson.Null {
		eachBlock(content, func(inner gjson.Result) {
			if err == nil {
				m.Parts, err = appendParts(m.Parts, inner, i)
			}
		})
	}
	if cache := cacheOf(b); cache != "" {
		if len(m.Parts) == 0 {
			m.Parts = []gateway.Part{{}}
		}
		m.Parts[len(m.Parts)-1].Cache = cache
	}
	return m, err
}

// appendParts reads one block of a user turn or of a tool result.
func appendParts(parts []gateway.Part, b gjson.Result, i int) ([]gateway.Part, *gateway.Error) {
	if b.Type == gjson.String {
		return append(parts, gateway.Part{Text: b.Str}), nil
	}
	part := gateway.Part{}
	switch kind := b.Get("type").Str; kind {
	case "text":
		part.Text = b.Get("text").Str
	case "image":
		part.Kind = gateway.ImagePart
		place(&part, b.Get("source"))
	case "document":
		return appendDocument(parts, b, i)
	case "search_result":
		part.Text = searchResult(b)
	default:
		return parts, only("messages", "messages.%d has a content block of type %q, which only providers of kind anthropic take.", i, clip(kind))
	}
	part.Cache = cacheOf(b)
	return append(parts, part), nil
}

// place says where the data of an image or document is.
func place(part *gateway.Part, source gjson.Result) {
	switch source.Get("type").Str {
	case "base64":
		part.MIME, part.Data = source.Get("media_type").Str, source.Get("data").Str
	case "url":
		part.URL = source.Get("url").Str
	case "file":
		part.FileID = source.Get("file_id").Str
	}
}

// appendDocument reads a document: one that is text is text for everybody.
func appendDocument(parts []gateway.Part, b gjson.Result, i int) ([]gateway.Part, *gateway.Error) {
	source, title := b.Get("source"), b.Get("title").Str
	switch source.Get("type").Str {
	case "text":
		return append(parts, gateway.Part{Text: headed(title, source.Get("data").Str), Cache: cacheOf(b)}), nil
	case "content":
		if title != "" {
			parts = append(parts, gateway.Part{Text: title})
		}
		var err *gateway.Error
		eachBlock(source.Get("content"), func(inner gjson.Result) {
			if err == nil {
				parts, err = appendParts(parts, inner, i)
			}
		})
		return parts, err
	}
	part := gateway.Part{Kind: gateway.FilePart, Name: title, Cache: cacheOf(b)}
	place(&part, source)
	if part.URL != "" && part.MIME == "" {
		part.MIME = "application/pdf" // the only kind that is taken by URL
	}
	if part.Name == "" && part.Data != "" {
		part.Name = "document.pdf" // a file without a name is refused by some
	}
	return append(parts, part), nil
}

func headed(title, text string) string {
	if title == "" {
		return text
	}
	return title + "\n\n" + text
}

func searchResult(b gjson.Result) string {
	var text strings.Builder
	text.WriteString(headed(b.Get("title").Str, b.Get("source").Str))
	b.Get("content").ForEach(func(_, c gjson.Result) bool {
		text.WriteString("\n\n" + c.Get("text").Str)
		return true
	})
	return text.String()
}

// assistant reads a turn of the model. Reasoning that we sealed comes out as its maker's
// state; any other is Anthropic's.
func (d *messagesDecoder) assistant(content gjson.Result, i int) *gateway.Error {
	m := gateway.Message{Speaker: gateway.Assistant}
	signatures := map[string]string{} // of calls, by their id
	var err *gateway.Error
	eachBlock(content, func(b gjson.Result) {
		switch kind := b.Get("type").Str; {
		case b.Type == gjson.String || kind == "text":
			if text := blockText(b); text != "" {
				m.Parts = append(m.Parts, gateway.Part{Text: text, Cache: cacheOf(b)})
			}
		case kind == "thinking":
			thinkingOf(b).into(&m, signatures)
		case kind == "redacted_thinking":
			data := b.Get("data").Str
			if state, sealed := unseal(data); sealed {
				state.into(&m, signatures)
			} else {
				m.Thinking = append(m.Thinking, gateway.Thinking{Maker: messagesMaker, Redacted: data})
			}
		case kind == "tool_use":
			id := ownID(b.Get("id").Str)
			m.ToolCalls = append(m.ToolCalls, gateway.ToolCall{ID: id, Name: b.Get("name").Str, Arguments: b.Get("input").Raw, Signature: signatures[id]})
		case err == nil:
			err = only("messages", "messages.%d has a content block of type %q, which only providers of kind anthropic take.", i, clip(kind))
		}
	})
	if n := len(d.chat.Messages); err == nil && n > 0 && d.chat.Messages[n-1].Speaker == gateway.Assistant {
		last := &d.chat.Messages[n-1] // turns of one speaker in a row are one
		last.Parts, last.Thinking = append(last.Parts, m.Parts...), append(last.Thinking, m.Thinking...)
		last.ToolCalls = append(last.ToolCalls, m.ToolCalls...)
		return nil
	}
	if err == nil {
		d.chat.Messages = append(d.chat.Messages, m)
	}
	return err
}

// thinkingOf is the state of a thinking block: what the signature says, of the text beside it.
func thinkingOf(b gjson.Result) state {
	text, signature := b.Get("thinking").Str, b.Get("signature").Str
	s, sealed := unseal(signature)
	if !sealed {
		s.think(gateway.Thinking{Maker: messagesMaker, Signature: signature})
	}
	if len(s) > 0 {
		s[0].Text = text
	}
	return s
}
