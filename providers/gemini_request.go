package providers

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"gateway"
)

// geminiRules are what differs by model, by the beginning of its name; the first that
// matches holds. What is not known is treated as the newest.
var geminiRules = []struct {
	prefix string
	rules  geminiModel
}{
	{"gemini-2.5-pro", geminiModel{budget: true, least: 128, noPenalties: true}},
	{"gemini-2", geminiModel{budget: true, noPenalties: true}},
	{"gemini-1", geminiModel{}},
	{"gemini-4-argon", geminiModel{levels: true, signatures: true, lowest: "low", highest: "high", mixes: true}},
	{"gemini-4-hydrogen", geminiModel{levels: true, signatures: true, lowest: "low", highest: "xhigh", mixes: true}},
	{"", geminiModel{levels: true, signatures: true, lowest: "minimal", highest: "high", mixes: true}},
}

type geminiModel struct {
	levels          bool // thinkingLevel; it cannot be off
	budget          bool // thinkingBudget instead
	least           int  // smallest budget
	signatures      bool // calls of the current turn must come back signed
	noPenalties     bool
	mixes           bool // JSON answers together with functions
	lowest, highest string
}

func geminiModelOf(name string) geminiModel {
	for _, r := range geminiRules {
		if strings.HasPrefix(name, r.prefix) {
			return r.rules
		}
	}
	return geminiModel{}
}

// unsigned stands for a signature that was lost or never was; the provider takes it.
const unsigned = "skip_thought_signature_validator"

// translate makes the generateContent body. sentinel replaces every signature.
func (a *gemini) translate(call *gateway.Call, chat *gateway.Chat, sentinel bool) ([]byte, error) {
	t := &geminiTurns{a: a, call: call, model: geminiModelOf(call.Model.Name), sentinel: sentinel, calls: map[string]geminiCall{}}
	if err := t.add(chat.Messages); err != nil {
		return nil, err
	}
	var w objectWriter
	if len(t.system) > 0 {
		w.put("systemInstruction", `{"parts":`+array(t.system)+`}`)
	}
	w.put("contents", array(t.contents))
	if tools := geminiTools(chat); len(tools) > 0 {
		w.put("tools", `[{"functionDeclarations":`+array(tools)+`}]`)
		if config := geminiChoice(chat); config != "" {
			w.put("toolConfig", `{"functionCallingConfig":`+config+`}`)
		}
		if chat.Format.Mode != "" && chat.Format.Mode != "text" && !t.model.mixes {
			return nil, cannot(call, "JSON answers together with functions")
		}
	}
	if len(chat.Stop) > mostGeminiStops {
		return nil, cannot(call, "more than five stop sequences")
	}
	if config := geminiConfig(call, chat, t.model); config != "{}" {
		w.put("generationConfig", config)
	}
	return a.withParams(w.bytes(), call.Model.Name), nil
}

// mostGeminiStops is how many stop sequences Gemini takes. Source: the API's reference,
// GenerationConfig.
const mostGeminiStops = 5

func geminiConfig(call *gateway.Call, chat *gateway.Chat, m geminiModel) string {
	var w objectWriter
	limit := chat.MaxTokens
	if call.MaxTokens > 0 {
		limit = call.MaxTokens
	}
	if limit > 0 {
		w.put("maxOutputTokens", strconv.Itoa(limit))
	}
	numbers := []struct {
		name  string
		value gateway.Number
	}{{"temperature", chat.Temperature}, {"topP", chat.TopP}, {"topK", chat.TopK}, {"seed", chat.Seed}}
	if !m.noPenalties {
		numbers = append(numbers, []struct {
			name  string
			value gateway.Number
		}{{"presencePenalty", chat.PresencePenalty}, {"frequencyPenalty", chat.FrequencyPenalty}}...)
	}
	for _, n := range numbers {
		if n.value != "" {
			w.put(n.name, string(n.value))
		}
	}
	if len(chat.Stop) > 0 {
		w.put("stopSequences", stringList(chat.Stop))
	}
	if chat.Logprobs {
		w.put("responseLogprobs", "true")
		if chat.TopLogprobs > 0 {
			w.put("logprobs", strconv.Itoa(chat.TopLogprobs))
		}
	}
	switch chat.Format.Mode {
	case "json_object":
		w.put("responseMimeType", `"application/json"`)
	case "json_schema":
		w.put("responseMimeType", `"application/json"`)
		room := mostInlined
		w.put("responseJsonSchema", geminiSchema(gjson.ParseBytes(chat.Format.Schema), &room))
	}
	if config := m.thinking(chat.Effort, chat.Thoughts); config != "" {
		w.put("thinkingConfig", config)
	}
	return w.done()
}

// thinking maps an effort, and the wish to see the thoughts. The budgets are our
// choice, not the vendor's rule.
func (m geminiModel) thinking(effort string, show bool) string {
	if !m.budget && !m.levels || effort == "" && !show {
		return ""
	}
	var w objectWriter
	if effort != "" {
		w.put(m.effort(effort))
	}
	if show {
		w.put("includeThoughts", "true")
	}
	return w.done()
}

func (m geminiModel) effort(effort string) (field, value string) {
	if m.budget {
		budget := map[string]int{"none": 0, "minimal": 1024, "low": 1024, "medium": 8192}
		n, ok := budget[effort]
		if !ok {
			n = 24576
		}
		return "thinkingBudget", strconv.Itoa(max(n, m.least))
	}
	order := []string{"minimal", "low", "medium", "high", "xhigh"}
	at := slices.Index(order, effort)
	switch {
	case effort == "none":
		at = 0
	case at < 0:
		at = len(order) - 1
	}
	at = min(max(at, slices.Index(order, m.lowest)), slices.Index(order, m.highest))
	return "thinkingLevel", quoted(order[at])
}

func geminiTools(chat *gateway.Chat) []string {
	var out []string
	room := mostInlined
	for _, t := range chat.Tools {
		if allowed := chat.ToolChoice.Allowed; len(allowed) > 0 && !slices.Contains(allowed, t.Name) {
			continue
		}
		var w objectWriter
		w.put("name", quoted(t.Name))
		putText(&w, "description", t.Description)
		if len(t.Parameters) > 0 {
			w.put("parametersJsonSchema", geminiSchema(gjson.ParseBytes(t.Parameters), &room))
		}
		out = append(out, w.done())
	}
	return out
}

func geminiChoice(chat *gateway.Chat) string {
	var w objectWriter
	c := &chat.ToolChoice
	strict := slices.ContainsFunc(chat.Tools, func(t gateway.Tool) bool { return t.Strict })
	switch c.Mode {
	case "none":
		w.put("mode", `"NONE"`)
	case "required":
		w.put("mode", `"ANY"`)
	case "named":
		w.put("mode", `"ANY"`)
		w.put("allowedFunctionNames", stringList([]string{c.Name}))
	default:
		switch {
		case strict:
			w.put("mode", `"VALIDATED"`)
		case c.Mode == "auto":
			w.put("mode", `"AUTO"`)
		default:
			return ""
		}
	}
	if len(c.Allowed) > 0 && (c.Mode == "required" || strict) {
		w.put("allowedFunctionNames", stringList(c.Allowed))
	}
	return w.done()
}
