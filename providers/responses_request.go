package providers

import (
	"strconv"
	"strings"

	"gateway"
)

// responsesEdit translates a request in normal form into a Responses body.
type responsesEdit struct {
	settings *Settings
	call     *gateway.Call
	chat     *gateway.Chat
	rules    modelRules

	items       []string          // of the input
	ids         map[string]string // tool call ids given out
	recalled    bool              // earlier reasoning is handed back
	unreasoning bool              // no effort and no earlier reasoning is sent
}

// maxResponsesToolID is how long an id of a call may be.
const maxResponsesToolID = 40

// translate makes the body for a request in normal form. Nothing is stored at the
// provider: the reasoning comes back encrypted instead, and goes along next time.
func (a *responses) translate(call *gateway.Call, unreasoning bool) (*responsesAsk, error) {
	chat, err := call.Chat()
	if err != nil {
		return nil, err
	}
	e := &responsesEdit{settings: &a.Settings, call: call, chat: chat, rules: rulesOf(call.Model.Name),
		ids: map[string]string{}, unreasoning: unreasoning}
	switch {
	case chat.N > 1:
		return nil, e.cannot("give several choices")
	case chat.Logprobs:
		return nil, e.cannot("give logprobs")
	case len(chat.Stop) > 0:
		return nil, e.cannot("stop at a sequence")
	case call.Prefill != "":
		return nil, e.cannot("continue an answer")
	}
	if err := e.history(); err != nil {
		return nil, err
	}
	w := objectWriter{}
	w.put("model", quoted(call.Model.Name))
	w.put("input", array(e.items))
	e.tools(&w)
	e.format(&w)
	e.reasoning(&w)
	e.limits(&w)
	putText(&w, "user", chat.User)
	w.put("store", "false")
	w.put("stream", strconv.FormatBool(!call.Plain))
	reasons := !unreasoning && (e.recalled || chat.Effort != "")
	return &responsesAsk{body: a.withParams(w.bytes(), call.Model.Name), reasons: reasons, recalled: e.recalled}, nil
}

func (e *responsesEdit) cannot(what string) error {
	return &gateway.Error{Kind: gateway.Unsupported, Provider: e.settings.Name, Model: e.call.Model.Name,
		Message: "the model cannot " + what}
}

// tools writes the tools, flat as this format has them. An absent strict means true
// here and false in Chat Completions, so it is always said.
func (e *responsesEdit) tools(w *objectWriter) {
	if len(e.chat.Tools) == 0 {
		return
	}
	list := make([]string, len(e.chat.Tools))
	for i := range e.chat.Tools {
		t := &e.chat.Tools[i]
		f := objectWriter{}
		f.put("type", `"function"`)
		f.put("name", quoted(t.Name))
		putText(&f, "description", t.Description)
		schema := strings.TrimSpace(string(t.Parameters))
		if !isObject(schema) {
			schema = anyObject
		}
		f.put("parameters", schema)
		f.put("strict", strconv.FormatBool(t.Strict))
		list[i] = f.done()
	}
	w.put("tools", array(list))
	e.choice(w)
	if e.chat.ParallelTools != nil {
		w.put("parallel_tool_calls", strconv.FormatBool(*e.chat.ParallelTools))
	}
}

func (e *responsesEdit) choice(w *objectWriter) {
	function := func(name string) string { return `{"type":"function","name":` + quoted(name) + "}" }
	switch choice := &e.chat.ToolChoice; {
	case choice.Mode == "named":
		w.put("tool_choice", function(choice.Name))
	case len(choice.Allowed) > 0:
		allowed := make([]string, len(choice.Allowed))
		for i, name := range choice.Allowed {
			allowed[i] = function(name)
		}
		mode := choice.Mode
		if mode == "" {
			mode = "auto"
		}
		w.put("tool_choice", `{"type":"allowed_tools","mode":`+quoted(mode)+`,"tools":`+array(allowed)+"}")
	default:
		putText(w, "tool_choice", choice.Mode)
	}
}

func (e *responsesEdit) format(w *objectWriter) {
	f, text := &e.chat.Format, objectWriter{}
	if e.rules.verbosity {
		putText(&text, "verbosity", e.chat.Verbosity)
	}
	switch f.Mode {
	case "json_object":
		text.put("format", `{"type":"json_object"}`)
	case "json_schema":
		s := objectWriter{}
		s.put("type", `"json_schema"`)
		name := f.Name
		if name == "" {
			name = "answer"
		}
		s.put("name", quoted(name))
		putText(&s, "description", f.Description)
		s.put("schema", orEmpty(f.Schema))
		s.put("strict", strconv.FormatBool(f.Strict))
		text.put("format", s.done())
	}
	if text := text.done(); text != "{}" {
		w.put("text", text)
	}
}

// reasoning sets the effort and asks for the reasoning to keep. Models that do not
// reason refuse both; one of an unknown name reasons if an effort was asked.
func (e *responsesEdit) reasoning(w *objectWriter) {
	effort := e.rules.effort(e.chat.Effort)
	if effort != "" && !e.unreasoning {
		w.put("reasoning", `{"effort":`+quoted(effort)+"}")
	}
	if e.rules.reasoning || effort != "" && effort != "none" && !e.unreasoning {
		w.put("include", `["reasoning.encrypted_content"]`)
	}
}

// limits sets the length and the sampling that the model takes. Penalties and seeds
// have no field in this format.
func (e *responsesEdit) limits(w *objectWriter) {
	limit := e.call.MaxTokens
	if limit == 0 {
		limit = e.chat.MaxTokens
	}
	if limit > 0 {
		w.put("max_output_tokens", strconv.Itoa(limit))
	}
	effort := e.chat.Effort
	if e.unreasoning {
		effort = ""
	}
	if t := e.chat.Temperature; t != "" && !e.rules.drops("temperature", effort) {
		w.put("temperature", string(t))
	}
	if p := e.chat.TopP; p != "" && !e.rules.drops("top_p", effort) {
		w.put("top_p", string(p))
	}
}
