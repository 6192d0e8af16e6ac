package api

import (
	"hash/maphash"
	"net/http"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"gateway"
)

var messagesFields = map[string]kindOfField{
	"model": aString, "max_tokens": aWhole, "messages": anArray, "system": stringOrArray, "stream": aBool,
	"temperature": aNumber, "top_p": aNumber, "top_k": aWhole, "stop_sequences": anArray, "tools": anArray, "tool_choice": anObject,
	"thinking": anObject, "output_config": anObject, "metadata": anObject, "service_tier": aString, "context_management": anObject,
	"mcp_servers": anArray, "cache_control": anObject,
}

// scanMessagesBody finds out what routing must know of a Messages body.
func scanMessagesBody(r *http.Request, raw []byte, req *gateway.Request) *gateway.Error {
	s, err := scanPrompt(r, raw, req)
	if err != nil {
		return err
	}
	limit, ok := s.o.get("max_tokens")
	if !ok {
		return field("max_tokens", "max_tokens: Field required")
	}
	if limit.Int() < 0 || limit.Int() > 1<<31 {
		return field("max_tokens", "max_tokens: must be a number of tokens")
	}
	if req.MaxTokens = int(limit.Int()); req.MaxTokens == 0 {
		s.native("warming a cache with max_tokens 0")
	}
	if v, ok := s.o.get("stream"); ok {
		req.Stream = v.Bool()
	}
	return nil
}

// messagesScan is one pass over a body.
type messagesScan struct {
	o   *object
	req *gateway.Request
}

// scanPrompt is the part of the scan that counting tokens needs as well.
func scanPrompt(r *http.Request, raw []byte, req *gateway.Request) (*messagesScan, *gateway.Error) {
	o, err := parse(raw)
	if err != nil {
		return nil, err
	}
	if err := o.checkTypesBy(messagesFields); err != nil {
		return nil, err
	}
	s := &messagesScan{o: o, req: req}
	req.Raw, req.Wire, req.Decode = raw, messagesWire, decodeMessages
	s.headers(r.Header)
	if v, ok := o.get("model"); ok {
		req.Model = v.Str
	}
	if err := s.conversation(); err != nil {
		return nil, err
	}
	if err := s.tools(); err != nil {
		return nil, err
	}
	if stops, ok := o.get("stop_sequences"); ok {
		for i, stop := range stops.Array() {
			if stop.Type != gjson.String {
				return nil, field("stop_sequences", "stop_sequences.%d: Input should be a valid string", i)
			}
		}
	}
	if err := s.settings(); err != nil {
		return nil, err
	}
	s.session(r.Header)
	return s, o.checkValues()
}

// native says that only a provider of this format can serve the request, and why.
func (s *messagesScan) native(what string) {
	if s.req.Needs.Native == "" {
		s.req.Needs.Native, s.req.Needs.NativeFor = messagesWire, what+" (only providers of kind anthropic do)"
	}
}

// headers keeps what an upstream of the same format must see unchanged.
func (s *messagesScan) headers(h http.Header) {
	for _, name := range [...]string{"Anthropic-Version", "Anthropic-Beta"} {
		if values := h.Values(name); len(values) > 0 {
			if s.req.Forward == nil {
				s.req.Forward = map[string]string{}
			}
			s.req.Forward[name] = strings.Join(values, ",")
		}
	}
}

// session names the conversation by what the agent calls it, if it does. An agent runs
// several at once, also with different models; each has a cache of its own.
func (s *messagesScan) session(h http.Header) {
	if s.req.Options.Affinity != "" {
		return
	}
	id := h.Get("x-claude-code-session-id")
	if id == "" {
		if user := s.o.at("metadata").Get("user_id").Str; strings.HasPrefix(user, "{") {
			id = gjson.Get(user, "session_id").Str
		}
	}
	if id != "" && len(id) <= 256 {
		s.req.Options.Affinity = id + "/" + h.Get("x-claude-code-agent-id") + "/" + s.req.Model
	}
}

func (s *messagesScan) settings() *gateway.Error {
	s.o.noteFees(s.req, messagesFees)
	if v, ok := s.o.get("mcp_servers"); ok && v.Get("#").Int() > 0 {
		s.req.Stateful = true
		s.native("mcp_servers")
	}
	if _, ok := s.o.get("container"); ok {
		s.req.Stateful = true
		s.native("a container")
	}
	if v, ok := s.o.get("output_config"); ok {
		if f := v.Get("format"); f.Get("type").Str == "json_schema" {
			if !f.Get("schema").IsObject() {
				return field("output_config", "output_config.format.schema: Field required")
			}
			s.req.Needs.JSONSchema = true
		}
	}
	switch effortOf(s.o.at("thinking"), s.o.at("output_config")) {
	case "high", "xhigh", "max":
		s.req.DeepEffort = true
	}
	return nil
}

