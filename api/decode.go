package api

import (
	"encoding/json"
	"strings"

	"github.com/tidwall/gjson"

	"gateway"
)

// decodeChat makes the normal form of a Chat Completions body that scanChat accepted.
// It runs only when a provider of another format is asked.
func decodeChat(raw []byte) (*gateway.Chat, error) {
	body := parseInPlace(raw)
	d := &chatDecoder{chat: &gateway.Chat{}}
	var err *gateway.Error
	body.ForEach(func(k, v gjson.Result) bool {
		if v.Type != gjson.Null {
			err = d.field(k.Str, v)
		}
		return err == nil
	})
	if err == nil {
		err = checkPairs(d.chat.Messages)
	}
	if err != nil {
		return nil, err
	}
	if d.chat.MaxTokens == 0 {
		d.chat.MaxTokens = d.maxTokens
	}
	return d.chat, nil
}

type chatDecoder struct {
	chat      *gateway.Chat
	maxTokens int // the deprecated field; the newer one wins
	old       int // ids made for function messages, which have none
}

func (d *chatDecoder) field(name string, v gjson.Result) *gateway.Error {
	c := d.chat
	number := func() gateway.Number { return gateway.Number(v.Raw) }
	switch name {
	case "messages":
		return d.messages(v)
	case "tools":
		return d.tools(v)
	case "functions":
		return d.functions(v)
	case "tool_choice", "function_call":
		return d.choice(v)
	case "parallel_tool_calls":
		b := v.Bool()
		c.ParallelTools = &b
	case "response_format":
		d.format(v)
	case "max_completion_tokens":
		c.MaxTokens = int(v.Int())
	case "max_tokens":
		d.maxTokens = int(v.Int())
	case "temperature":
		c.Temperature = number()
	case "top_p":
		c.TopP = number()
	case "top_k":
		c.TopK = number()
	case "min_p":
		c.MinP = number()
	case "frequency_penalty":
		c.FrequencyPenalty = number()
	case "presence_penalty":
		c.PresencePenalty = number()
	case "seed":
		c.Seed = number()
	case "n":
		c.N = int(v.Int())
	case "stop":
		if v.Type == gjson.String {
			c.Stop = []string{v.Str}
		} else {
			for _, s := range v.Array() {
				c.Stop = append(c.Stop, s.String())
			}
		}
	case "logprobs":
		c.Logprobs = v.Bool()
	case "top_logprobs":
		c.TopLogprobs = int(v.Int())
	case "reasoning_effort":
		c.Effort = v.Str
	case "verbosity":
		c.Verbosity = v.Str
	case "user":
		if c.User == "" {
			c.User = v.Str
		}
	case "safety_identifier":
		c.User = v.String()
	}
	return nil
}

func (d *chatDecoder) messages(list gjson.Result) (err *gateway.Error) {
	i := 0
	list.ForEach(func(_, m gjson.Result) bool {
		var msg gateway.Message
		if msg, err = d.message(m, i); err == nil {
			d.chat.Messages = append(d.chat.Messages, msg)
		}
		i++
		return err == nil
	})
	return err
}

func (d *chatDecoder) message(m gjson.Result, i int) (gateway.Message, *gateway.Error) {
	msg := gateway.Message{Name: m.Get("name").String()}
	var err *gateway.Error
	if msg.Parts, err = parts(m.Get("content"), i); err != nil {
		return msg, err
	}
	switch m.Get("role").Str {
	case "system", "developer":
		msg.Speaker = gateway.System
	case "user":
		msg.Speaker = gateway.User
	case "tool":
		msg.Speaker, msg.ToolCallID = gateway.ToolSays, m.Get("tool_call_id").String()
		if msg.ToolCallID == "" {
			return msg, field("messages", "messages[%d].tool_call_id is required.", i)
		}
	case "function":
		msg.Speaker, msg.ToolCallID = gateway.ToolSays, d.oldID(d.old-1)
	case "assistant":
		msg.Speaker = gateway.Assistant
		err = d.assistant(&msg, m, i)
	}
	return msg, err
}

