package api

import (
	"encoding/json"
	"strings"

	"github.com/tidwall/gjson"

	"gateway"
)

// A client of the Responses API may hold tools back and offer a search for them, which it
// runs itself. Codex does so with models that it knows. To every other format the search
// is a function, and what was found is offered with the rest from then on. Source:
// OpenAI's guide on tool search, and what Codex 0.169.0 sends.
const (
	toolSearch       = "tool_search" // the tool's type, and the name of the function
	toolSearchCall   = "tool_search_call"
	toolSearchOutput = "tool_search_output"
)

// clientSearch says whether a tool, a call or a result is of a search that the client
// runs. Others are run by OpenAI.
func clientSearch(v gjson.Result) bool {
	switch v.Get("type").Str {
	case toolSearch, toolSearchCall, toolSearchOutput:
		return v.Get("execution").Str == "client"
	}
	return false
}

const searchSchema = `{"type":"object","properties":{"query":{"type":"string"}},"required":["query"]}`

// searchFunction is the function that stands for the search.
func searchFunction(t gjson.Result) gateway.Tool {
	tool := gateway.Tool{Name: toolSearch, Description: t.Get("description").Str, Parameters: json.RawMessage(searchSchema)}
	if p := t.Get("parameters"); p.IsObject() {
		tool.Parameters = json.RawMessage(p.Raw)
	}
	return tool
}

// search looks at an item of a search.
func (s *responsesScan) search(item gjson.Result) {
	s.req.PromptBytes += len(item.Raw)
	if item.Get("type").Str == toolSearchOutput {
		s.req.Loop.Calls = append(s.req.Loop.Calls, resultID(item))
		s.more = append(s.more, item.Get("tools"))
	}
}

// search takes up a call of the search, or notes that one was answered.
func (d *responsesDecoder) search(item gjson.Result, at int) *gateway.Error {
	if item.Get("type").Str == toolSearchCall {
		arguments := item.Get("arguments")
		if arguments.Type == gjson.String {
			return d.call(item, at, toolSearch, arguments.Str)
		}
		return d.call(item, at, toolSearch, or(arguments.Raw, "{}"))
	}
	if d.turn != nil {
		d.turn.answered = true
	}
	return nil
}

// found tells a model in words what a search brought. The tools themselves are offered.
func found(item gjson.Result) string {
	tools, err := functionsOf(item.Get("tools"), "")
	if err != nil || len(tools) == 0 {
		return "No tool was found."
	}
	names := make([]string, len(tools))
	for i, t := range tools {
		names[i] = t.Name
	}
	return "Found, and to be called from now on: " + strings.Join(names, ", ") + "."
}

// appendSearch is what a call of the search has in the place of a name and a text. A model
// that wrote no object is taken to have meant the query.
func appendSearch(b []byte, arguments string) []byte {
	b = append(b, `,"execution":"client","arguments":`...)
	switch args := gjson.Parse(arguments); {
	case args.IsObject() && gjson.Valid(arguments):
		b = append(b, arguments...)
	case strings.TrimSpace(arguments) == "":
		b = append(b, "{}"...)
	default:
		b = append(b, `{"query":`...)
		b = appendString(b, arguments)
		b = append(b, '}')
	}
	return append(b, '}')
}
