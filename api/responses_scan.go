package api

import (
	"bytes"
	"encoding/base64"
	"hash/maphash"
	"strings"

	"github.com/tidwall/gjson"

	"gateway"
)

var responsesFields = map[string]kindOfField{
	"model": aString, "input": stringOrArray, "instructions": aString, "stream": aBool, "max_output_tokens": aWhole,
	"temperature": aNumber, "top_p": aNumber, "tools": anArray, "tool_choice": stringOrObject, "parallel_tool_calls": aBool,
	"reasoning": anObject, "text": anObject, "include": anArray, "store": aBool, "background": aBool,
	"previous_response_id": aString, "metadata": anObject, "truncation": aString, "prompt_cache_key": aString,
	"user": aString, "safety_identifier": aString, "service_tier": aString, "top_logprobs": aWhole, "max_tool_calls": aWhole,
	"stream_options": anObject, "conversation": stringOrObject, "prompt": anObject,
}

// scanResponses finds out what routing must know of a Responses request. pinned says
// whether its model is one that OpenAI's own API serves, so that what only that API can
// do may pass.
func scanResponses(raw []byte, req *gateway.Request, pinned func(*gateway.Request) bool) *gateway.Error {
	o, err := parse(raw)
	if err != nil {
		return err
	}
	if err := o.checkTypesBy(responsesFields); err != nil {
		return err
	}
	req.Raw, req.Wire, req.Decode = raw, responsesWire, decodeResponses
	if v, ok := o.get("model"); ok {
		req.Model = v.Str
	}
	if v, ok := o.get("stream"); ok {
		req.Stream = v.Bool()
	}
	o.noteFees(req, responsesFees)
	s := responsesScan{object: o, req: req, pinned: pinned(req)}
	for _, step := range []func() *gateway.Error{s.state, s.input, s.tools, s.settings} {
		if err := step(); err != nil {
			return err
		}
	}
	return s.foreign()
}

type responsesScan struct {
	*object
	req    *gateway.Request
	pinned bool
	more   []gjson.Result // lists of tools among the input
	kept   string         // the last state that was handed back since the user spoke
}

// advice is what to do instead of a thing that only OpenAI's own API can do.
const advice = " Or name a model of a provider of kind openai_responses as \"provider/model\", which serves it itself."

// state refuses what needs a conversation that was kept: nothing is kept here.
func (s *responsesScan) state() *gateway.Error {
	if s.pinned {
		for _, name := range []string{"background", "store"} {
			if v, ok := s.get(name); ok && v.Bool() {
				s.req.Stateful = true
			}
		}
		for _, name := range []string{"previous_response_id", "conversation"} {
			if _, ok := s.get(name); ok {
				s.req.Stateful = true
			}
		}
		return nil
	}
	s.req.Unstored = true // at OpenAI "store" is true where it is absent
	for i := range s.fields {
		if err := storedElsewhere(s.fields[i].name, s.fields[i].value); err != nil {
			return err
		}
	}
	return nil
}

// storedElsewhere refuses a field that goes on with what only OpenAI keeps.
func storedElsewhere(name string, v gjson.Result) *gateway.Error {
	if v.Type == gjson.Null {
		return nil
	}
	switch name {
	case "previous_response_id":
		err := field(name, "Responses are not stored here: send the whole conversation in \"input\", with the output items of earlier answers."+advice)
		err.Code = "previous_response_not_found"
		return err
	case "conversation":
		return field(name, "Conversations are not stored here: send the whole conversation in \"input\"."+advice)
	case "prompt":
		return field(name, "Prompt templates are stored at OpenAI: send \"instructions\" and \"input\"."+advice)
	case "background":
		if v.Bool() {
			return field(name, "There are no background responses here: leave \"background\" out, and stream if the answer is long."+advice)
		}
	}
	return nil
}

func (s *responsesScan) input() *gateway.Error {
	var prefix maphash.Hash
	prefix.SetSeed(prefixSeed)
	if v, ok := s.get("instructions"); ok {
		s.req.PromptBytes += len(v.Str)
		prefix.WriteString(v.Raw)
	}
	v, ok := s.get("input")
	switch {
	case !ok && s.pinned: // previous_response_id or a prompt may stand for it
		return nil
	case !ok:
		return field("input", "\"input\" is required.")
	case v.Type == gjson.String:
		s.req.Messages, s.req.PromptBytes = 1, s.req.PromptBytes+len(v.Str)
		hashTurn(&prefix, "user", v.Raw)
		s.req.Prefix = prefix.Sum64()
		return nil
	}
	var err *gateway.Error
	v.ForEach(func(_, item gjson.Result) bool {
		err = s.item(item)
		s.req.Messages++
		if s.req.Prefix == 0 && err == nil {
			hashItem(&prefix, item)
			if item.Get("role").Str == "user" { // as with messages: the part that stays
				s.req.Prefix = prefix.Sum64()
			}
		}
		return err == nil
	})
	if state, ok := responsesState(s.kept, ""); ok {
		s.req.Loop.Maker, s.req.Loop.Model = state.maker()
	}
	if err == nil && s.req.Messages == 0 && !s.pinned {
		err = field("input", "\"input\" must not be empty.")
	}
	return err
}

