package providers

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tidwall/gjson"

	"gateway"
)

// messagesEdit translates a request in normal form into a Messages body.
type messagesEdit struct {
	settings *Settings
	call     *gateway.Call
	chat     *gateway.Chat
	rules    *claudeRules
	body     messagesBody

	ids        map[string]string // tool call ids given out
	behind     []messagesBlock   // of the user's turn that is open: what comes behind its tool results
	surplus    int               // cache breakpoints still to be left out
	forced     bool              // a tool must be called
	thinks     bool              // earlier thinking is handed back
	unthinking bool              // thinking goes off, whatever was asked
	answerTool string            // the tool whose input is the answer; "" for none
}

// messagesAsk is a body to be sent and how to read what it brings.
type messagesAsk struct {
	body       []byte
	relayed    bool   // the client's own Messages body
	answerTool string // its input is the answer's text
	thinks     bool   // asking again without thinking makes a difference
}

const defaultMaxTokens = 8192

// translate makes the body for a request in normal form. With unthinking, thinking is
// switched off as far as the model lets it and no earlier thinking is handed back.
func (a *anthropic) translate(call *gateway.Call, unthinking bool) (*messagesAsk, error) {
	chat, err := call.Chat()
	if err != nil {
		return nil, err
	}
	e := &messagesEdit{settings: &a.Settings, call: call, chat: chat, rules: claudeRulesOf(call.Model.Name),
		ids: map[string]string{}, surplus: surplusBreakpoints(chat), unthinking: unthinking}
	switch {
	case chat.N > 1:
		return nil, e.cannot("give several choices")
	case chat.Logprobs:
		return nil, e.cannot("give logprobs")
	}
	e.body.Model, e.body.Stream = call.Model.Name, !call.Plain
	e.limits()
	e.tools()
	e.format()
	e.think()
	if err := e.history(); err != nil {
		return nil, err
	}
	if chat.Format.Mode == "json_object" || chat.Format.Mode == "json_schema" && chat.Format.Schema == nil {
		e.body.System = append(e.body.System, messagesBlock{Type: "text", Text: jsonOnly})
	}
	e.sampling()
	if chat.User != "" {
		e.body.Metadata = &messagesMeta{UserID: chat.User}
	}
	raw, err := e.body.encode()
	if err != nil {
		return nil, &gateway.Error{Kind: gateway.Invalid, Provider: a.Name, Model: call.Model.Name, Message: "the request holds JSON that cannot be sent", Err: err}
	}
	thinks := !unthinking && (e.thinks || e.body.Thinking != nil)
	return &messagesAsk{body: a.withParams(call, raw), answerTool: e.answerTool, thinks: thinks}, nil
}

const jsonOnly = "Answer with one valid JSON object and nothing else: no other text and no code fence."

func (e *messagesEdit) cannot(what string) error {
	return &gateway.Error{Kind: gateway.Unsupported, Provider: e.settings.Name, Model: e.call.Model.Name,
		Message: "the model cannot " + what}
}

// limits sets max_tokens, which is required, and the stop sequences.
func (e *messagesEdit) limits() {
	most := e.mostTokens()
	switch {
	case e.call.MaxTokens > 0:
		e.body.MaxTokens = e.call.MaxTokens
	case e.chat.MaxTokens > 0:
		e.body.MaxTokens = e.chat.MaxTokens
	default:
		e.body.MaxTokens = defaultMaxTokens
		if configured, ok := e.settings.param(e.call, "max_tokens"); ok {
			if n, err := strconv.Atoi(configured); err == nil && n > 0 {
				e.body.MaxTokens = n
			}
		}
	}
	e.body.MaxTokens = min(e.body.MaxTokens, most)
	for _, s := range e.chat.Stop {
		if strings.TrimSpace(s) != "" {
			e.body.StopSequences = append(e.body.StopSequences, s)
		}
	}
}

func (e *messagesEdit) mostTokens() int {
	if e.call.Model.MaxOutput > 0 {
		return e.call.Model.MaxOutput
	}
	return e.rules.maxOutput
}