// effortOf is the reasoning effort that thinking and output_config ask for; "" if the
// client said nothing. A budget is taken for the effort that is nearest to it, and
// thinking that is left to the model for medium.
func effortOf(thinking, output gjson.Result) string {
	effort := output.Get("effort").Str
	switch thinking.Get("type").Str {
	case "disabled":
		return "none"
	case "enabled":
		if effort != "" {
			return effort
		}
		switch budget := thinking.Get("budget_tokens").Int(); {
		case budget < 4096:
			return "low"
		case budget < 12_288:
			return "medium"
		}
		return "high"
	case "between_tools":
		return or(effort, "low")
	case "adaptive":
		return or(effort, "medium")
	}
	return effort
}

// tools looks at the tools and at which of them must be called.
func (s *messagesScan) tools() *gateway.Error {
	list, has := s.o.get("tools")
	names := map[string]bool{}
	for i, t := range list.Array() {
		name := t.Get("name")
		if kind := t.Get("type").Str; kind != "" && kind != "custom" {
			s.native("the tool " + strconv.Quote(clip(or(name.Str, kind))) + " of type " + strconv.Quote(clip(kind)))
			if !runsAtClient(kind) {
				s.req.Stateful = true
			}
		} else if name.Type != gjson.String || name.Str == "" {
			return field("tools", "tools.%d.name: Field required", i)
		} else if !t.Get("input_schema").IsObject() {
			return field("tools", "tools.%d.input_schema: Field required", i)
		}
		if name.Str != "" && names[name.Str] {
			return field("tools", "tools: Tool names must be unique.")
		}
		names[name.Str] = true
		s.req.Needs.Tools = true
	}
	if has {
		s.req.PromptBytes += len(list.Raw)
	}
	choice, ok := s.o.get("tool_choice")
	if !ok {
		return nil
	}
	switch kind := choice.Get("type").Str; kind {
	case "auto", "none":
	case "any", "tool":
		if !s.req.Needs.Tools {
			return field("tool_choice", "tool_choice may only be specified while providing tools")
		}
		if name := choice.Get("name").Str; kind == "tool" && !names[name] {
			return field("tool_choice", "tool_choice: Tool '%s' not found in provided tools", clip(name))
		}
		s.req.Needs.ToolForce = true
	default:
		return field("tool_choice", "tool_choice.type: must be auto, any, tool or none")
	}
	return nil
}

// runsAtClient says whether a tool that the vendor defined is run by the client: asking
// a second provider then has no effects. Source: wire reference section 14.
func runsAtClient(kind string) bool {
	for _, name := range [...]string{"bash_", "text_editor_", "computer_", "memory_"} {
		if strings.HasPrefix(kind, name) {
			return true
		}
	}
	return false
}

// conversation looks at the system texts and the turns.
func (s *messagesScan) conversation() *gateway.Error {
	var prefix maphash.Hash
	prefix.SetSeed(prefixSeed)
	if system, ok := s.o.get("system"); ok {
		if err := s.content(system, "system"); err != nil {
			return err
		}
		eachBlock(system, func(b gjson.Result) {
			if text := blockText(b); !isBilling(text) {
				prefix.WriteString(text)
			}
		})
	}
	messages, ok := s.o.get("messages")
	if !ok {
		return field("messages", "messages: Field required")
	}
	var err *gateway.Error
	messages.ForEach(func(_, m gjson.Result) bool {
		if err = s.turn(m); err == nil && s.req.Prefix == 0 && m.Get("role").Str == "user" {
			eachBlock(m.Get("content"), func(b gjson.Result) {
				prefix.WriteString(blockText(b))
				prefix.WriteString(b.Get("source").Raw) // of an image or document
			})
			s.req.Prefix = prefix.Sum64()
		}
		s.req.Messages++
		return err == nil
	})
	if err == nil && s.req.Messages == 0 {
		err = field("messages", "messages: at least one message is required")
	}
	return err
}

// isBilling says whether a system text is the line that Claude Code puts first. It is
// different in each conversation and would spoil every other provider's cache.
func isBilling(text string) bool { return strings.HasPrefix(text, "x-anthropic-billing-header:") }

// eachBlock goes through a content, which may be a string.
func eachBlock(content gjson.Result, do func(b gjson.Result)) {
	if content.Type == gjson.String {
		do(content)
		return
	}
	content.ForEach(func(_, b gjson.Result) bool {
		do(b)
		return true
	})
}

