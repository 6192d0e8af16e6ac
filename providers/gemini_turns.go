package providers

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"gateway"
)

// geminiTurns makes the contents: user and model turns, results in one user turn after
// the calls, signatures where the provider wants them back.
type geminiTurns struct {
	a        *gemini
	call     *gateway.Call
	model    geminiModel
	sentinel bool

	system   []string
	contents []string
	calls    map[string]geminiCall // by tool call id
	role     string
	parts    []string
	results  bool  // the turn being gathered holds results
	places   []int // of the results in parts: the place of the call that each answers
}

// geminiCall is a function call that the history holds.
type geminiCall struct {
	name  string
	place int // among all calls of the history
}

func (t *geminiTurns) add(messages []gateway.Message) error {
	var shown []gateway.Part // of results: what is no text follows them in the user's turn
	for i := range messages {
		m := &messages[i]
		if m.Speaker != gateway.ToolSays && len(shown) > 0 {
			if err := t.show(shown); err != nil {
				return err
			}
			shown = nil
		}
		switch m.Speaker {
		case gateway.System:
			for _, p := range m.Parts {
				if strings.TrimSpace(p.Text) != "" {
					t.system = append(t.system, `{"text":`+quoted(p.Text)+`}`)
				}
			}
		case gateway.ToolSays:
			text, others := resultParts(m)
			shown = append(shown, others...)
			t.turn("user", true)
			t.result(text)
		case gateway.Assistant:
			t.turn("model", false)
			if err := t.assistant(m); err != nil {
				return err
			}
		default:
			t.turn("user", false)
			if err := t.user(m); err != nil {
				return err
			}
		}
	}
	if len(shown) > 0 {
		if err := t.show(shown); err != nil {
			return err
		}
	}
	if t.call.Prefill != "" {
		t.turn("model", false)
		t.parts = append(t.parts, `{"text":`+quoted(t.call.Prefill)+`}`)
	}
	t.flush()
	return nil
}

// show puts images and files into the user's turn.
func (t *geminiTurns) show(parts []gateway.Part) error {
	t.turn("user", false)
	return t.user(&gateway.Message{Speaker: gateway.User, Parts: parts})
}

// turn goes on with the turn being gathered or begins another.
func (t *geminiTurns) turn(role string, results bool) {
	if role == t.role && results == t.results {
		return
	}
	t.flush()
	t.role, t.results = role, results
}

func (t *geminiTurns) flush() {
	if t.results {
		t.inCallOrder()
	}
	if len(t.parts) > 0 { // a turn without parts is refused
		t.contents = append(t.contents, `{"role":`+quoted(t.role)+`,"parts":`+array(t.parts)+`}`)
	}
	t.parts, t.places = nil, nil
}

// inCallOrder sorts the results as their calls stand: a client may give them as they
// were done, and without ids the provider matches them by order.
func (t *geminiTurns) inCallOrder() {
	order := make([]int, len(t.parts))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return t.places[a] - t.places[b] })
	sorted := make([]string, len(order))
	for i, from := range order {
		sorted[i] = t.parts[from]
	}
	t.parts = sorted
}

func (t *geminiTurns) user(m *gateway.Message) error {
	for _, p := range m.Parts {
		switch {
		case p.Kind == gateway.TextPart:
			if p.Text != "" {
				t.parts = append(t.parts, `{"text":`+quoted(p.Text)+`}`)
			}
		case p.Data != "":
			t.parts = append(t.parts, `{"inlineData":{"mimeType":`+quoted(mediaType(p.MIME))+`,"data":`+quoted(p.Data)+`}}`)
		default: // fileUri works for the vendor's own files only
			return cannot(t.call, "images and files by URL")
		}
	}
	return nil
}

func (t *geminiTurns) assistant(m *gateway.Message) error {
	text := joined(m.Parts)
	if text != "" {
		t.parts = append(t.parts, `{"text":`+quoted(text)+t.textSignature(m)+`}`)
	}
	for _, p := range m.Parts {
		if p.Kind == gateway.TextPart {
			continue
		}
		if err := t.user(&gateway.Message{Parts: []gateway.Part{p}}); err != nil { // a part is the same in either's turn
			return err
		}
	}
	for i, c := range m.ToolCalls {
		t.calls[c.ID] = geminiCall{c.Name, len(t.calls)}
		var f objectWriter
		f.put("id", quoted(c.ID))
		f.put("name", quoted(c.Name))
		f.put("args", string(argumentsObject(c.Arguments)))
		part := `{"functionCall":` + f.done()
		if s := t.signature(c, i == 0); s != "" {
			part += `,"thoughtSignature":` + quoted(s)
		}
		t.parts = append(t.parts, part+"}")
	}
	return nil
}

// signature is what the provider wants back on a call: as the client kept it, else as
// we did, else the sentinel on the first call of a step.
func (t *geminiTurns) signature(c gateway.ToolCall, first bool) string {
	if !t.model.signatures {
		return ""
	}
	kept, _ := t.a.State.Get(t.call.Request, c.ID)
	switch {
	case t.sentinel && first:
		return unsigned
	case t.sentinel:
		return ""
	case c.Signature != "":
		return c.Signature
	case kept.Maker == geminiKind && kept.Signature != "":
		return kept.Signature
	case first:
		return unsigned
	}
	return ""
}

// textSignature is that of an answer without calls: as the client kept it, else as we did.
func (t *geminiTurns) textSignature(m *gateway.Message) string {
	if t.sentinel || !t.model.signatures || len(m.ToolCalls) > 0 {
		return ""
	}
	for _, th := range m.Thinking {
		if th.Maker == geminiKind && th.Signature != "" && (th.Model == "" || th.Model == t.call.Model.Name) {
			return `,"thoughtSignature":` + quoted(th.Signature)
		}
	}
	kept, _ := t.a.State.Get(t.call.Request, textKey(joined(m.Parts)))
	if kept.Maker == geminiKind && kept.Model == t.call.Model.Name {
		return `,"thoughtSignature":` + quoted(kept.Signature)
	}
	return ""
}

// result answers a call by its function's name. The response must be an object: a
// JSON object stays as it is, anything else becomes its output.
func (t *geminiTurns) result(m *gateway.Message) {
	text := joined(m.Parts)
	response := text
	switch {
	case m.IsError:
		response = `{"error":` + quoted(text) + `}`
	case !gjson.Valid(text) || !gjson.Parse(text).IsObject():
		response = `{"output":` + quoted(text) + `}`
	}
	call, known := t.calls[m.ToolCallID]
	if !known { // its call was cut from the history: a name is needed all the same
		call = geminiCall{cmp.Or(m.Name, m.ToolCallID), len(t.calls)}
	}
	t.places = append(t.places, call.place)
	var f objectWriter
	f.put("id", quoted(m.ToolCallID))
	f.put("name", quoted(call.name))
	f.put("response", response)
	t.parts = append(t.parts, `{"functionResponse":`+f.done()+`}`)
}
