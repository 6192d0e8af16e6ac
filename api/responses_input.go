package api

import (
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"gateway"
)

// toolResult is an item that answers a call, and where it stood.
type toolResult struct {
	at   int
	item gjson.Result
}

// assistantTurn gathers the neighbouring items of one turn of the model. Here each
// thought, text and call is an item of its own; in every other format they are one
// message.
type assistantTurn struct {
	msg        gateway.Message
	signatures map[string]string // of calls, by id
	begun      int               // of the first item
	answered   bool              // a result of one of its calls stood here
	response   string            // of which its items were; "" if that is not known
	refusal    strings.Builder   // of the message
}

// responseOf is the answer that an item was part of, as the ids that this gateway
// gives to items tell it; "" for any other id.
func responseOf(item gjson.Result) string {
	_, rest, _ := strings.Cut(item.Get("id").Str, "_")
	id, at, ok := strings.Cut(rest, "_")
	if _, err := strconv.Atoi(at); !ok || err != nil || len(id) != 32 {
		return ""
	}
	return id
}

func (d *responsesDecoder) add(m gateway.Message) { d.chat.Messages = append(d.chat.Messages, m) }

// input reads the items in order. Results are put right behind the turn that made the
// calls, where all other formats want them; here they may stand anywhere behind it.
func (d *responsesDecoder) input(v gjson.Result) *gateway.Error {
	if v.Type == gjson.String {
		d.add(gateway.Message{Speaker: gateway.User, Parts: []gateway.Part{{Text: v.Str}}})
		return nil
	}
	items := v.Array()
	d.results = map[string][]toolResult{}
	for at, item := range items {
		if isResult(item) {
			id := resultID(item)
			d.results[id] = append(d.results[id], toolResult{at, item})
		}
	}
	for at, item := range items {
		if err := d.item(item, at); err != nil {
			return err
		}
	}
	if err := d.endTurn(); err != nil {
		return err
	}
	return d.more()
}

// more adds the results that calls got after their first one. A tool of Codex may report
// while it runs, each time under the id of its call; every other format has one result
// for a call.
func (d *responsesDecoder) more() *gateway.Error {
	answers := map[string]int{} // the last message that answers a call
	for i := range d.chat.Messages {
		if m := &d.chat.Messages[i]; m.Speaker == gateway.ToolSays {
			answers[m.ToolCallID] = i
		}
	}
	for id, left := range d.results {
		for _, result := range left {
			last, ok := answers[id]
			if !ok {
				return field("input", "input[%d] answers a tool call %q that does not stand before it.", result.at, clip(id))
			}
			parts, err := resultParts(result)
			if err != nil {
				return err
			}
			said := &d.chat.Messages[last].Parts
			*said = append(*said, parts...)
		}
	}
	return nil
}

func isResult(item gjson.Result) bool {
	switch item.Get("type").Str {
	case "function_call_output", "custom_tool_call_output", "local_shell_call_output":
		return true
	case toolSearchOutput:
		return clientSearch(item)
	}
	return false
}

func resultParts(r toolResult) ([]gateway.Part, *gateway.Error) {
	if clientSearch(r.item) {
		return []gateway.Part{{Text: found(r.item)}}, nil
	}
	return contentParts(r.item.Get("output"), r.at)
}

// resultID is the call that an item answers. That of a local shell has it as its own id.
func resultID(item gjson.Result) string { return or(item.Get("call_id").Str, item.Get("id").Str) }

func (d *responsesDecoder) item(item gjson.Result, at int) *gateway.Error {
	if clientSearch(item) {
		return d.search(item, at)
	}
	switch kind := item.Get("type").Str; kind {
	case "", "message":
		return d.message(item, at)
	case additionalTools:
		return nil // they are among the tools
	case webSearchCall:
		d.leftOut("earlier searches of OpenAI's own servers were left out")
		return nil
	case "reasoning":
		turn, err := d.assistant(item, at)
		if err == nil {
			d.reasoning(turn, item)
		}
		return err
	case "function_call":
		return d.call(item, at, heardAs(item.Get("namespace").Str, item.Get("name").Str), item.Get("arguments").Str)
	case "custom_tool_call":
		name := heardAs(item.Get("namespace").Str, item.Get("name").Str)
		return d.call(item, at, name, string(appendString([]byte(`{"input":`), item.Get("input").Str))+"}")
	case "local_shell_call":
		return d.call(item, at, localShell, or(item.Get("action").Raw, "{}"))
	case "function_call_output", "custom_tool_call_output", "local_shell_call_output":
		if d.turn != nil {
			d.turn.answered = true
		}
		return nil // it is put where its call is
	default:
		return only("input", "input[%d] is of type %q, which OpenAI's own servers made or keep.", at, clip(kind))
	}
}

