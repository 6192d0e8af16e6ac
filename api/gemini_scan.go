package api

import (
	"bytes"
	"hash/maphash"
	"net/http"
	"strings"

	"github.com/tidwall/gjson"

	"gateway"
)

var geminiFields = map[string]kindOfField{
	"contents": anArray, "systemInstruction": anObject, "system_instruction": anObject, "tools": anArray,
	"toolConfig": anObject, "tool_config": anObject, "generationConfig": anObject, "generation_config": anObject,
	"safetySettings": anArray, "cachedContent": aString,
}

// geminiMethods are what can be asked of a model, by the end of its path.
const (
	geminiGenerate = "generateContent"
	geminiStream   = "streamGenerateContent"
	geminiCount    = "countTokens"
)

// geminiTarget takes the end of a path apart: "deepseek/deepseek-flash:generateContent".
func geminiTarget(path string) (model, method string) {
	_, rest, _ := strings.Cut(path, "/models/")
	i := strings.LastIndexByte(rest, ':')
	if i < 0 {
		return rest, ""
	}
	if m := rest[i+1:]; m == geminiGenerate || m == geminiStream || m == geminiCount {
		return rest[:i], m
	}
	return rest, "" // models of Ollama have a colon in their names
}

// either is a field under its name or, as Google's own examples write it, under the
// same with underscores.
func either(v gjson.Result, camel, snake string) gjson.Result {
	if f := v.Get(camel); f.Exists() {
		return f
	}
	return v.Get(snake)
}

// scanGemini finds out what routing must know of a generateContent request.
func scanGemini(r *http.Request, raw []byte, req *gateway.Request) *gateway.Error {
	o, err := parse(raw)
	if err != nil {
		return err
	}
	if err := o.checkTypesBy(geminiFields); err != nil {
		return err
	}
	model, method := geminiTarget(r.URL.Path)
	req.Model, req.Stream = model, method == geminiStream
	req.Raw, req.Wire, req.Decode = raw, geminiWire, decodeGemini
	contents, ok := o.get("contents")
	if !ok || contents.Get("#").Int() == 0 {
		return field("contents", "\"contents\" is required.")
	}
	o.noteFees(req, geminiFees)
	body := parseInPlace(raw)
	s := geminiScan{req: req}
	s.prefix.SetSeed(prefixSeed)
	system := either(body, "systemInstruction", "system_instruction")
	s.prefix.WriteString(system.Raw)
	s.parts(system, false)
	if err := s.contents(contents); err != nil {
		return err
	}
	if err := s.tools(body); err != nil {
		return err
	}
	if err := s.config(either(body, "generationConfig", "generation_config")); err != nil {
		return err
	}
	return s.foreign()
}

type geminiScan struct {
	req    *gateway.Request
	prefix maphash.Hash
}

func (s *geminiScan) contents(list gjson.Result) *gateway.Error {
	for i, c := range list.Array() {
		if !c.IsObject() {
			return field("contents", "contents[%d] must be an object.", i)
		}
		switch c.Get("role").Str {
		case "", "user", "model", "function", "tool", "system":
		default:
			return field("contents", "contents[%d].role must be user or model.", i)
		}
		if p := c.Get("parts"); p.Exists() && !p.IsArray() && !p.IsObject() {
			return field("contents", "contents[%d].parts must be an array.", i)
		}
		s.req.Messages++
		s.parts(c, true)
		s.loop(c)
		if s.req.Prefix == 0 {
			s.prefix.WriteString(c.Raw)
			if c.Get("role").Str != "model" { // as with messages: the part that stays
				s.req.Prefix = s.prefix.Sum64()
			}
		}
	}
	return nil
}

// loop follows the tool loop: the calls that are answered, and who made the state that
// is handed back. When the user speaks, another begins.
func (s *geminiScan) loop(c gjson.Result) {
	answers := 0
	for _, p := range partsOf(c) {
		if f := either(p, "functionResponse", "function_response"); f.IsObject() {
			answers++
			if id := f.Get("id").Str; id != "" {
				s.req.Loop.Calls = append(s.req.Loop.Calls, id)
			}
		}
		switch signature := partSignature(p); {
		case signature == "" || signature == unsignedCall:
		case isBased(signature):
			s.req.Loop.Maker, s.req.Loop.Model = unbased(signature).maker()
		default:
			s.req.Loop.Maker, s.req.Loop.Model = geminiMaker, ""
		}
	}
	if c.Get("role").Str != "model" && answers == 0 {
		s.req.Loop = gateway.Loop{}
	}
}

// partsOf is the list of parts of a content; a single one may stand for the list.
func partsOf(content gjson.Result) []gjson.Result { return content.Get("parts").Array() }

func (s *geminiScan) parts(content gjson.Result, prompt bool) {
	for _, p := range partsOf(content) {
		s.req.PromptBytes += len(p.Get("text").Str)
		for _, name := range [...]string{"functionCall", "function_call", "functionResponse", "function_response"} {
			s.req.PromptBytes += len(p.Get(name).Raw)
		}
		if either(p, "fileData", "file_data").Exists() { // of any length, and of any price where it is speech
			fee(s.req, "fileData")
		}
		data := either(p, "inlineData", "inline_data")
		if !data.IsObject() || !prompt {
			continue
		}
		switch mime := either(data, "mimeType", "mime_type").Str; {
		case strings.HasPrefix(mime, "image/"):
			s.req.Images++
			s.req.Needs.ImageData = true
		case strings.HasPrefix(mime, "audio/"):
			s.req.Needs.Audio = true
		default:
			s.req.Needs.Files = true
		}
	}
}

