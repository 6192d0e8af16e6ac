package api

import (
	"hash/maphash"
	"math"
	"strings"

	"github.com/tidwall/gjson"

	"gateway"
)

// kindOfField is the JSON type a known field must have. Unknown fields may be anything:
// they go on to the providers that may know them.
type kindOfField uint8

const (
	aString kindOfField = iota
	aNumber
	aWhole
	aBool
	anArray
	anObject
	stringOrArray
	stringOrObject
)

var fieldKinds = map[string]kindOfField{
	"model": aString, "messages": anArray, "stream": aBool, "stream_options": anObject,
	"max_tokens": aWhole, "max_completion_tokens": aWhole, "temperature": aNumber, "top_p": aNumber, "top_k": aNumber, "min_p": aNumber,
	"frequency_penalty": aNumber, "presence_penalty": aNumber, "seed": aWhole, "n": aWhole, "stop": stringOrArray,
	"logprobs": aBool, "top_logprobs": aWhole, "tools": anArray, "tool_choice": stringOrObject, "parallel_tool_calls": aBool,
	"functions": anArray, "function_call": stringOrObject, "response_format": anObject, "reasoning_effort": aString,
	"user": aString, "metadata": anObject, "store": aBool, "service_tier": aString, "logit_bias": anObject,
	"encoding_format": aString, "dimensions": aWhole,
}

var kindWords = [...]string{"a string", "a number", "a whole number", "true or false", "an array", "an object", "a string or an array", "a string or an object"}

func (k kindOfField) fits(v gjson.Result) bool {
	switch k {
	case aString:
		return v.Type == gjson.String
	case aNumber:
		return v.Type == gjson.Number
	case aWhole:
		return v.Type == gjson.Number && !strings.ContainsAny(v.Raw, ".eE")
	case aBool:
		return v.IsBool()
	case anArray:
		return v.IsArray()
	case anObject:
		return v.IsObject()
	case stringOrArray:
		return v.Type == gjson.String || v.IsArray()
	default:
		return v.Type == gjson.String || v.IsObject()
	}
}

// checkTypes refuses a known field of a wrong type, by name.
func (o *object) checkTypes() *gateway.Error { return o.checkTypesBy(fieldKinds) }

func (o *object) checkTypesBy(kinds map[string]kindOfField) *gateway.Error {
	for i := range o.fields {
		name, v := o.fields[i].name, o.fields[i].value
		k, known := kinds[name]
		if known && v.Type != gjson.Null && !k.fits(v) {
			return field(name, "%q must be %s.", name, kindWords[k])
		}
	}
	return nil
}

// scanChat finds out what routing must know of a chat request, without building it.
func scanChat(raw []byte, req *gateway.Request) *gateway.Error {
	var room [12]property // of few bodies are there more
	o, err := parseInto(room[:0], raw)
	if err != nil {
		return err
	}
	if err := o.checkTypes(); err != nil {
		return err
	}
	messages, ok := o.get("messages")
	if !ok {
		return field("messages", "\"messages\" is required.")
	}
	if err := scanMessages(messages, req); err != nil {
		return err
	}
	req.Raw, req.Wire, req.Decode, req.Top = raw, chatWire, decodeChat, o.top()
	if v, ok := o.get("model"); ok {
		req.Model = strings.Clone(v.Str) // outlives the body
	}
	if v, ok := o.get("stream"); ok {
		req.Stream = v.Bool()
	}
	if v, ok := o.get("stream_options"); ok {
		req.IncludeUsage = v.Get("include_usage").Bool()
	}
	return o.scanNeeds(req)
}

// thinks says whether a body asks for reasoning as some servers of the format want it.
func (o *object) thinks() bool {
	for i := range o.fields {
		switch o.fields[i].name {
		case "reasoning", "thinking", "enable_thinking", "thinking_budget", "chat_template_kwargs", "extra_body":
			return true
		}
	}
	return false
}

