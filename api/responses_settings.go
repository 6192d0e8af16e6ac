package api

import (
	"github.com/tidwall/gjson"

	"gateway"
)

// tools checks the tools and what is demanded of them.
func (s *responsesScan) tools() *gateway.Error {
	own, search := 0, false
	lists := s.more
	if v, ok := s.get("tools"); ok {
		lists = append(lists, v)
		s.req.PromptBytes += len(v.Raw)
	}
	for _, v := range lists {
		for i, t := range v.Array() {
			kind := t.Get("type").Str
			if serverTool(t) {
				fee(s.req, "tools")
			}
			switch {
			case !serverTool(t):
				own++
				if t.Get("name").Str == "" && kind != localShell && kind != toolSearch {
					return field("tools", "tools[%d] has no name.", i)
				}
			case s.pinned:
			case webSearch(kind):
				search = true
			default:
				return field("tools", "tools[%d] is of type %q, which OpenAI's own servers run: offer a function instead and run it yourself."+advice, i, clip(kind))
			}
		}
	}
	s.req.Needs.Tools = own > 0
	if search && own == 0 {
		return field("tools", "No provider but OpenAI itself has \"web_search\": offer a function instead and run it yourself."+advice)
	}
	return s.choice()
}

func (s *responsesScan) choice() *gateway.Error {
	v, ok := s.get("tool_choice")
	if !ok || s.pinned {
		return nil
	}
	if v.Type == gjson.String {
		switch v.Str {
		case "auto", "none":
			return nil
		case "required":
			return s.force()
		}
		return field("tool_choice", "\"tool_choice\" must be auto, none, required or a tool.")
	}
	kind := v.Get("type").Str
	if kind == "allowed_tools" {
		if v.Get("mode").Str == "required" {
			return s.force()
		}
		return nil
	}
	if serverTool(v) {
		return field("tool_choice", "\"tool_choice\" wants a tool of type %q, which OpenAI's own servers run."+advice, clip(kind))
	}
	if kind != localShell && v.Get("name").Str == "" {
		return field("tool_choice", "\"tool_choice\" names no tool.")
	}
	return s.force()
}

func (s *responsesScan) force() *gateway.Error {
	if !s.req.Needs.Tools {
		return field("tool_choice", "\"tool_choice\" needs \"tools\".")
	}
	s.req.Needs.ToolForce = true
	return nil
}

func (s *responsesScan) settings() *gateway.Error {
	req := s.req
	if v, ok := s.get("max_output_tokens"); ok {
		if v.Int() < 1 || v.Int() > 1<<31 {
			return field("max_output_tokens", "The limit on tokens must be at least 1.")
		}
		req.MaxTokens = int(v.Int())
	}
	if v, ok := s.get("text"); ok {
		switch f := v.Get("format"); f.Get("type").Str {
		case "json_object":
			req.Needs.JSONMode = true
		case "json_schema":
			req.Needs.JSONSchema, req.Needs.StrictJSON = true, f.Get("strict").Bool()
			if !f.Get("schema").IsObject() {
				return field("text", "\"text.format.schema\" must be an object.")
			}
		case "", "text":
		default:
			return field("text", "\"text.format.type\" must be text, json_object or json_schema.")
		}
	}
	if v, ok := s.get("reasoning"); ok {
		effort := v.Get("effort").Str
		req.DeepEffort = effort == "high" || effort == "xhigh" || effort == "max"
	}
	if v, ok := s.get("include"); ok && includesLogprobs(v) {
		req.Needs.Logprobs = true
	}
	if v, ok := s.get("top_logprobs"); ok && v.Int() > 0 {
		req.Needs.Logprobs = true
	}
	if v, ok := s.get("prompt_cache_key"); ok && req.Options.Affinity == "" {
		req.Options.Affinity = v.Str // the conversation's own name: it stays with its provider and its cache
	}
	return nil
}
