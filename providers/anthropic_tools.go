package providers

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tidwall/gjson"

	"gateway"
)

const anyObject = `{"type":"object","properties":{}}`

// tools writes the tools and which of them must be called.
func (e *messagesEdit) tools() {
	choice := &e.chat.ToolChoice
	named := choice.Mode == "named" && !e.rules.force
	for i := range e.chat.Tools {
		t := &e.chat.Tools[i]
		if len(choice.Allowed) > 0 && !slices.Contains(choice.Allowed, t.Name) || named && t.Name != choice.Name {
			continue // where a call cannot be forced, the only tool there is comes next
		}
		e.body.Tools = append(e.body.Tools, e.tool(t))
	}
	if len(e.body.Tools) == 0 {
		e.pastTools()
		return
	}
	e.body.ToolChoice = e.choice()
	e.forced = e.body.ToolChoice != nil && (e.body.ToolChoice.Type == "any" || e.body.ToolChoice.Type == "tool")
}

func (e *messagesEdit) tool(t *gateway.Tool) messagesTool {
	schema := strings.TrimSpace(string(t.Parameters))
	strict := t.Strict && e.rules.schema
	switch {
	case !isObject(schema):
		schema = anyObject
	case strict:
		schema = cleanSchema(schema)
	}
	return messagesTool{Name: t.Name, Description: t.Description, Schema: jsontext.Value(typedObject(schema)),
		Strict: strict, Cache: e.breakpoint(t.Cache)}
}

// typedObject says that a schema is an object's where the client took it for granted.
func typedObject(schema string) string {
	if gjson.Get(schema, "type").Exists() {
		return schema
	}
	rest := strings.TrimSpace(schema[1:])
	if strings.HasPrefix(rest, "}") {
		return anyObject
	}
	return `{"type":"object",` + rest
}

// pastTools declares the tools that the history used and this request has not: calls
// of tools that nobody declared are refused.
func (e *messagesEdit) pastTools() {
	seen := map[string]bool{}
	for i := range e.chat.Messages {
		for _, t := range e.chat.Messages[i].ToolCalls {
			if !seen[t.Name] {
				seen[t.Name] = true
				e.body.Tools = append(e.body.Tools, messagesTool{Name: t.Name, Schema: jsontext.Value(anyObject)})
			}
		}
	}
	if len(e.body.Tools) > 0 {
		e.body.ToolChoice = &messagesChoice{Type: "none"}
	}
}

func (e *messagesEdit) choice() *messagesChoice {
	choice := &messagesChoice{Type: "auto", OnlyOne: e.chat.ParallelTools != nil && !*e.chat.ParallelTools}
	switch mode := e.chat.ToolChoice.Mode; {
	case mode == "none":
		return &messagesChoice{Type: "none"}
	case mode == "required" && e.rules.force:
		choice.Type = "any"
	case mode == "named" && e.rules.force:
		choice.Type, choice.Name = "tool", e.chat.ToolChoice.Name
	case mode == "" && !choice.OnlyOne:
		return nil
	}
	return choice
}

// format asks for an answer of a given shape: by the model's own means, or by a tool
// whose input is the answer.
func (e *messagesEdit) format() {
	f := &e.chat.Format
	if f.Mode != "json_schema" || f.Schema == nil || e.call.Prefill != "" {
		return // what is continued already has its shape, and the two are refused together
	}
	schema := cleanSchema(string(f.Schema))
	if e.rules.schema {
		e.output().Format = &messagesFormat{Type: "json_schema", Schema: jsontext.Value(schema)}
		return
	}
	e.answerTool = e.freeToolName()
	description := "Gives the final answer. Call it with the answer as input, and write no other text."
	if f.Description != "" {
		description += " The answer is: " + f.Description
	}
	if !isObject(schema) {
		schema = anyObject
	}
	e.body.Tools = append(e.body.Tools, messagesTool{Name: e.answerTool, Description: description, Schema: jsontext.Value(typedObject(schema))})
	free := e.body.ToolChoice == nil || e.body.ToolChoice.Type == "auto"
	switch {
	case len(e.chat.Tools) > 0 && (free || e.body.ToolChoice.Type == "any"):
		e.body.ToolChoice = &messagesChoice{Type: "any", OnlyOne: e.body.ToolChoice != nil && e.body.ToolChoice.OnlyOne}
	case e.body.ToolChoice != nil && e.body.ToolChoice.Type == "tool":
		// The client forces a tool of its own this time.
	default:
		e.body.ToolChoice = &messagesChoice{Type: "tool", Name: e.answerTool}
	}
	e.forced = true
}

func (e *messagesEdit) freeToolName() string {
	name := "json_answer"
	for slices.ContainsFunc(e.body.Tools, func(t messagesTool) bool { return t.Name == name }) {
		name += "_"
	}
	return name
}