func blockText(b gjson.Result) string {
	if b.Type == gjson.String {
		return b.Str
	}
	return b.Get("text").Str
}

func (s *messagesScan) at() string { return "messages." + strconv.Itoa(s.req.Messages) }

func (s *messagesScan) turn(m gjson.Result) *gateway.Error {
	if !m.IsObject() {
		return field("messages", "%s: Input should be an object", s.at())
	}
	switch m.Get("role").Str {
	case "user", "assistant", "system":
	default:
		return field("messages", "%s.role: Input should be 'user' or 'assistant'", s.at())
	}
	content := m.Get("content")
	if content.Type != gjson.String && !content.IsArray() {
		return field("messages", "%s.content: Field required", s.at())
	}
	calls := len(s.req.Loop.Calls)
	err := s.content(content, s.at()+".content")
	if m.Get("role").Str == "user" && len(s.req.Loop.Calls) == calls {
		s.req.Loop = gateway.Loop{} // the user speaks: what comes now is another loop
	}
	return err
}

func (s *messagesScan) content(content gjson.Result, where string) *gateway.Error {
	if content.Type == gjson.String {
		s.req.PromptBytes += len(content.Str)
		return nil
	}
	if content.Type == gjson.Null { // of a tool that said nothing
		return nil
	}
	var err *gateway.Error
	i := 0
	content.ForEach(func(_, b gjson.Result) bool {
		err = s.block(b, where+"."+strconv.Itoa(i))
		i++
		return err == nil
	})
	return err
}

func (s *messagesScan) block(b gjson.Result, where string) *gateway.Error {
	if !b.IsObject() {
		return field("messages", "%s: Input should be an object", where)
	}
	switch kind := b.Get("type").Str; kind {
	case "text":
		if b.Get("text").Type != gjson.String {
			return field("messages", "%s.text: Field required", where)
		}
		s.req.PromptBytes += len(b.Get("text").Str)
	case "thinking", "redacted_thinking":
		s.req.PromptBytes += len(b.Get("thinking").Str)
		state, sealed := unseal(b.Get("signature").Str + b.Get("data").Str)
		if s.req.Loop.Maker, s.req.Loop.Model = state.maker(); !sealed {
			s.req.Loop.Maker = messagesMaker
		}
	case "image":
		s.req.Images++
		return s.source(b.Get("source"), where, &s.req.Needs.ImageData, &s.req.Needs.ImageURL)
	case "document":
		return s.source(b.Get("source"), where, &s.req.Needs.Files, &s.req.Needs.Files)
	case "tool_use":
		if b.Get("id").Str == "" || b.Get("name").Str == "" {
			return field("messages", "%s: a tool_use needs id and name", where)
		}
		s.req.PromptBytes += len(b.Get("input").Raw)
	case "tool_result":
		if b.Get("tool_use_id").Str == "" {
			return field("messages", "%s.tool_use_id: Field required", where)
		}
		id := b.Get("tool_use_id").Str
		s.req.Loop.Calls = append(s.req.Loop.Calls, id)
		if own := ownID(id); own != id { // the id as it came may be its maker's own all the same
			s.req.Loop.Calls = append(s.req.Loop.Calls, own)
		}
		return s.content(b.Get("content"), where+".content")
	case "search_result":
		return s.content(b.Get("content"), where+".content")
	case "":
		return field("messages", "%s.type: Field required", where)
	default: // what the provider's own tools said, and what is newer than this list
		s.native("content blocks of type " + strconv.Quote(clip(kind)))
	}
	return nil
}

// source looks at where an image or document is.
func (s *messagesScan) source(v gjson.Result, where string, data, url *bool) *gateway.Error {
	switch kind := v.Get("type").Str; kind {
	case "base64":
		if v.Get("media_type").Str == "" || v.Get("data").Type != gjson.String {
			return field("messages", "%s.source: base64 needs media_type and data", where)
		}
		*data = true
	case "url":
		if link := v.Get("url").Str; !strings.HasPrefix(link, "http://") && !strings.HasPrefix(link, "https://") {
			return field("messages", "%s.source.url: must be an http(s) URL", where)
		}
		*url = true
	case "text":
		s.req.PromptBytes += len(v.Get("data").Str)
	case "content":
		return s.content(v.Get("content"), where+".source.content")
	case "file":
		s.native("files kept at Anthropic")
		keeps(s.req, "file")
	default:
		return field("messages", "%s.source.type: must be base64, url, text, content or file", where)
	}
	return nil
}