// assistant is the turn that an item belongs to. A result ends the turn that made the
// call, unless the item was part of the same answer: some clients put each result right
// behind its call, and calls that were made at once must stay so.
func (d *responsesDecoder) assistant(item gjson.Result, at int) (*assistantTurn, *gateway.Error) {
	response := responseOf(item)
	if d.turn != nil && d.turn.answered && (response == "" || response != d.turn.response) {
		if err := d.endTurn(); err != nil {
			return nil, err
		}
	}
	if d.turn == nil {
		d.turn = &assistantTurn{msg: gateway.Message{Speaker: gateway.Assistant}, begun: at, response: response}
	}
	return d.turn, nil
}

func (d *responsesDecoder) message(item gjson.Result, at int) *gateway.Error {
	role := item.Get("role").Str
	if role == "assistant" {
		turn, err := d.assistant(item, at)
		if err != nil {
			return err
		}
		return d.said(turn, item.Get("content"), at)
	}
	if err := d.endTurn(); err != nil {
		return err
	}
	parts, err := contentParts(item.Get("content"), at)
	if err != nil {
		return err
	}
	m := gateway.Message{Speaker: gateway.User, Parts: parts}
	if role != "user" {
		m.Speaker = gateway.System
	}
	d.add(m)
	return nil
}

func (d *responsesDecoder) said(turn *assistantTurn, content gjson.Result, at int) *gateway.Error {
	if content.Type == gjson.String {
		turn.msg.Parts = append(turn.msg.Parts, gateway.Part{Text: content.Str})
		return nil
	}
	for _, p := range content.Array() {
		if p.Get("type").Str == "refusal" {
			turn.refusal.WriteString(p.Get("refusal").Str)
			continue
		}
		part, err := contentPart(p, at)
		if err != nil {
			return err
		}
		turn.msg.Parts = append(turn.msg.Parts, part)
	}
	return nil
}

// reasoning takes up what the maker of the turn wants back. The text alone is of no use
// to any provider and is left out.
func (d *responsesDecoder) reasoning(turn *assistantTurn, item gjson.Result) {
	var summary strings.Builder
	for _, p := range item.Get("summary").Array() {
		if summary.Len() > 0 {
			summary.WriteString("\n\n")
		}
		summary.WriteString(p.Get("text").Str)
	}
	s, ok := responsesState(item.Get("encrypted_content").Str, summary.String())
	if !ok {
		return
	}
	if turn.signatures == nil {
		turn.signatures = map[string]string{}
	}
	s.into(&turn.msg, turn.signatures)
}

// responsesState is what an encrypted_content says: OpenAI's own of the summary beside it,
// or what was sealed.
func responsesState(content, summary string) (s state, ok bool) {
	if content != "" && !isSealed(content) {
		s.think(gateway.Thinking{Maker: openAIMaker, Text: summary, Signature: content})
		return s, true
	}
	return unseal(content)
}

func (d *responsesDecoder) call(item gjson.Result, at int, name, arguments string) *gateway.Error {
	id := or(item.Get("call_id").Str, item.Get("id").Str)
	if id == "" || name == "" {
		return field("input", "input[%d] is a tool call without call_id or name.", at)
	}
	turn, err := d.assistant(item, at)
	if err != nil {
		return err
	}
	turn.msg.ToolCalls = append(turn.msg.ToolCalls, gateway.ToolCall{ID: id, Name: name, Arguments: arguments})
	return nil
}

// endTurn closes the turn being gathered: its message, then a result for each call.
func (d *responsesDecoder) endTurn() *gateway.Error {
	turn := d.turn
	if turn == nil {
		return nil
	}
	d.turn = nil
	m := turn.msg
	m.Refusal = turn.refusal.String()
	if len(m.Parts) == 0 && len(m.ToolCalls) == 0 && m.Refusal == "" {
		return nil // reasoning that nothing came of
	}
	for i := range m.ToolCalls {
		m.ToolCalls[i].Signature = turn.signatures[m.ToolCalls[i].ID]
	}
	d.add(m)
	for _, call := range m.ToolCalls {
		if err := d.answer(call.ID, turn.begun); err != nil {
			return err
		}
	}
	return nil
}

func (d *responsesDecoder) answer(id string, from int) *gateway.Error {
	waiting := d.results[id]
	if len(waiting) == 0 || waiting[0].at < from {
		return field("input", "The tool call %q was not answered: its function_call_output is missing.", clip(id))
	}
	result := waiting[0]
	d.results[id] = waiting[1:]
	parts, err := resultParts(result)
	if err != nil {
		return err
	}
	d.add(gateway.Message{Speaker: gateway.ToolSays, ToolCallID: id, Parts: parts})
	return nil
}
