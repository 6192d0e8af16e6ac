package main

import (
	"encoding/json"
	"fmt"

	"gateway/internal/grammar"
)

// heard is what a client made of one streamed answer.
type heard struct {
	text    string // refusals too
	thought string
	in, out int // tokens, those of a cache too
	calls   []grammar.Call
	ending  grammar.Ending
	echo    []json.RawMessage // the turn as the client sends it back
}

// client writes requests and reads streams of one wire format as its agents do.
type client struct {
	name string
	path func(model string) string
	user func(text string) json.RawMessage
	// request asks for a stream over the conversation so far, with tools and reasoning.
	request func(model string, history []json.RawMessage) []byte
	read    func(stream string) (heard, error)
	// results answers the calls of a turn.
	results func(calls []grammar.Call, results []result) []json.RawMessage
}

// result is what came of a call: a text, from a tool that may have failed, and a picture.
type result struct {
	text    string
	failed  bool
	picture bool
}

// picture is a PNG of one pixel.
const picture = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

func fixed(path string) func(string) string { return func(string) string { return path } }

// raw is JSON text with values put in as JSON.
func raw(format string, values ...any) json.RawMessage {
	for i, v := range values {
		values[i] = encoded(v)
	}
	return json.RawMessage(fmt.Sprintf(format, values...))
}

// toolNames are those that every client offers, each with one optional string "of".
var toolNames = []string{"read_file", "write_file", "now"}

const toolSchema = `{"type":"object","properties":{"of":{"type":"string"},"text":{"type":"string"}}}`

// offer lists the tools, each written by the format.
func offer(format string) string {
	list := ""
	for i, name := range toolNames {
		if i > 0 {
			list += ","
		}
		list += fmt.Sprintf(format, name, toolSchema)
	}
	return "[" + list + "]"
}

var chatClient = client{
	name: "chat", path: fixed("/v1/chat/completions"),
	user: func(text string) json.RawMessage { return raw(`{"role":"user","content":%s}`, text) },
	request: func(model string, history []json.RawMessage) []byte {
		return raw(`{"model":%s,"stream":true,"stream_options":{"include_usage":true},"reasoning_effort":"high","messages":%s,"tools":%s}`,
			model, history, json.RawMessage(offer(`{"type":"function","function":{"name":"%s","parameters":%s}}`)))
	},
	read: func(stream string) (heard, error) {
		got, err := grammar.Chat(stream, true)
		if err != nil {
			return heard{}, err
		}
		turn := map[string]any{"role": "assistant", "content": got.Text}
		if got.Reasoning != "" {
			turn["reasoning_content"] = got.Reasoning
		}
		var calls []json.RawMessage
		for _, c := range got.Calls {
			calls = append(calls, raw(`{"id":%s,"type":"function","function":{"name":%s,"arguments":%s}}`, c.ID, c.Name, c.Arguments))
		}
		if calls != nil {
			turn["tool_calls"] = calls
		}
		return heard{text: got.Text + got.Refusal, thought: got.Reasoning, in: got.In, out: got.Out, calls: got.Calls, ending: got.Ending,
			echo: []json.RawMessage{encoded(turn)}}, nil
	},
	results: func(calls []grammar.Call, results []result) (out []json.RawMessage) {
		for i, c := range calls {
			out = append(out, raw(`{"role":"tool","tool_call_id":%s,"content":%s}`, c.ID, results[i].text)) // text is all that it has
		}
		return out
	},
}