// oldID stands for the id that the deprecated function calls do not have.
func (d *chatDecoder) oldID(n int) string { return "call_fn" + string(rune('a'+max(n, 0)%26)) }

func (d *chatDecoder) assistant(msg *gateway.Message, m gjson.Result, i int) *gateway.Error {
	msg.Refusal = m.Get("refusal").String()
	for _, name := range []string{"reasoning_content", "reasoning"} {
		if r := m.Get(name); r.Type == gjson.String && !msg.HasReasoning {
			msg.Reasoning, msg.HasReasoning = r.Str, true
		}
	}
	for _, t := range m.Get("thinking_blocks").Array() {
		msg.Thinking = append(msg.Thinking, gateway.Thinking{Maker: or(t.Get("maker").Str, chatMaker), Model: t.Get("model").Str,
			Text: t.Get("thinking").Str, Signature: t.Get("signature").Str, Redacted: t.Get("data").Str})
	}
	for _, t := range m.Get("tool_calls").Array() {
		call := gateway.ToolCall{ID: t.Get("id").String(), Name: t.Get("function.name").String(), Arguments: t.Get("function.arguments").String(),
			Signature: t.Get("extra_content.google.thought_signature").Str}
		if kind := t.Get("type").Str; kind != "" && kind != "function" {
			return only("messages", "messages[%d] has a tool call of type %q, which only OpenAI-compatible providers take.", i, kind)
		}
		if call.ID == "" || call.Name == "" {
			return field("messages", "messages[%d] has a tool call without id or name.", i)
		}
		msg.ToolCalls = append(msg.ToolCalls, call)
	}
	if f := m.Get("function_call"); f.IsObject() {
		msg.ToolCalls = append(msg.ToolCalls, gateway.ToolCall{ID: d.oldID(d.old), Name: f.Get("name").String(), Arguments: f.Get("arguments").String()})
		d.old++
	}
	return nil
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func parts(content gjson.Result, i int) ([]gateway.Part, *gateway.Error) {
	switch {
	case content.Type == gjson.String:
		return []gateway.Part{{Text: content.Str}}, nil
	case !content.IsArray():
		return nil, nil
	}
	var out []gateway.Part
	for _, p := range content.Array() {
		part, err := part(p, i)
		if err != nil {
			return nil, err
		}
		if c := p.Get("cache_control"); c.IsObject() {
			part.Cache = or(c.Get("ttl").Str, "5m")
		}
		if p.Get("prompt_cache_breakpoint").Exists() {
			part.Cache = "5m"
		}
		out = append(out, part)
	}
	return out, nil
}

func part(p gjson.Result, i int) (gateway.Part, *gateway.Error) {
	switch kind := p.Get("type").Str; kind {
	case "text":
		return gateway.Part{Text: p.Get("text").String()}, nil
	case "refusal":
		return gateway.Part{Text: p.Get("refusal").String()}, nil
	case "image_url":
		return located(gateway.Part{Kind: gateway.ImagePart, Detail: p.Get("image_url.detail").Str}, p.Get("image_url.url").Str, i)
	case "input_audio":
		format := p.Get("input_audio.format").Str
		return gateway.Part{Kind: gateway.AudioPart, Name: format, MIME: "audio/" + format, Data: p.Get("input_audio.data").Str}, nil
	case "file":
		part := gateway.Part{Kind: gateway.FilePart, Name: p.Get("file.filename").Str, FileID: p.Get("file.file_id").Str}
		if data := p.Get("file.file_data").Str; data != "" {
			return located(part, data, i)
		}
		return part, nil
	default:
		return gateway.Part{}, only("messages", "messages[%d] has a content part of type %q, which is not known.", i, kind)
	}
}

// located takes a data: URL apart, or keeps the URL of what must be fetched.
func located(part gateway.Part, url string, i int) (gateway.Part, *gateway.Error) {
	rest, inline := strings.CutPrefix(url, "data:")
	if !inline {
		part.URL = url
		return part, nil
	}
	head, data, ok := strings.Cut(rest, ",")
	mime, base64 := strings.CutSuffix(head, ";base64")
	if !ok || !base64 || mime == "" {
		return part, field("messages", "messages[%d] has a data: URL that is not data:TYPE;base64,DATA.", i)
	}
	mime, _, _ = strings.Cut(mime, ";")
	part.MIME, part.Data = mime, data
	return part, nil
}

func (d *chatDecoder) tools(list gjson.Result) *gateway.Error {
	for i, t := range list.Array() {
		if kind := t.Get("type").Str; kind != "" && kind != "function" {
			return only("tools", "tools[%d] is of type %q, which only OpenAI-compatible providers take.", i, kind)
		}
		if err := d.tool(t.Get("function"), t.Get("cache_control"), i); err != nil {
			return err
		}
	}
	return nil
}

func (d *chatDecoder) tool(f, cache gjson.Result, i int) *gateway.Error {
	tool := gateway.Tool{Name: f.Get("name").String(), Description: f.Get("description").String(), Strict: f.Get("strict").Bool()}
	if tool.Name == "" {
		return field("tools", "tools[%d].function.name is required.", i)
	}
	if p := f.Get("parameters"); p.IsObject() {
		tool.Parameters = json.RawMessage(p.Raw)
	}
	if cache.IsObject() {
		tool.Cache = or(cache.Get("ttl").Str, "5m")
	}
	d.chat.Tools = append(d.chat.Tools, tool)
	return nil
}

func (d *chatDecoder) functions(list gjson.Result) *gateway.Error {
	for i, f := range list.Array() {
		if err := d.tool(f, gjson.Result{}, i); err != nil {
			return err
		}
	}
	return nil
}

func (d *chatDecoder) choice(v gjson.Result) *gateway.Error {
	c := &d.chat.ToolChoice
	if v.Type == gjson.String {
		switch v.Str {
		case "auto", "none", "required":
			c.Mode = v.Str
			return nil
		}
		return field("tool_choice", "\"tool_choice\" must be auto, none, required or a function.")
	}
	if v.Get("type").Str == "allowed_tools" {
		c.Mode = or(v.Get("allowed_tools.mode").Str, "auto")
		for _, t := range v.Get("allowed_tools.tools").Array() {
			c.Allowed = append(c.Allowed, or(t.Get("function.name").Str, t.Get("name").Str))
		}
		return nil
	}
	c.Mode, c.Name = "named", or(v.Get("function.name").Str, v.Get("name").Str)
	if c.Name == "" {
		return field("tool_choice", "\"tool_choice\" names no function.")
	}
	return nil
}

func (d *chatDecoder) format(v gjson.Result) {
	f := &d.chat.Format
	f.Mode = v.Get("type").Str
	s := v.Get("json_schema")
	f.Name, f.Description, f.Strict = s.Get("name").String(), s.Get("description").String(), s.Get("strict").Bool()
	if schema := s.Get("schema"); schema.IsObject() {
		f.Schema = json.RawMessage(schema.Raw)
	}
}

// checkPairs refuses a history in which calls and results do not belong together:
// most providers answer 400 to it, and inventing the missing half would change its meaning.
func checkPairs(messages []gateway.Message) *gateway.Error {
	open := map[string]bool{}
	for i, m := range messages {
		if m.Speaker == gateway.ToolSays {
			if !open[m.ToolCallID] {
				return field("messages", "messages[%d] answers a tool call %q that was not made just before it.", i, clip(m.ToolCallID))
			}
			delete(open, m.ToolCallID)
			continue
		}
		for id := range open {
			return field("messages", "messages[%d] comes before the tool call %q was answered.", i, clip(id))
		}
		for _, t := range m.ToolCalls {
			open[t.ID] = true
		}
	}
	for id := range open {
		return field("messages", "The tool call %q was not answered.", clip(id))
	}
	return nil
}

// only is about what some other provider may well take: the walk goes on to it.
func only(param, format string, args ...any) *gateway.Error {
	e := field(param, format, args...)
	e.Kind = gateway.Unsupported
	return e
}

func clip(s string) string {
	if len(s) > 64 {
		return s[:64]
	}
	return strings.ToValidUTF8(s, "")
}