func (s *responsesScan) item(item gjson.Result) *gateway.Error {
	at := s.req.Messages
	if !item.IsObject() {
		return field("input", "input[%d] must be an object.", at)
	}
	if clientSearch(item) {
		s.search(item)
		return nil
	}
	kind := item.Get("type").Str
	switch kind {
	case "", "message":
		switch item.Get("role").Str {
		case "user": // what comes now is another loop
			s.req.Loop, s.kept = gateway.Loop{}, ""
		case "assistant", "system", "developer":
		default:
			if s.pinned {
				return nil
			}
			return field("input", "input[%d].role must be user, assistant, system or developer.", at)
		}
		return s.content(item.Get("content"), at)
	case "reasoning": // OpenAI's own is no part of what is estimated: most of it is not sent on
		state := item.Get("encrypted_content").Str
		if isSealed(state) { // in which is text, that its maker may be sent
			s.req.PromptBytes += base64.RawURLEncoding.DecodedLen(len(state))
		}
		s.kept = or(state, s.kept)
		if state == "" && responseOf(item) == "" { // OpenAI looks up what it kept
			keeps(s.req, "input")
		}
		return nil
	case "function_call", "custom_tool_call", "local_shell_call":
		s.req.PromptBytes += len(item.Raw)
		return nil
	case "function_call_output", "custom_tool_call_output", "local_shell_call_output":
		s.req.Loop.Calls = append(s.req.Loop.Calls, resultID(item))
		return s.content(item.Get("output"), at)
	}
	if kind == additionalTools {
		s.more = append(s.more, item.Get("tools"))
	}
	if s.pinned || kind == additionalTools || kind == webSearchCall {
		if kind != additionalTools { // a reference, or what stands for more than its bytes
			keeps(s.req, "input")
		}
		s.req.PromptBytes += len(item.Raw)
		return nil
	}
	if kind == "item_reference" {
		return field("input", "input[%d] refers to an item that is stored at OpenAI: send the item itself."+advice, at)
	}
	return field("input", "input[%d] is of type %q, which only OpenAI's own servers understand: leave it out."+advice, at, clip(kind))
}

func (s *responsesScan) content(v gjson.Result, at int) (err *gateway.Error) {
	switch {
	case v.Type == gjson.String:
		s.req.PromptBytes += len(v.Str)
	case v.IsArray():
		v.ForEach(func(_, part gjson.Result) bool {
			err = s.part(part, at)
			return err == nil
		})
	case v.Type != gjson.Null && !s.pinned:
		err = field("input", "input[%d] must have a string or an array of parts as its content.", at)
	}
	return err
}

func (s *responsesScan) part(part gjson.Result, at int) *gateway.Error {
	needs := &s.req.Needs
	switch part.Get("type").Str {
	case "input_image":
		s.req.Images++
		url := part.Get("image_url").Str
		switch {
		case strings.HasPrefix(url, "data:"):
			needs.ImageData = true
		case strings.HasPrefix(url, "http://"), strings.HasPrefix(url, "https://"):
			needs.ImageURL = true
		case part.Get("file_id").Str == "":
			return field("input", "input[%d]: image_url must be an http(s) or data: URL.", at)
		}
	case "input_file":
		needs.Files = true
	default:
		s.req.PromptBytes += len(part.Get("text").Raw)
	}
	return nil
}

// foreign takes out of what is relayed to OpenAI the reasoning of other providers: OpenAI
// would refuse state that this gateway made, and ids of reasoning that it does not know.
// Where it is read again is the request as it came.
func (s *responsesScan) foreign() *gateway.Error {
	if !bytes.Contains(s.raw, []byte(`"`+gateway.SealMark)) && !bytes.Contains(s.raw, []byte(`"`+olderMark)) && !bytes.Contains(s.raw, []byte(`"rs_`)) {
		return nil
	}
	whole := s.raw
	s.req.Decode = func([]byte) (*gateway.Chat, error) { return decodeResponses(whole) }
	v := gjson.GetBytes(whole, "input")
	if !v.IsArray() {
		return nil
	}
	from := v.Index
	out := make([]byte, 0, len(whole))
	out = append(out, whole[:from]...)
	mark := len(out)
	v.ForEach(func(_, item gjson.Result) bool {
		if !foreignReasoning(item) {
			out = append(append(out, ','), item.Raw...)
		}
		return true
	})
	if len(out) == mark {
		out = append(out, '[')
	}
	out[mark] = '['
	out = append(out, ']')
	s.req.Raw = append(out, whole[from+len(v.Raw):]...)
	return nil
}

func foreignReasoning(item gjson.Result) bool {
	if item.Get("type").Str != "reasoning" {
		return false
	}
	state := item.Get("encrypted_content").Str
	return isSealed(state) || state == "" && responseOf(item) != ""
}