var messagesClient = client{
	name: "messages", path: fixed("/v1/messages"),
	user: func(text string) json.RawMessage { return raw(`{"role":"user","content":%s}`, text) },
	request: func(model string, history []json.RawMessage) []byte {
		return raw(`{"model":%s,"stream":true,"max_tokens":4096,"thinking":{"type":"adaptive"},"messages":%s,"tools":%s}`,
			model, history, json.RawMessage(offer(`{"name":"%s","input_schema":%s}`)))
	},
	read: func(stream string) (heard, error) {
		got, err := grammar.Messages(stream)
		if err != nil {
			return heard{}, err
		}
		said := heard{ending: got.Ending, in: got.In + got.Read + got.Writes, out: got.Out}
		var content []json.RawMessage
		for _, b := range got.Blocks {
			switch b.Type {
			case "text":
				said.text += b.Text
				content = append(content, raw(`{"type":"text","text":%s}`, b.Text))
			case "thinking":
				said.thought += b.Text
				content = append(content, raw(`{"type":"thinking","thinking":%s,"signature":%s}`, b.Text, b.Signature))
			case "redacted_thinking":
				content = append(content, raw(`{"type":"redacted_thinking","data":%s}`, b.Data))
			case "tool_use":
				said.calls = append(said.calls, grammar.Call{ID: b.ID, Name: b.Name, Arguments: b.Input})
				content = append(content, raw(`{"type":"tool_use","id":%s,"name":%s,"input":%s}`, b.ID, b.Name, json.RawMessage(b.Input)))
			}
		}
		said.echo = []json.RawMessage{raw(`{"role":"assistant","content":%s}`, content)}
		return said, nil
	},
	results: func(calls []grammar.Call, results []result) []json.RawMessage {
		var content []json.RawMessage
		for i, c := range calls {
			r := results[i]
			said := raw(`%s`, any(r.text))
			if r.picture {
				said = raw(`[{"type":"text","text":%s},{"type":"image","source":{"type":"base64","media_type":"image/png","data":%s}}]`, r.text, picture)
			}
			content = append(content, raw(`{"type":"tool_result","tool_use_id":%s,"is_error":%s,"content":%s}`, c.ID, any(r.failed), said))
		}
		return []json.RawMessage{raw(`{"role":"user","content":%s}`, content)}
	},
}

var responsesClient = client{
	name: "responses", path: fixed("/v1/responses"),
	user: func(text string) json.RawMessage { return raw(`{"role":"user","content":%s}`, text) },
	request: func(model string, history []json.RawMessage) []byte {
		return raw(`{"model":%s,"stream":true,"store":false,"include":["reasoning.encrypted_content"],"reasoning":{"effort":"high","summary":"auto"},"input":%s,"tools":%s}`,
			model, history, json.RawMessage(offer(`{"type":"function","name":"%s","parameters":%s}`)))
	},
	read: func(stream string) (heard, error) {
		got, err := grammar.Responses(stream)
		if err != nil {
			return heard{}, err
		}
		said := heard{ending: got.Ending, in: got.In, out: got.Out}
		for _, item := range got.Items {
			said.text += item.Text + item.Refusal
			said.thought += item.Summary
			said.echo = append(said.echo, item.Raw)
			if item.Type == "function_call" {
				said.calls = append(said.calls, grammar.Call{ID: item.CallID, Name: item.Name, Arguments: item.Arguments})
			}
		}
		return said, nil
	},
	results: func(calls []grammar.Call, results []result) (out []json.RawMessage) {
		for i, c := range calls {
			said := raw(`%s`, any(results[i].text))
			if results[i].picture {
				said = raw(`[{"type":"input_text","text":%s},{"type":"input_image","image_url":%s}]`, results[i].text, "data:image/png;base64,"+picture)
			}
			out = append(out, raw(`{"type":"function_call_output","call_id":%s,"output":%s}`, c.ID, said))
		}
		return out
	},
}

var generateClient = client{
	name: "gemini", path: func(model string) string { return "/v1beta/models/" + model + ":streamGenerateContent?alt=sse" },
	user: func(text string) json.RawMessage { return raw(`{"role":"user","parts":[{"text":%s}]}`, text) },
	request: func(_ string, history []json.RawMessage) []byte {
		return raw(`{"contents":%s,"tools":[{"functionDeclarations":%s}],"generationConfig":{"thinkingConfig":{"thinkingLevel":"HIGH","includeThoughts":true}}}`,
			history, json.RawMessage(offer(`{"name":"%s","parametersJsonSchema":%s}`)))
	},
	read: func(stream string) (heard, error) {
		got, err := grammar.Gemini(stream)
		if err != nil {
			return heard{}, err
		}
		said := heard{text: got.Text, thought: got.Thought, in: got.In, out: got.Out, ending: got.Ending, echo: []json.RawMessage{raw(`{"role":"model","parts":%s}`, got.Parts)}}
		for _, c := range got.Calls {
			said.calls = append(said.calls, grammar.Call{ID: c.ID, Name: c.Name, Arguments: string(c.Args)})
		}
		return said, nil
	},
	results: func(calls []grammar.Call, results []result) []json.RawMessage {
		var parts []json.RawMessage
		for i, c := range calls {
			said := "output"
			if results[i].failed {
				said = "error"
			}
			parts = append(parts, raw(`{"functionResponse":{"id":%s,"name":%s,"response":{%s:%s}}}`, c.ID, c.Name, said, results[i].text))
		}
		return []json.RawMessage{raw(`{"role":"user","parts":%s}`, parts)}
	},
}
