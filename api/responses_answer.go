package api

import (
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"gateway"
)

// echoed are the settings that an answer repeats, with what stands for one that was
// not given.
var echoed = [...]struct{ name, absent string }{
	{"instructions", "null"}, {"max_output_tokens", "null"}, {"max_tool_calls", "null"}, {"metadata", "{}"}, {"parallel_tool_calls", "true"},
	{"prompt_cache_key", "null"}, {"reasoning", `{"effort":null,"summary":null}`}, {"safety_identifier", "null"}, {"temperature", "1.0"},
	{"text", `{"format":{"type":"text"}}`}, {"tool_choice", `"auto"`}, {"tools", "[]"}, {"top_logprobs", "0"}, {"top_p", "1.0"},
	{"truncation", `"disabled"`}, {"user", "null"},
}

// responsesEcho is the part of an answer that repeats the request. Nothing is stored,
// whatever was asked, and the answer says so.
func responsesEcho(raw []byte) []byte {
	given := map[string]string{}
	parseInPlace(raw).ForEach(func(k, v gjson.Result) bool {
		if k.Str != "input" && v.Type != gjson.Null {
			given[k.Str] = v.Raw
		}
		return true
	})
	var b []byte
	for _, f := range echoed {
		b = append(b, `,"`+f.name+`":`...)
		b = append(b, or(given[f.name], f.absent)...)
	}
	return append(b, `,"background":false,"conversation":null,"previous_response_id":null,"store":false`...)
}

// responsesHead is the part of an answer that is the same in all its events.
type responsesHead struct {
	id      string // of the response, without its prefix; items have it in theirs
	created int64
	model   string
	echo    []byte
	tools   clientTools
	// relayedID is the provider's own id of an answer whose beginning was relayed.
	relayedID string
}

func newResponsesHead(req *gateway.Request, a *gateway.Answer) responsesHead {
	h := responsesHead{id: strings.ReplaceAll(req.ID, "-", ""), created: req.Begun.Unix(), model: req.Model,
		echo: responsesEcho(req.Raw), tools: toolsOfClient(parseInPlace(req.Raw))}
	if a != nil {
		h.model = a.Model
	}
	return h
}

// responseState is what changes from one event to the next.
type responseState struct {
	status  string
	reason  string // why it is incomplete
	code    string // of a failure, with its message
	message string
	items   [][]byte
	usage   *gateway.Usage
	receipt []gateway.AttemptNote
}

// response appends a response object.
func (h *responsesHead) response(b []byte, s *responseState) []byte {
	b = append(b, `{"id":`...)
	b = appendString(b, or(h.relayedID, "resp_"+h.id))
	b = append(b, `,"object":"response","created_at":`...)
	b = strconv.AppendInt(b, h.created, 10)
	b = append(b, `,"status":"`...)
	b = append(b, s.status...)
	b = append(b, `","error":`...)
	if s.code == "" {
		b = append(b, "null"...)
	} else {
		b = append(b, `{"code":`...)
		b = appendString(b, s.code)
		b = append(b, `,"message":`...)
		b = appendString(b, s.message)
		b = append(b, '}')
	}
	b = append(b, `,"incomplete_details":`...)
	if s.reason == "" {
		b = append(b, "null"...)
	} else {
		b = append(b, `{"reason":"`+s.reason+`"}`...)
	}
	b = append(b, `,"model":`...)
	b = appendString(b, h.model)
	b = append(b, `,"output":[`...)
	for i, item := range s.items {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, item...)
	}
	b = append(b, ']')
	b = append(b, h.echo...)
	b = append(b, `,"usage":`...)
	if s.usage == nil {
		b = append(b, "null"...)
	} else {
		b = appendResponsesUsage(b, s.usage)
	}
	if s.receipt != nil {
		b = appendReceipt(b, s.receipt)
	}
	return append(b, '}')
}

func appendResponsesUsage(b []byte, u *gateway.Usage) []byte {
	b = appendInt(b, `{"input_tokens":`, u.Prompt())
	b = appendInt(b, `,"input_tokens_details":{"cached_tokens":`, u.CachedRead)
	b = appendInt(b, `,"cache_write_tokens":`, u.CacheWrite5m+u.CacheWrite1h)
	b = appendInt(b, `},"output_tokens":`, u.Output)
	b = appendInt(b, `,"output_tokens_details":{"reasoning_tokens":`, u.Reasoning)
	b = appendInt(b, `},"total_tokens":`, u.Total())
	return append(b, '}')
}