func (o *object) scanNeeds(req *gateway.Request) *gateway.Error {
	req.Thinks = o.thinks()
	limit, ok := o.get("max_completion_tokens")
	if !ok {
		limit, ok = o.get("max_tokens")
	}
	if ok {
		if limit.Int() < 1 || limit.Int() > 1<<31 {
			return field("max_tokens", "The limit on tokens must be at least 1.")
		}
		req.MaxTokens = int(limit.Int())
	}
	if v, ok := o.get("n"); ok {
		if v.Int() < 1 || v.Int() > 128 {
			return field("n", "\"n\" must be between 1 and 128.")
		}
		req.Needs.Many = v.Int() > 1
	}
	if v, ok := o.get("seed"); ok {
		req.Seeded = v.Type == gjson.Number
	}
	if err := o.scanTools(req); err != nil {
		return err
	}
	if err := o.checkValues(); err != nil {
		return err
	}
	if v, ok := o.get("response_format"); ok {
		switch v.Get("type").Str {
		case "json_object":
			req.Needs.JSONMode = true
		case "json_schema":
			req.Needs.JSONSchema = true
			req.Needs.StrictJSON = v.Get("json_schema.strict").Bool()
			if !v.Get("json_schema.schema").IsObject() {
				return field("response_format", "\"response_format.json_schema.schema\" must be an object.")
			}
		case "text":
		default:
			return field("response_format", "\"response_format.type\" must be text, json_object or json_schema.")
		}
	}
	if v, ok := o.get("logprobs"); ok {
		req.Needs.Logprobs = v.Bool()
	}
	if v, ok := o.get("reasoning_effort"); ok {
		req.DeepEffort = v.Str == "high" || v.Str == "xhigh" || v.Str == "max"
	}
	for _, name := range []string{"store", "background"} {
		if v, ok := o.get(name); ok && v.Bool() {
			req.Stateful = true
		}
	}
	for _, name := range []string{"previous_response_id", "audio", "web_search_options"} {
		if _, ok := o.get(name); ok {
			req.Stateful = true
		}
	}
	if v, ok := o.get("modalities"); ok { // an image or speech is dear to make twice, and never the same
		for _, m := range v.Array() {
			req.Stateful = req.Stateful || m.Str != "text"
		}
	}
	o.noteFees(req, chatFees)
	return nil
}

func (o *object) scanTools(req *gateway.Request) *gateway.Error {
	for _, name := range []string{"tools", "functions"} {
		v, ok := o.get(name)
		if !ok || v.Get("#").Int() == 0 {
			continue
		}
		for i, t := range v.Array() {
			f := t
			if kind := t.Get("type").Str; name == "tools" && (kind == "" || kind == "function") {
				f = t.Get("function")
			} else if name == "tools" {
				continue // of a kind that some provider may know
			}
			if f.Get("name").Type != gjson.String || f.Get("name").Str == "" {
				return field(name, "%s[%d] has no function name.", name, i)
			}
		}
		req.Needs.Tools = true
		req.PromptBytes += len(v.Raw)
	}
	for _, name := range []string{"tool_choice", "function_call"} {
		v, ok := o.get(name)
		forced := ok && (v.Str == "required" || v.IsObject() && v.Get("type").Str != "allowed_tools")
		if forced && !req.Needs.Tools {
			return field(name, "%q needs \"tools\".", name)
		}
		req.Needs.ToolForce = req.Needs.ToolForce || forced
	}
	return nil
}

// checkValues refuses what has the right type and no meaning.
func (o *object) checkValues() *gateway.Error {
	if v, ok := o.get("stop"); ok {
		for _, s := range v.Array() {
			if s.Type != gjson.String {
				return field("stop", "\"stop\" must be a string or an array of strings.")
			}
		}
	}
	for i := range o.fields {
		name, v := o.fields[i].name, o.fields[i].value
		if v.Type == gjson.Number && math.IsInf(v.Num, 0) && fieldKinds[name] == aNumber {
			return field(name, "%q is out of range.", name)
		}
	}
	return nil
}

// prefixSeed keeps the hashes of this process to itself.
var prefixSeed = maphash.MakeSeed()

