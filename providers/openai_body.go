package providers

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"github.com/tidwall/gjson"

	"gateway"
)

// edit rewrites a Chat Completions body for one provider. What it does not know it
// copies byte for byte, in the client's order.
type edit struct {
	q        *Quirks
	settings *Settings
	call     *gateway.Call
	sent     payload  // what is finished
	out      []byte   // the piece under way
	written  []string // fields of the body so far
	model    modelRules

	maxTokens string // JSON number of the client's limit
	effort    string // the client's reasoning_effort
	schema    string // JSON schema to put into a system message
	oldCall   string // id given to the last deprecated function_call of the history
	oldCalls  int
	tools     bool // the client sent tools in the present form
}

// body makes the request body of a call.
func (a *openAI) body(call *gateway.Call) (payload, error) {
	raw := call.Request.Raw
	if call.Request.Wire != openAIWire || raw == nil {
		chat, err := call.Chat()
		if err != nil {
			return nil, err
		}
		if fileByURL(chat) {
			return nil, cannot(call, "files by URL")
		}
		raw = encodeOpenAI(chat, call.Model)
	}
	top := call.Request.Top
	if top == nil || call.Request.Wire != openAIWire {
		var err error
		if top, err = topOf(raw); err != nil {
			return nil, err
		}
	}
	e := &edit{q: &a.Quirks, settings: &a.Settings, call: call, out: make([]byte, 0, min(len(raw), 2*spliceLeast)+512), written: make([]string, 0, 16)}
	if a.Quirks.Reasoning {
		e.model = rulesOf(call.Model.Name)
	}
	return e.run(top), nil
}

// topOf reads the fields of a body that nobody has taken apart yet.
func topOf(raw []byte) ([]gateway.Field, error) {
	// A request's bytes never change, so the scanner may look at them in place.
	object := gjson.Parse(unsafe.String(unsafe.SliceData(raw), len(raw)))
	if !object.IsObject() {
		return nil, gateway.Errorf(gateway.Invalid, "the body is not a JSON object")
	}
	top := make([]gateway.Field, 0, 16)
	object.ForEach(func(key, value gjson.Result) bool {
		top = append(top, gateway.Field{Name: key.Str, Raw: value.Raw})
		return true
	})
	return top, nil
}

func (e *edit) run(top []gateway.Field) payload {
	model := false
	for i := range top {
		value := gjson.Parse(top[i].Raw)
		switch top[i].Name {
		case "model":
			model = true
		case "reasoning_effort":
			e.effort = value.Str
		case "max_completion_tokens":
			if value.Type == gjson.Number {
				e.maxTokens = value.Raw // wins over max_tokens
			}
		case "max_tokens":
			if value.Type == gjson.Number && e.maxTokens == "" {
				e.maxTokens = value.Raw
			}
		case "tools":
			e.tools = true
		case "response_format":
			if e.q.SchemaInSystem && value.Get("type").Str == "json_schema" {
				e.schema = value.Get("json_schema.schema").Raw
			}
		}
	}
	if e.tools && e.model.toolsUnthinking {
		e.effort = "none"
	}
	if e.call.MaxTokens > 0 {
		e.maxTokens = strconv.Itoa(e.call.MaxTokens)
	}
	e.out = append(e.out, '{')
	if !model {
		e.own("model")
	}
	for i := range top {
		e.field(top[i].Name, gjson.Parse(top[i].Raw))
	}
	e.finish()
	return append(e.sent, append(e.out, '}'))
}

func (e *edit) put(name, value string) {
	if slices.Contains(e.written, name) {
		return
	}
	e.written = append(e.written, name)
	if len(e.out) > 1 || len(e.sent) > 0 {
		e.out = append(e.out, ',')
	}
	e.out = appendQuoted(e.out, name)
	e.out = append(e.out, ':')
	if len(value) < spliceLeast {
		e.out = append(e.out, value...)
		return
	}
	// A string never changes, so its bytes may be sent from where they lie.
	e.sent = append(e.sent, e.out, unsafe.Slice(unsafe.StringData(value), len(value)))
	e.out = e.out[len(e.out):]
}

// appendQuoted writes a text as a JSON string.
func appendQuoted(b []byte, text string) []byte {
	if !simple(text) {
		return append(b, quoted(text)...)
	}
	b = append(b, '"')
	b = append(b, text...)
	return append(b, '"')
}

