package api

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"gateway"
)

// decodeResponses makes the normal form of a Responses body that scanResponses
// accepted. It runs only when a provider of another format is asked.
func decodeResponses(raw []byte) (*gateway.Chat, error) {
	body := parseInPlace(raw)
	d := &responsesDecoder{chat: &gateway.Chat{}, tools: toolsOfClient(body)}
	if text := body.Get("instructions"); text.Type == gjson.String && text.Str != "" {
		d.add(gateway.Message{Speaker: gateway.System, Parts: []gateway.Part{{Text: text.Str}}})
	}
	if err := d.input(body.Get("input")); err != nil {
		return nil, err
	}
	var err *gateway.Error
	names := map[string]bool{}
	for _, list := range offered(body) {
		if kind, is := leavesWebSearch(list); is {
			d.leftOut("the tool " + strconv.Quote(clip(kind)) + ", which OpenAI's own servers run, was left out")
		}
		more, err := functionsOf(list, "")
		if err != nil {
			return nil, err
		}
		for _, tool := range more {
			if !names[tool.Name] || !strings.Contains(body.Raw, toolSearchOutput) { // two searches may have found the same
				d.chat.Tools = append(d.chat.Tools, tool)
			}
			names[tool.Name] = true
		}
	}
	body.ForEach(func(k, v gjson.Result) bool {
		if err = storedElsewhere(k.Str, v); err == nil && v.Type != gjson.Null {
			err = d.setting(k.Str, v)
		}
		return err == nil
	})
	if err != nil {
		return nil, err
	}
	return d.chat, nil
}

type responsesDecoder struct {
	chat    *gateway.Chat
	tools   clientTools
	results map[string][]toolResult // by call id, in the order of the input
	turn    *assistantTurn          // being gathered; nil outside of one
}

// leftOut notes what no other format has, each thing once.
func (d *responsesDecoder) leftOut(what string) {
	switch told := d.chat.LeftOut; {
	case told == "":
		d.chat.LeftOut = what
	case !strings.Contains(told, what):
		d.chat.LeftOut = told + "; " + what
	}
}

func (d *responsesDecoder) setting(name string, v gjson.Result) (err *gateway.Error) {
	c := d.chat
	switch name {
	case "tool_choice":
		err = d.choice(v)
	case "parallel_tool_calls":
		b := v.Bool()
		c.ParallelTools = &b
	case "text":
		d.format(v.Get("format"))
		c.Verbosity = v.Get("verbosity").Str
	case "max_output_tokens":
		c.MaxTokens = int(v.Int())
	case "temperature":
		c.Temperature = gateway.Number(v.Raw)
	case "top_p":
		c.TopP = gateway.Number(v.Raw)
	case "include":
		c.Logprobs = c.Logprobs || includesLogprobs(v)
	case "top_logprobs":
		if c.TopLogprobs = int(v.Int()); c.TopLogprobs > 0 {
			c.Logprobs = true
		}
	case "reasoning":
		c.Effort = v.Get("effort").Str
		c.Thoughts = v.Get("summary").Type == gjson.String
	case "user":
		if c.User == "" {
			c.User = v.Str
		}
	case "safety_identifier":
		c.User = v.Str
	}
	return err
}

func includesLogprobs(include gjson.Result) bool {
	for _, one := range include.Array() {
		if one.Str == "message.output_text.logprobs" {
			return true
		}
	}
	return false
}

func (d *responsesDecoder) format(v gjson.Result) {
	f := &d.chat.Format
	f.Mode = v.Get("type").Str
	f.Name, f.Description, f.Strict = v.Get("name").Str, v.Get("description").Str, v.Get("strict").Bool()
	if schema := v.Get("schema"); schema.IsObject() {
		f.Schema = json.RawMessage(schema.Raw)
	}
}

func (d *responsesDecoder) choice(v gjson.Result) *gateway.Error {
	c := &d.chat.ToolChoice
	if v.Type == gjson.String {
		c.Mode = v.Str
		return nil
	}
	named := func(t gjson.Result) (string, *gateway.Error) {
		kind := t.Get("type").Str
		switch {
		case kind == localShell:
			return localShell, nil
		case serverTool(t):
			return "", only("tool_choice", "\"tool_choice\" wants a tool of type %q, which OpenAI's own servers run.", kind)
		}
		return heardAs(t.Get("namespace").Str, t.Get("name").Str), nil
	}
	if v.Get("type").Str == "allowed_tools" {
		c.Mode = or(v.Get("mode").Str, "auto")
		for _, t := range v.Get("tools").Array() {
			if webSearch(t.Get("type").Str) {
				continue
			}
			name, err := named(t)
			if err != nil {
				return err
			}
			c.Allowed = append(c.Allowed, name)
		}
		return nil
	}
	name, err := named(v)
	if err != nil {
		return err
	}
	c.Mode, c.Name = "named", name
	if name == "" {
		return field("tool_choice", "\"tool_choice\" names no function.")
	}
	return nil
}

// contentParts reads what a message or a tool result says.
func contentParts(content gjson.Result, at int) ([]gateway.Part, *gateway.Error) {
	switch {
	case content.Type == gjson.String:
		return []gateway.Part{{Text: content.Str}}, nil
	case !content.IsArray():
		return nil, nil
	}
	var out []gateway.Part
	for _, p := range content.Array() {
		part, err := contentPart(p, at)
		if err != nil {
			return nil, err
		}
		if p.Get("prompt_cache_breakpoint").IsObject() {
			part.Cache = "5m"
		}
		out = append(out, part)
	}
	return out, nil
}

func contentPart(p gjson.Result, at int) (gateway.Part, *gateway.Error) {
	switch kind := p.Get("type").Str; kind {
	case "input_text", "output_text", "text", "summary_text", "reasoning_text":
		return gateway.Part{Text: p.Get("text").Str}, nil
	case "refusal":
		return gateway.Part{Text: p.Get("refusal").Str}, nil
	case "input_image":
		part := gateway.Part{Kind: gateway.ImagePart, Detail: p.Get("detail").Str, FileID: p.Get("file_id").Str}
		if part.FileID != "" {
			return part, only("input", "input[%d] has an image by file_id, which only OpenAI can find: send it as a data: URL in image_url.", at)
		}
		return inputLocated(part, p.Get("image_url").Str, at)
	case "input_file":
		part := gateway.Part{Kind: gateway.FilePart, Name: p.Get("filename").Str, FileID: p.Get("file_id").Str}
		switch {
		case part.FileID != "":
			return part, only("input", "input[%d] has a file by file_id, which only OpenAI can find: send it as file_data.", at)
		case p.Get("file_url").Str != "":
			return part, only("input", "input[%d] has a file by URL, which only OpenAI fetches: send it as file_data.", at)
		}
		return inputLocated(part, p.Get("file_data").Str, at)
	default:
		return gateway.Part{}, only("input", "input[%d] has content of type %q, which is not known here.", at, clip(kind))
	}
}

// inputLocated takes a data: URL apart, or keeps the URL of what must be fetched.
func inputLocated(part gateway.Part, url string, at int) (gateway.Part, *gateway.Error) {
	part, err := located(part, url, at)
	if err != nil {
		err = field("input", "input[%d] has a data: URL that is not data:TYPE;base64,DATA.", at)
	}
	return part, err
}
