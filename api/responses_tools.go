package api

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/tidwall/gjson"

	"gateway"
)

// toolShape is how a client of the Responses API wants to hear of a call to one of its
// tools. To every other format each of them is a function.
type toolShape uint8

const (
	functionShape   toolShape = iota
	customShape               // free text, for which the function has the one argument input
	localShellShape           // a command, whose fields are the function's arguments
	searchShape               // a search for tools, likewise
)

// clientTool is a tool that the client runs itself, under the name that a model hears.
type clientTool struct {
	shape           toolShape
	name, namespace string // as the client has them
}

// clientTools are the tools of one request by the name that a model hears. One that is
// not among them is a plain function.
type clientTools map[string]clientTool

// localShell is the name of the function that stands for the tool of this type.
const localShell = "local_shell"

// maxToolName is how long a function's name may be at the strictest provider.
const maxToolName = 64

// heardAs is the name that a model hears for a tool inside a namespace.
func heardAs(namespace, name string) string {
	if namespace == "" {
		return name
	}
	joined := namespace + name
	if !strings.HasSuffix(namespace, "__") {
		joined = namespace + "__" + name
	}
	if len(joined) > maxToolName {
		sum := sha256.Sum256([]byte(joined))
		joined = joined[:maxToolName-9] + "_" + hex.EncodeToString(sum[:4])
	}
	return joined
}

// additionalTools is the type of an input item that offers tools from its place in the
// conversation on. Codex offers all of its tools to the models it knows that way. In
// every other format they are tools like the rest.
const additionalTools = "additional_tools"

// offered are the lists of tools of a request: its own, and those among its input, of
// which some may have been found by more than one search.
func offered(body gjson.Result) []gjson.Result {
	lists := []gjson.Result{body.Get("tools")}
	if strings.Contains(body.Raw, `"`+additionalTools+`"`) || strings.Contains(body.Raw, `"`+toolSearchOutput+`"`) { // spares a second reading of long conversations
		body.Get("input").ForEach(func(_, item gjson.Result) bool {
			if kind := item.Get("type").Str; kind == additionalTools || kind == toolSearchOutput && clientSearch(item) {
				lists = append(lists, item.Get("tools"))
			}
			return true
		})
	}
	return lists
}

// toolsOfClient reads the tools of a request for how their calls are told. It is
// lenient: what is wrong with them was said when the request was read.
func toolsOfClient(body gjson.Result) clientTools {
	shapes := clientTools{}
	for _, list := range offered(body) {
		shapes.add(list)
	}
	return shapes
}

func (shapes clientTools) add(list gjson.Result) {
	for _, t := range list.Array() {
		name := t.Get("name").Str
		switch t.Get("type").Str {
		case "custom":
			shapes[name] = clientTool{shape: customShape, name: name}
		case localShell:
			shapes[localShell] = clientTool{shape: localShellShape, name: localShell}
		case toolSearch:
			if clientSearch(t) {
				shapes[toolSearch] = clientTool{shape: searchShape, name: toolSearch}
			}
		case "namespace":
			for _, inner := range t.Get("tools").Array() {
				one := clientTool{name: inner.Get("name").Str, namespace: name}
				if inner.Get("type").Str == "custom" {
					one.shape = customShape
				}
				shapes[heardAs(name, one.name)] = one
			}
		}
	}
}

// serverTool says whether a tool is run by OpenAI's own servers, so that no
// other provider can stand in.
func serverTool(t gjson.Result) bool {
	switch t.Get("type").Str {
	case "", "function", "custom", localShell, "namespace":
		return false
	}
	return !clientSearch(t)
}

// webSearch says whether a type of tool is a web search. Agents offer it beside their
// own tools in every request and do well without.
func webSearch(kind string) bool { return strings.HasPrefix(kind, "web_search") }

// webSearchCall is the type of an input item that tells of a search which OpenAI's own
// servers made in an earlier turn. What was found is not in it.
const webSearchCall = "web_search_call"

const inputSchema = `{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}`

const localShellSchema = `{"type":"object","properties":{"command":{"type":"array","items":{"type":"string"},"description":"The program and its arguments"},` +
	`"working_directory":{"type":"string"},"timeout_ms":{"type":"integer"},"env":{"type":"object","additionalProperties":{"type":"string"}}},"required":["command"]}`

// leavesWebSearch says whether the tools of a request have a search that only OpenAI runs,
// and names it.
func leavesWebSearch(list gjson.Result) (string, bool) {
	for _, t := range list.Array() {
		if kind := t.Get("type").Str; webSearch(kind) {
			return kind, true
		}
	}
	return "", false
}

// functionsOf translates a list of tools into functions.
func functionsOf(list gjson.Result, namespace string) ([]gateway.Tool, *gateway.Error) {
	var out []gateway.Tool
	for i, t := range list.Array() {
		kind, name := t.Get("type").Str, heardAs(namespace, t.Get("name").Str)
		tool := gateway.Tool{Name: name, Description: t.Get("description").Str}
		switch {
		case kind == "namespace" && namespace == "":
			inner, err := functionsOf(t.Get("tools"), t.Get("name").Str)
			if err != nil {
				return nil, err
			}
			out = append(out, inner...)
			continue
		case kind == "custom":
			tool.Description = customDescription(t)
			tool.Parameters = json.RawMessage(inputSchema)
		case clientSearch(t):
			tool = searchFunction(t)
		case kind == localShell:
			tool.Name, tool.Parameters = localShell, json.RawMessage(localShellSchema)
			tool.Description = "Run a command on the user's machine."
		case kind == "function" || kind == "":
			tool.Strict = t.Get("strict").Bool()
			if p := t.Get("parameters"); p.IsObject() {
				tool.Parameters = json.RawMessage(p.Raw)
			}
		case webSearch(kind):
			continue
		default:
			return nil, only("tools", "tools[%d] is of type %q, which OpenAI's own servers run.", i, kind)
		}
		if tool.Name == "" {
			return nil, field("tools", "tools[%d] has no name.", i)
		}
		out = append(out, tool)
	}
	return out, nil
}

// customDescription tells a model in words what only OpenAI can enforce: that the text
// must follow a grammar.
func customDescription(t gjson.Result) string {
	text := t.Get("description").Str
	f := t.Get("format")
	if definition := f.Get("definition").Str; definition != "" {
		text = strings.TrimSpace(text + "\n\nThe input must follow this grammar (" + f.Get("syntax").Str + "):\n" + definition)
	}
	return text
}