// simple: the text is its own JSON between quotes.
func simple(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

func quoted(text string) string {
	if simple(text) {
		return `"` + text + `"`
	}
	raw, err := json.Marshal(text)
	if err != nil {
		return `""`
	}
	return inPlace(raw)
}

// field writes one field of the client's body as this provider wants it.
func (e *edit) field(name string, value gjson.Result) {
	switch name {
	case "model", "stream", "stream_options", "max_tokens", "max_completion_tokens", "reasoning_effort":
		e.own(name)
		return
	}
	if e.drops(name) {
		return
	}
	switch name {
	case "messages":
		e.put(name, e.messages(value))
	case "tool_choice":
		e.put(name, e.toolChoice(value))
	case "functions":
		if !e.tools {
			e.put("tools", toolsOf(value))
		}
	case "function_call":
		if !e.tools {
			e.put("tool_choice", e.toolChoice(choiceOf(value)))
		}
	case "response_format":
		if e.schema != "" {
			e.put(name, `{"type":"json_object"}`)
			return
		}
		e.put(name, value.Raw)
	case "stop":
		if e.q.StopArray && value.Type == gjson.String {
			e.put(e.renamed(name), "["+value.Raw+"]")
			return
		}
		e.put(e.renamed(name), value.Raw)
	default:
		e.put(e.renamed(name), value.Raw)
	}
}

func (e *edit) renamed(name string) string {
	if to, ok := e.q.Rename[name]; ok && to != "" {
		return to
	}
	return name
}

// knownFields are those that a server strict about unknown fields takes.
var knownFields = strings.Fields(`messages temperature top_p stop random_seed seed response_format tools tool_choice
	functions function_call presence_penalty frequency_penalty n parallel_tool_calls prediction reasoning_effort
	prompt_mode safe_prompt prompt_cache_key metadata`)

func (e *edit) drops(name string) bool {
	if slices.Contains(e.q.Drop, name) || e.model.drops(name, e.effort) {
		return true
	}
	return e.q.OnlyKnown && !slices.Contains(knownFields, name) && !slices.Contains(knownFields, e.renamed(name))
}

func (e *edit) toolChoice(value gjson.Result) string {
	word := value.Str
	if value.IsObject() {
		word = "named"
	}
	if to := e.q.ToolChoice[word]; to != "" {
		return quoted(to)
	}
	return value.Raw
}

// toolsOf turns the deprecated functions into tools.
func toolsOf(functions gjson.Result) string {
	var out []byte
	functions.ForEach(func(_, f gjson.Result) bool {
		out = append(append(append(out, `,{"type":"function","function":`...), f.Raw...), '}')
		return true
	})
	if len(out) == 0 {
		return "[]"
	}
	out[0] = '['
	return string(out) + "]"
}

// choiceOf turns the deprecated function_call into a tool_choice.
func choiceOf(value gjson.Result) gjson.Result {
	if value.IsObject() {
		return gjson.Parse(`{"type":"function","function":` + value.Raw + `}`)
	}
	return value
}

// own writes a field that is the gateway's to set, where the client had it.
func (e *edit) own(name string) {
	switch name {
	case "model":
		e.put(name, quoted(e.call.Model.Name))
	case "max_tokens", "max_completion_tokens":
		e.limit()
	case "reasoning_effort":
		e.thinking()
	case "stream":
		e.put(name, strconv.FormatBool(!e.call.Plain))
	case "stream_options":
		if !e.call.Plain && !e.q.NoUsageOption {
			e.put(name, `{"include_usage":true}`)
		}
	}
}

// limit writes the limit on tokens under the name that this provider has for it.
func (e *edit) limit() {
	if e.maxTokens == "" {
		return
	}
	field := e.q.MaxTokensField
	if e.model.reasoning {
		field = "max_completion_tokens"
	}
	if field == "" {
		field = "max_tokens"
	}
	e.put(field, e.maxTokens)
}

// finish writes what the client did not send and the provider needs.
func (e *edit) finish() {
	for _, name := range [...]string{"model", "max_tokens", "reasoning_effort", "stream", "stream_options"} {
		e.own(name)
	}
	for _, params := range [...]map[string]json.RawMessage{e.settings.ModelParams[e.call.Model.Name], e.settings.Params} {
		for _, name := range sortedKeys(params) {
			e.put(name, string(params[name]))
		}
	}
}

func sortedKeys(params map[string]json.RawMessage) []string {
	keys := make([]string, 0, len(params))
	for k := range params {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// thinking writes the effort in this provider's words.
func (e *edit) thinking() {
	off := e.effort == "none" || e.effort == "" && e.q.ThinkingOff
	if e.q.Thinking || e.q.ThinkingOff {
		if off {
			e.put("thinking", `{"type":"disabled"}`)
		} else if e.effort != "" {
			e.put("thinking", `{"type":"enabled"}`)
		}
	}
	if e.effort == "" || e.drops("reasoning_effort") || off && e.q.Thinking {
		return
	}
	word := e.model.effort(e.effort)
	if to, ok := e.q.Effort[word]; ok {
		word = to
	}
	if word != "" {
		e.put("reasoning_effort", quoted(word))
	}
}
