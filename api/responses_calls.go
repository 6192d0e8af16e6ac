package api

import (
	"math"
	"strconv"

	"github.com/tidwall/gjson"

	"gateway"
)

func (w *responsesWriter) argumentsDelta(b []byte, text string) []byte {
	b = w.itemEvent(b, "response.function_call_arguments.delta")
	b = append(b, `,"delta":`...)
	b = appendString(b, text)
	return append(b, "}\n\n"...)
}

// call appends the open call as an item. said is its arguments, or the text of its input.
func (w *responsesWriter) call(b []byte, status, said string) []byte {
	o := &w.open
	kind, field := "function_call", `,"arguments":`
	switch o.tool.shape {
	case customShape:
		kind, field = "custom_tool_call", `,"input":`
	case localShellShape:
		kind = "local_shell_call"
	case searchShape:
		kind = toolSearchCall
	}
	b = append(b, `{"id":"`...)
	b = append(b, o.id...)
	b = append(b, `","type":"`+kind+`","status":"`+status+`","call_id":`...)
	b = appendString(b, o.call.ID)
	switch o.tool.shape {
	case localShellShape:
		b = append(b, `,"action":`...)
		b = appendAction(b, said)
		return append(b, '}')
	case searchShape:
		return appendSearch(b, said)
	}
	if o.tool.namespace != "" {
		b = append(b, `,"namespace":`...)
		b = appendString(b, o.tool.namespace)
	}
	b = append(b, `,"name":`...)
	b = appendString(b, o.tool.name)
	b = append(b, field...)
	b = appendString(b, said)
	return append(b, '}')
}

// appendAction makes the action of a local shell of the arguments of the function that
// stood for it.
func appendAction(b []byte, arguments string) []byte {
	args := gjson.Parse(arguments)
	b = append(b, `{"type":"exec","command":[`...)
	for i, word := range args.Get("command").Array() {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, word.String())
	}
	b = append(b, `],"env":{`...)
	n := 0
	args.Get("env").ForEach(func(k, v gjson.Result) bool {
		if n++; n > 1 {
			b = append(b, ',')
		}
		b = appendString(b, k.Str)
		b = append(b, ':')
		b = appendString(b, v.String())
		return true
	})
	b = append(b, '}')
	if ms := args.Get("timeout_ms"); ms.Type == gjson.Number {
		b = appendInt(b, `,"timeout_ms":`, int(ms.Int()))
	}
	if dir := args.Get("working_directory"); dir.Type == gjson.String {
		b = append(b, `,"working_directory":`...)
		b = appendString(b, dir.Str)
	}
	return append(b, '}')
}

// inputOf unwraps the text that a custom tool's function has as its one argument. A
// model that wrote the text itself instead is taken at its word.
func inputOf(arguments string) string {
	if args := repaired(arguments); gjson.Valid(args) {
		if in := gjson.Get(args, "input"); in.Exists() {
			return in.String()
		}
	}
	return arguments
}

func (w *responsesWriter) callDone(b []byte, status string) []byte {
	said := w.open.text.String()
	switch w.open.tool.shape {
	case functionShape:
		told := !w.mends
		if said == "" && status == "completed" {
			said, told = "{}", false
		}
		if w.mends {
			said = repaired(said)
		}
		if !told && said != "" {
			b = w.argumentsDelta(b, said)
		}
		b = w.itemEvent(b, "response.function_call_arguments.done")
		b = append(b, `,"name":`...)
		b = appendString(b, w.open.tool.name)
		b = append(b, `,"arguments":`...)
		b = appendString(b, said)
		b = append(b, "}\n\n"...)
	case customShape:
		if said = inputOf(said); said != "" {
			b = w.itemEvent(b, "response.custom_tool_call_input.delta")
			b = append(b, `,"delta":`...)
			b = appendString(b, said)
			b = append(b, "}\n\n"...)
		}
		b = w.itemEvent(b, "response.custom_tool_call_input.done")
		b = append(b, `,"input":`...)
		b = appendString(b, said)
		b = append(b, "}\n\n"...)
	case localShellShape, searchShape:
		said = repaired(said)
		b = w.added(b, func(b []byte) []byte { return w.call(b, "in_progress", said) })
	}
	return w.done(b, w.call(nil, status, said))
}

// responsesFault gives a failure the codes that clients of this API act on: for these
// they stop or wait, for any other they try again.
func responsesFault(p *problem, said bool) (code, message string) {
	message = p.message
	if said {
		message = "The provider failed in the middle of its answer (" + reason(p.err.Kind) + ")."
	}
	switch p.err.Kind {
	case gateway.ContextLength:
		return "context_length_exceeded", message
	case gateway.BudgetExceeded:
		return "insufficient_quota", message
	case gateway.RateLimited, gateway.NoCapacity:
		if p.retry > 0 {
			message += " Please try again in " + strconv.Itoa(int(math.Ceil(p.retry.Seconds()))) + "s."
		}
		return "rate_limit_exceeded", message
	case gateway.Overloaded:
		return "server_is_overloaded", message
	case gateway.Invalid, gateway.Unsupported, gateway.ContentFiltered:
		return "invalid_prompt", message
	}
	return "server_error", message
}

// responsesWhole is the answer to a client that does not stream: what its stream would
// have ended with.
func responsesWhole(b []byte, req *gateway.Request, a *gateway.Answer) []byte {
	if whole := relayedResponse(a.Completion); whole != nil {
		return withReceipt(append(b, whole...), req, a)
	}
	w := newResponsesWriter(req, a)
	w.mends = true
	var events []byte
	for s := a.Completion.Replay(); ; {
		c, err := s.Next()
		if err != nil {
			break
		}
		if !w.silent(&c) {
			events = w.chunk(events[:0], &c)
		}
	}
	for len(w.held) > 0 {
		events = w.release(w.closeItem(events[:0], "completed"))
	}
	state := w.outcome()
	w.flush(w.closeItem(events[:0], state.status))
	state.items, state.usage = w.items, &a.Completion.Usage
	if req.Options.Receipt && a.Receipt != nil {
		state.receipt = a.Receipt()
	}
	return w.head.response(b, &state)
}
