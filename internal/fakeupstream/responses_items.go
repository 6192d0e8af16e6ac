package fakeupstream

import (
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxCallID is how long an id of a call may be.
const maxCallID = 64

// responsesItem is an item of the input.
type responsesItem struct {
	Type      string         `json:"type"`
	ID        string         `json:"id"`
	Role      string         `json:"role"`
	Content   jsontext.Value `json:"content"`
	CallID    string         `json:"call_id"`
	Name      string         `json:"name"`
	Arguments *string        `json:"arguments"`
	Input     *string        `json:"input"`
	Output    jsontext.Value `json:"output"`
	Summary   jsontext.Value `json:"summary"`
	Encrypted string         `json:"encrypted_content"`

	Tools []responsesTool `json:"tools"` // that are offered from here on
}

func (req *responsesRequest) readInput(t *talk) *refusal {
	if req.Instructions != "" {
		t.turns = append(t.turns, turn{role: system, text: req.Instructions})
	}
	var text string
	if json.Unmarshal(req.Input, &text) == nil {
		t.turns = append(t.turns, turn{role: user, text: text})
		return nil
	}
	var items []responsesItem
	if err := json.Unmarshal(req.Input, &items); err != nil {
		return invalid("Invalid type for 'input': %v", err)
	}
	for i := range items {
		if no := req.readItem(t, items, i); no != nil {
			return no
		}
	}
	return nil
}

// assistantTurn is the turn that an item of the model's goes on with, or a new one.
func (t *talk) assistantTurn() *turn {
	if last := len(t.turns) - 1; last >= 0 && t.turns[last].role == assistant {
		return &t.turns[last]
	}
	t.turns = append(t.turns, turn{role: assistant})
	return &t.turns[len(t.turns)-1]
}

// callingTurn is the turn that a call is of: clients may give each call and its result in
// turn, and it is one step of the model's still.
func (t *talk) callingTurn() *turn {
	last := len(t.turns) - 1
	for last >= 0 && t.turns[last].role == toolResult {
		last--
	}
	if last >= 0 && t.turns[last].role == assistant {
		return &t.turns[last]
	}
	return t.assistantTurn()
}

func (req *responsesRequest) readItem(t *talk, items []responsesItem, i int) *refusal {
	it := &items[i]
	switch it.Type {
	case "", "message":
		return it.message(t)
	case "reasoning":
		if i+1 == len(items) || !itsModels(&items[i+1]) {
			return invalid("Item '%s' of type 'reasoning' was provided without its required following item.", it.ID)
		}
		if it.Summary.Kind() != '[' {
			return invalid("Missing required parameter: 'input[%d].summary'.", i)
		}
		// An id may be left out; what is encrypted is bound to the item nonetheless.
		item, own := strings.CutPrefix(it.Encrypted, encryptedFor(t.account, req.Model))
		if !own || item == "" || it.ID != "" && item != opaque(it.ID) {
			return &refusal{status: http.StatusBadRequest, code: "invalid_encrypted_content", message: "The encrypted content could not be verified."}
		}
		t.assistantTurn().thought = true
	case "additional_tools":
		return t.offer(it.Tools, "")
	case "web_search_call":
		if !strings.HasPrefix(it.ID, "ws_") {
			return invalid("Invalid 'input[%d].id': '%s'. Expected an ID that begins with 'ws'.", i, it.ID)
		}
		t.assistantTurn()
	case "function_call", "custom_tool_call":
		said := it.Arguments
		if it.Type == "custom_tool_call" {
			said = it.Input
		}
		if said == nil || it.Name == "" || it.CallID == "" || len(it.CallID) > maxCallID {
			return invalid("Invalid 'input[%d]': a call needs a name, a call_id of at most %d characters and arguments", i, maxCallID)
		}
		one := t.callingTurn()
		one.calls = append(one.calls, Call{it.CallID, it.Name, *said})
	case "function_call_output", "custom_tool_call_output":
		text, no := contentText(it.Output, "input_text", "input_image", "input_file")
		if no != nil {
			return no
		}
		t.turns = append(t.turns, turn{role: toolResult, id: it.CallID, text: text})
	default:
		return invalid("Invalid value for 'input[%d].type': %q", i, it.Type)
	}
	return nil
}

// itsModels says whether an item is of the model's own.
func itsModels(it *responsesItem) bool {
	return it.Type == "reasoning" || strings.HasSuffix(it.Type, "_call") || (it.Type == "message" || it.Type == "") && it.Role == "assistant"
}

func (it *responsesItem) message(t *talk) *refusal {
	roles := map[string]role{"user": user, "system": system, "developer": system, "assistant": assistant}
	speaker, known := roles[it.Role]
	if !known {
		return invalid("Invalid value for 'input[].role': %q", it.Role)
	}
	kinds := []string{"input_text", "input_image", "input_file"}
	if speaker == assistant {
		kinds = []string{"output_text", "refusal"}
	}
	text, no := contentText(it.Content, kinds...)
	if no != nil {
		return no
	}
	if speaker == assistant {
		t.assistantTurn().text += text
		return nil
	}
	t.turns = append(t.turns, turn{role: speaker, text: text})
	return nil
}

// contentText joins the text of a content, whose parts are of these kinds only.
func contentText(content jsontext.Value, kinds ...string) (string, *refusal) {
	var text string
	if json.Unmarshal(content, &text) == nil && content.Kind() == '"' {
		return text, nil
	}
	var parts []struct {
		Type    string         `json:"type"`
		Text    string         `json:"text"`
		Refusal string         `json:"refusal"`
		More    jsontext.Value `json:",embed"`
	}
	if err := json.Unmarshal(content, &parts); err != nil || content.Kind() != '[' {
		return "", invalid("Invalid type for 'content': expected text or a list of parts")
	}
	var texts []string
	for _, part := range parts {
		if !slices.Contains(kinds, part.Type) {
			return "", invalid("Invalid value: '%s'. Supported values are: '%s'.", part.Type, strings.Join(kinds, "', '"))
		}
		if part.Text+part.Refusal != "" {
			texts = append(texts, part.Text+part.Refusal)
		}
	}
	return strings.Join(texts, "\n"), nil
}
