package fakeupstream

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

type responsesTool struct {
	Type   string          `json:"type"`
	Name   string          `json:"name"`
	Schema jsontext.Value  `json:"parameters"`
	Strict *bool           `json:"strict"`
	Tools  []responsesTool `json:"tools"` // of a namespace
	More   jsontext.Value  `json:",embed"`
}

// unlike is a tool whose calls are told otherwise than those of a plain function.
type unlike struct {
	name, namespace string
	custom          bool // its input is any text
}

// customSchema is what scripts see of a tool that takes any text: as other formats have it.
const customSchema = `{"type":"object","properties":{"input":{"type":"string"}}}`

func (req *responsesRequest) readTools(t *talk) *refusal { return t.offer(req.Tools, "") }

// offer adds tools, of a namespace or of none, to those that the model may call.
func (t *talk) offer(tools []responsesTool, namespace string) *refusal {
	for _, offered := range tools {
		one := unlike{name: offered.Name, namespace: namespace}
		name := one.name
		if namespace != "" {
			name = namespace + "." + name
		}
		switch offered.Type {
		case "function":
			if no := offered.checkFunction(); no != nil {
				return no
			}
			t.tools = append(t.tools, Tool{name, offered.Schema})
		case "custom":
			if !toolName.MatchString(offered.Name) {
				return invalid("Invalid 'tools': %q is no name of a tool", offered.Name)
			}
			one.custom = true
			t.tools = append(t.tools, Tool{name, jsontext.Value(customSchema)})
		case "namespace":
			if namespace != "" || offered.Name == "" || len(offered.Tools) == 0 {
				return invalid("Invalid 'tools': a namespace has a name and tools, and is in no other")
			}
			if no := t.offer(offered.Tools, offered.Name); no != nil {
				return no
			}
		case "":
			return invalid("Missing required parameter: 'tools[].type'.")
		}
		if one.custom || namespace != "" {
			if t.unlikes == nil {
				t.unlikes = map[string]unlike{}
			}
			t.unlikes[name] = one
		}
	}
	return nil
}

func (offered *responsesTool) checkFunction() *refusal {
	if !toolName.MatchString(offered.Name) || offered.Schema.Kind() != '{' && offered.Schema.Kind() != 'n' {
		return invalid("Invalid 'tools': %q needs a proper name and parameters", offered.Name)
	}
	if offered.Strict != nil && *offered.Strict && !strings.Contains(strings.ReplaceAll(string(offered.Schema), " ", ""), `"additionalProperties":false`) {
		return invalid("Invalid schema for function '%s': 'additionalProperties' is required to be supplied and to be false.", offered.Name)
	}
	return nil
}