func scanMessages(messages gjson.Result, req *gateway.Request) (err *gateway.Error) {
	var prefix maphash.Hash
	prefix.SetSeed(prefixSeed)
	usual := true
	eachElement(messages.Raw, func(m string) bool {
		var role string
		role, err = scanMessage(m, req, &usual)
		req.Messages++
		if req.Prefix == 0 && err == nil {
			hashSaid(&prefix, m)
			if role == "user" { // system messages and the first question: the part that stays
				req.Prefix = prefix.Sum64()
			}
		}
		return err == nil
	})
	if err == nil && req.Messages == 0 {
		err = field("messages", "\"messages\" must not be empty.")
	}
	req.UsualHistory = usual
	return err
}

// scanMessage notes what is in one message; usual becomes false for what providers
// differ in.
func scanMessage(m string, req *gateway.Request, usual *bool) (role string, err *gateway.Error) {
	if m[0] != '{' {
		return "", field("messages", "messages[%d] must be an object.", req.Messages)
	}
	spoken := false
	eachMember(m, func(name, text string) bool {
		if strings.IndexByte(name, '\\') >= 0 {
			name = gjson.Parse(`"` + name + `"`).Str
		}
		switch name {
		case "role":
			spoken = true
			role, err = scanRole(gjson.Parse(text).Str, req)
			*usual = *usual && role != "developer" && role != "function"
			if role == "user" { // what comes now is another loop
				req.Loop = gateway.Loop{}
			}
		case "thinking_blocks":
			*usual = false
			if last := gjson.Get(text, "@reverse.0"); last.Exists() {
				req.Loop.Maker, req.Loop.Model = or(last.Get("maker").Str, chatMaker), last.Get("model").Str
			}
		case "tool_call_id":
			req.Loop.Calls = append(req.Loop.Calls, gjson.Parse(text).Str)
		case "content":
			err = scanContent(text, req)
		case "tool_calls":
			if text[0] != '[' && text != "null" {
				err = field("messages", "messages[%d].tool_calls must be an array.", req.Messages)
			}
			req.PromptBytes += len(text)
			*usual = *usual && !strings.Contains(text, "extra_content") && !strings.Contains(text, `\u`)
		case "name", "refusal":
		default:
			*usual = false
		}
		return err == nil
	})
	if err == nil && !spoken {
		err = field("messages", "messages[%d] has no role.", req.Messages)
	}
	return role, err
}

func scanRole(role string, req *gateway.Request) (string, *gateway.Error) {
	switch role {
	case "system", "developer", "user", "assistant", "tool", "function":
		return role, nil
	}
	return role, field("messages", "messages[%d].role must be system, developer, user, assistant or tool.", req.Messages)
}

func scanContent(text string, req *gateway.Request) (err *gateway.Error) {
	switch {
	case text[0] == '"':
		req.PromptBytes += len(text) - 2 // an escape counts as it is written
	case text[0] == '[':
		eachElement(text, func(part string) bool {
			err = scanPart(gjson.Parse(part), req)
			return err == nil
		})
	case text != "null":
		err = field("messages", "messages[%d].content must be a string, an array of parts or null.", req.Messages)
	}
	return err
}

func scanPart(part gjson.Result, req *gateway.Request) *gateway.Error {
	if !part.IsObject() {
		return field("messages", "messages[%d].content holds a part that is no object.", req.Messages)
	}
	switch part.Get("type").Str {
	case "text", "refusal":
		req.PromptBytes += len(part.Get("text").Raw)
	case "image_url":
		url := part.Get("image_url.url").Str
		req.Images++
		switch {
		case strings.HasPrefix(url, "data:"):
			req.Needs.ImageData = true
			req.MediaBytes += len(url)
		case strings.HasPrefix(url, "http://"), strings.HasPrefix(url, "https://"):
			req.Needs.ImageURL = true
		default:
			return field("messages", "messages[%d]: image_url.url must be an http(s) or data: URL.", req.Messages)
		}
	case "input_audio":
		req.Needs.Audio = true
	case "file":
		req.Needs.Files = true
	}
	return nil
}