func (s *geminiScan) tools(body gjson.Result) *gateway.Error {
	for i, group := range body.Get("tools").Array() {
		list := either(group, "functionDeclarations", "function_declarations")
		for j, f := range list.Array() {
			if f.Get("name").Type != gjson.String || f.Get("name").Str == "" {
				return field("tools", "tools[%d].functionDeclarations[%d] has no name.", i, j)
			}
			s.req.Needs.Tools = true
		}
		s.req.PromptBytes += len(list.Raw)
	}
	calling := either(either(body, "toolConfig", "tool_config"), "functionCallingConfig", "function_calling_config")
	switch mode := calling.Get("mode").Str; strings.ToUpper(mode) {
	case "", "AUTO", "NONE", "VALIDATED", "MODE_UNSPECIFIED":
	case "ANY":
		if !s.req.Needs.Tools {
			return field("toolConfig", "mode ANY needs function declarations.")
		}
		s.req.Needs.ToolForce = true
	default:
		return field("toolConfig", "functionCallingConfig.mode must be AUTO, ANY, NONE or VALIDATED.")
	}
	return nil
}

func (s *geminiScan) config(c gjson.Result) *gateway.Error {
	req := s.req
	if n := either(c, "maxOutputTokens", "max_output_tokens"); n.Exists() && n.Type != gjson.Null {
		if n.Type != gjson.Number || n.Int() < 1 || n.Int() > 1<<31 {
			return field("generationConfig", "maxOutputTokens must be at least 1.")
		}
		req.MaxTokens = int(n.Int())
	}
	if n := either(c, "candidateCount", "candidate_count"); n.Exists() && n.Type != gjson.Null {
		if n.Type != gjson.Number || n.Int() < 1 || n.Int() > 128 {
			return field("generationConfig", "candidateCount must be between 1 and 128.")
		}
		req.Needs.Many = n.Int() > 1
	}
	req.Seeded = c.Get("seed").Type == gjson.Number
	for _, m := range either(c, "responseModalities", "response_modalities").Array() { // as in chat: dear to make twice
		req.Stateful = req.Stateful || !strings.EqualFold(m.Str, "TEXT")
	}
	if geminiSchemaOf(c).Exists() {
		req.Needs.JSONSchema = true
	} else if either(c, "responseMimeType", "response_mime_type").Str == "application/json" {
		req.Needs.JSONMode = true
	}
	req.Needs.Logprobs = either(c, "responseLogprobs", "response_logprobs").Bool()
	effort := geminiEffort(either(c, "thinkingConfig", "thinking_config"))
	req.DeepEffort = effort == "high" || effort == "xhigh" || effort == "max"
	return nil
}

// geminiSchemaOf is the schema an answer must follow, in either language.
func geminiSchemaOf(c gjson.Result) gjson.Result {
	if s := either(c, "responseJsonSchema", "response_json_schema"); s.Exists() {
		return s
	}
	return either(c, "responseSchema", "response_schema")
}

// geminiEffort turns a thinking level or budget into an effort. The budgets are those
// that efforts are turned into for Gemini itself.
func geminiEffort(thinking gjson.Result) string {
	if level := either(thinking, "thinkingLevel", "thinking_level").Str; level != "" && level != "THINKING_LEVEL_UNSPECIFIED" {
		return strings.ToLower(level)
	}
	budget := either(thinking, "thinkingBudget", "thinking_budget")
	if budget.Type != gjson.Number {
		return ""
	}
	switch n := budget.Int(); {
	case n < 0: // as the model sees fit
		return ""
	case n == 0:
		return "none"
	case n <= 1024:
		return "low"
	case n <= 8192:
		return "medium"
	}
	return "high"
}

// unsignedCall is what Gemini takes for a signature that is lost. Source: wire
// reference section 7.3.
const unsignedCall = "skip_thought_signature_validator"

// foreign takes out of what is relayed to Gemini the state that this gateway made for
// other providers, which Gemini would refuse.
func (s *geminiScan) foreign() *gateway.Error {
	whole := s.req.Raw
	if !bytes.Contains(whole, []byte(`"`+sealBase64)) && !bytes.Contains(whole, []byte(`"`+olderBase64)) {
		return nil
	}
	s.req.Decode = func([]byte) (*gateway.Chat, error) { return decodeGemini(whole) }
	var raw []byte
	from := 0
	for _, c := range gjson.GetBytes(whole, "contents").Array() {
		for _, p := range partsOf(c) {
			if v := either(p, "thoughtSignature", "thought_signature"); isBased(v.Str) && v.Index > from {
				raw = append(append(raw, whole[from:v.Index]...), `"`+unsignedCall+`"`...)
				from = v.Index + len(v.Raw)
			}
		}
	}
	raw = append(raw, whole[from:]...)
	s.req.Raw = raw
	return nil
}

func partSignature(part gjson.Result) string {
	return either(part, "thoughtSignature", "thought_signature").Str
}