// think sets effort and thinking.
func (e *messagesEdit) think() {
	_, configured := e.settings.param(e.call, "thinking")
	always := e.rules.thinking == thinksAlways
	e.thinks = always || configured && e.rules.thinking != thinksNever
	effort := e.chat.Effort
	switch {
	case e.rules.thinking == thinksNever:
		return
	case e.unthinking || effort == "none":
		e.body.Thinking = &messagesThink{Type: e.rules.off}
		least := e.rules.off != "disabled"
		e.thinks = least && !e.unthinking
		if effort == "none" && least {
			effort = "low"
		}
		if word := e.offEffort(effort); word != "" {
			e.output().Effort = word
		}
		return
	case effort == "":
		return
	}
	if word := e.rules.effort(effort); word != "" {
		e.output().Effort = word
	}
	if e.forced || e.call.Prefill != "" {
		return // neither goes together with thinking that is asked for
	}
	switch e.rules.thinking {
	case thinksAsked:
		e.body.Thinking, e.thinks = &messagesThink{Type: thinksAsked}, true
	case thinksBudget:
		e.budget(effort)
	}
}

// offEffort is the effort beside thinking that is off: the highest two are refused there.
func (e *messagesEdit) offEffort(effort string) string {
	if effort == "xhigh" || effort == "max" {
		effort = "high"
	}
	return e.rules.effort(effort)
}

// budget switches thinking on for models that want a number of tokens. The answer gets
// as many as before on top, unless the limit is one that a hold was computed with.
func (e *messagesEdit) budget(effort string) {
	budget, most := thinkingBudget(effort), e.mostTokens()
	if budget == 0 || e.loopWithoutThinking() {
		return
	}
	limit := e.body.MaxTokens
	if e.call.MaxTokens == 0 {
		limit = min(limit+budget, most)
	}
	budget = min(budget, max(limit-e.body.MaxTokens, limit/2))
	if budget < minBudget {
		return
	}
	e.body.MaxTokens = limit
	e.body.Thinking, e.thinks = &messagesThink{Type: thinksBudget, Budget: budget}, true
}

// loopWithoutThinking says whether the tool loop that is under way began with a turn
// whose thinking is lost: with a budget such a request is refused.
func (e *messagesEdit) loopWithoutThinking() bool {
	var begin *gateway.Message
	for i := range e.chat.Messages {
		switch m := &e.chat.Messages[i]; {
		case m.Speaker == gateway.User:
			begin = nil
		case m.Speaker == gateway.Assistant && len(m.ToolCalls) > 0 && begin == nil:
			begin = m
		}
	}
	return begin != nil && len(e.thinkingOf(begin)) == 0
}

func (e *messagesEdit) output() *messagesOutput {
	if e.body.OutputConfig == nil {
		e.body.OutputConfig = &messagesOutput{}
	}
	return e.body.OutputConfig
}

// sampling passes on what the model takes: never both temperature and top_p, and none
// of them while it was asked to think.
func (e *messagesEdit) sampling() {
	if !e.rules.sampling || e.body.Thinking != nil && e.body.Thinking.Type != "disabled" {
		return
	}
	c := e.chat
	if t := c.Temperature; t != "" {
		if v, err := strconv.ParseFloat(string(t), 64); err != nil || v > 1 {
			t = "1"
		} else if v < 0 {
			t = "0"
		}
		e.body.Temperature = jsontext.Value(t)
	} else if c.TopP != "" {
		e.body.TopP = jsontext.Value(c.TopP)
	}
	if c.TopK != "" {
		e.body.TopK = jsontext.Value(c.TopK)
	}
}

// param is a configured field of the body.
func (s *Settings) param(call *gateway.Call, name string) (string, bool) {
	if v, ok := s.ModelParams[call.Model.Name][name]; ok {
		return string(v), true
	}
	v, ok := s.Params[name]
	return string(v), ok
}

// withParams adds the configured fields that the body does not have.
func (a *anthropic) withParams(call *gateway.Call, body []byte) []byte {
	if len(a.Params) == 0 && len(a.ModelParams[call.Model.Name]) == 0 {
		return body
	}
	has := map[string]bool{}
	gjson.ParseBytes(body).ForEach(func(key, _ gjson.Result) bool {
		has[key.Str] = true
		return true
	})
	names := sortedKeys(a.ModelParams[call.Model.Name])
	for _, name := range append(names, sortedKeys(a.Params)...) {
		if has[name] {
			continue
		}
		has[name] = true
		value, _ := a.param(call, name)
		body = append(body[:len(body)-1], ","+quoted(name)+":"+value+"}"...)
	}
	return body
}
