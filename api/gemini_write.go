package api

import (
	"maps"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"gateway"
)

// geminiWriter writes an answer as generateContent gives it: text as it comes, function
// calls whole, and the reason of the end with the usage on the last. Events of a
// provider of the same format are passed on as they came.
type geminiWriter struct {
	array    bool             // one JSON array instead of events
	thoughts bool             // the client wants to see thoughts
	maker    gateway.Thinking // of reasoning that is not signed
	by       gateway.Thinking // who answers
	tail     string           // of every object: who answered

	begun   bool
	relays  bool
	mixed   bool     // what was relayed went on in another format, so it has no true end
	last    []string // relayed objects from the first with a reason of the end: told when the answer is booked
	said    bool
	choices map[int]*geminiChoice
}

// geminiChoice is what one candidate still has to tell.
type geminiChoice struct {
	calls     []gateway.ToolCall
	arguments []*strings.Builder // of each call that came in pieces
	positions []int              // wire index of each call
	reasoning strings.Builder
	state     state
	logprobs  []byte // elements of an array, separated by commas
	finish    gateway.Finish
	said      bool
}

func newGeminiWriter(req *gateway.Request, a *gateway.Answer) *geminiWriter {
	thinking := either(either(parseInPlace(req.Raw), "generationConfig", "generation_config"), "thinkingConfig", "thinking_config")
	w := &geminiWriter{choices: map[int]*geminiChoice{}, thoughts: either(thinking, "includeThoughts", "include_thoughts").Bool()}
	model := req.Model
	if a != nil {
		model = a.Model
		w.maker, w.by = unsigned(a), madeBy(a)
	}
	tail := appendString([]byte(`,"modelVersion":`), model)
	w.tail = string(appendString(append(tail, `,"responseId":`...), req.ID))
	return w
}

func (w *geminiWriter) silent(c *gateway.Chunk) bool {
	return (c.Raw == nil || c.Whole) && !c.HasContent() && c.Finish == "" && len(c.Thinking) == 0
}

func (w *geminiWriter) choice(i int) *geminiChoice {
	ch := w.choices[i]
	if ch == nil {
		ch = &geminiChoice{}
		w.choices[i] = ch
	}
	return ch
}

// chunk appends an object for what can be told at once.
func (w *geminiWriter) chunk(b []byte, c *gateway.Chunk) []byte {
	switch {
	case c.Raw != nil && !c.Whole && (w.relays || !w.begun):
		w.relays = true
		w.said = w.said || c.HasContent()
		return w.relay(b, c)
	case w.relays:
		w.mixed = true
		return b
	}
	ch := w.choice(c.Choice)
	ch.take(c)
	if c.HasContent() {
		w.said = true
	}
	var parts []byte
	if w.thoughts && c.Reasoning != "" {
		parts = appendTextPart(parts, c.Reasoning, true, "")
	}
	if text := c.Text + c.Refusal; text != "" {
		parts = appendTextPart(parts, text, false, "")
		ch.said = true
	}
	if parts == nil {
		return b
	}
	return w.framed(b, func(b []byte) []byte {
		b = append(b, `{"candidates":[`...)
		b = appendCandidate(b, c.Choice, parts, "", nil)
		b = append(b, ']')
		return append(append(b, w.tail...), '}')
	})
}

// relay passes an object on as it came, but for what ends the answer, which is kept. Of
// several candidates the first end is not that of all: what still has content goes out.
func (w *geminiWriter) relay(b []byte, c *gateway.Chunk) []byte {
	object := strings.TrimSpace(string(c.Raw))
	if c.Finish == "" && len(w.last) == 0 {
		return w.framed(b, func(b []byte) []byte { return append(b, object...) })
	}
	if c.HasContent() {
		b = w.lasts(b)
	}
	w.last = append(w.last, object)
	return b
}

// lasts appends what was kept.
func (w *geminiWriter) lasts(b []byte) []byte {
	for _, object := range w.last {
		b = w.framed(b, func(b []byte) []byte { return append(b, object...) })
	}
	w.last = nil
	return b
}

// take keeps what is told later: calls when they are whole, and state with them.
func (ch *geminiChoice) take(c *gateway.Chunk) {
	ch.reasoning.WriteString(c.Reasoning)
	for _, t := range c.Thinking {
		ch.state.think(t)
	}
	for _, d := range c.Tools {
		i := slices.Index(ch.positions, d.Index)
		if i < 0 {
			i = len(ch.calls)
			ch.calls, ch.positions = append(ch.calls, gateway.ToolCall{}), append(ch.positions, d.Index)
			ch.arguments = append(ch.arguments, &strings.Builder{})
		}
		call := &ch.calls[i]
		call.ID, call.Name, call.Signature = or(d.ID, call.ID), or(d.Name, call.Name), or(d.Signature, call.Signature)
		ch.arguments[i].WriteString(d.Arguments)
	}
	if list := logprobsOf(c.Logprobs); list != nil {
		if len(ch.logprobs) > 0 {
			ch.logprobs = append(ch.logprobs, ',')
		}
		ch.logprobs = append(ch.logprobs, list...)
	}
	if c.Finish != "" {
		ch.finish = c.Finish
	}
}

// framed appends one object in the frame of the stream.
func (w *geminiWriter) framed(b []byte, fill func(b []byte) []byte) []byte {
	switch {
	case !w.array:
		b = append(b, "data: "...)
	case w.begun:
		b = append(b, ",\n"...)
	default:
		b = append(b, '[')
	}
	w.begun = true
	b = fill(b)
	if !w.array {
		b = append(b, "\n\n"...)
	}
	return b
}

func appendTextPart(b []byte, text string, thought bool, signature string) []byte {
	if len(b) > 0 {
		b = append(b, ',')
	}
	b = append(b, `{"text":`...)
	b = appendString(b, text)
	if thought {
		b = append(b, `,"thought":true`...)
	}
	if signature != "" {
		b = append(b, `,"thoughtSignature":`...)
		b = appendString(b, signature)
	}
	return append(b, '}')
}

func appendCandidate(b []byte, index int, parts []byte, finish string, logprobs []byte) []byte {
	b = append(b, '{')
	if parts != nil {
		b = append(b, `"content":{"role":"model","parts":[`...)
		b = append(b, parts...)
		b = append(b, `]},`...)
	}
	if finish != "" {
		b = append(b, `"finishReason":"`+finish+`",`...)
	}
	if logprobs != nil {
		b = append(b, `"logprobsResult":`...)
		b = append(b, logprobs...)
		b = append(b, ',')
	}
	b = appendInt(b, `"index":`, index)
	return append(b, '}')
}

var geminiFinishes = map[gateway.Finish]string{gateway.FinishLength: "MAX_TOKENS", gateway.FinishFilter: "SAFETY"}

// rest is what a candidate tells at its end. text is that of a whole answer.
func (w *geminiWriter) rest(ch *geminiChoice, text string) []byte {
	ch.state.text(ch.reasoning.String(), w.maker)
	for i, pieces := range ch.arguments {
		ch.calls[i].Arguments = pieces.String()
	}
	signature := ""
	if len(ch.calls) == 0 {
		signature = ch.signature("", w.by)
	}
	var b []byte
	if text != "" || signature != "" {
		b = appendTextPart(b, text, false, signature)
	}
	for i := range ch.calls {
		t := &ch.calls[i]
		if len(b) > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"functionCall":{"id":`...)
		b = appendString(b, t.ID)
		b = append(b, `,"name":`...)
		b = appendString(b, t.Name)
		b = append(b, `,"args":`...)
		b = append(b, objectOf(t.Arguments)...)
		b = append(b, '}')
		signature := t.Signature
		if i == 0 {
			signature = ch.signature(signature, w.by)
		}
		if signature != "" {
			b = append(b, `,"thoughtSignature":`...)
			b = appendString(b, signature)
		}
		b = append(b, '}')
	}
	if b == nil && ch.said {
		b = appendTextPart(b, "", false, "")
	}
	return b
}

// signature is what goes on a part: Gemini's own as it came, and what any other maker
// wants back sealed, which must be base64.
func (ch *geminiChoice) signature(own string, by gateway.Thinking) string {
	if len(ch.state) == 0 {
		return own
	}
	if own != "" {
		ch.state.sign(by, ch.calls[0].ID, own)
	} else if vendors := ch.state.vendors(geminiMaker); vendors != "" {
		return vendors
	}
	return based(ch.state)
}

// objectOf makes arguments an object, which they must be here.
func objectOf(arguments string) string {
	args := repaired(arguments)
	switch {
	case strings.TrimSpace(args) == "":
		return "{}"
	case gjson.Valid(args) && gjson.Parse(args).IsObject():
		return args
	}
	return string(append(appendString([]byte(`{"_raw":`), arguments), '}'))
}

// end closes a whole answer with what was kept back.
func (w *geminiWriter) end(b []byte, u *gateway.Usage, receipt []gateway.AttemptNote) []byte {
	switch {
	case w.mixed:
		p := problemOf(gateway.Errorf(gateway.Unavailable, ""))
		return w.fail(b, &p)
	case !w.relays:
		b = w.framed(b, func(b []byte) []byte {
			b = w.ending(b, u, nil)
			if receipt != nil {
				b = append(appendReceipt(b[:len(b)-1], receipt), '}')
			}
			return b
		})
	default:
		b = w.lasts(b)
	}
	if w.array {
		b = append(b, "]\n"...)
	}
	return b
}

// ending appends the object that ends an answer. texts are those of a whole answer, by choice.
func (w *geminiWriter) ending(b []byte, u *gateway.Usage, texts map[int]string) []byte {
	b = append(b, `{"candidates":[`...)
	w.choice(0)
	for n, i := range slices.Sorted(maps.Keys(w.choices)) {
		if n > 0 {
			b = append(b, ',')
		}
		ch := w.choices[i]
		b = appendCandidate(b, i, w.rest(ch, texts[i]), or(geminiFinishes[ch.finish], "STOP"), geminiLogprobs(ch.logprobs))
	}
	b = append(b, ']')
	if u == nil {
		u = &gateway.Usage{}
	}
	b = appendGeminiUsage(b, u)
	return append(append(b, w.tail...), '}')
}

func appendGeminiUsage(b []byte, u *gateway.Usage) []byte {
	b = appendInt(b, `,"usageMetadata":{"promptTokenCount":`, u.Prompt())
	if u.CachedRead > 0 {
		b = appendInt(b, `,"cachedContentTokenCount":`, u.CachedRead)
	}
	b = appendInt(b, `,"candidatesTokenCount":`, u.Output-u.Reasoning)
	if u.Reasoning > 0 {
		b = appendInt(b, `,"thoughtsTokenCount":`, u.Reasoning)
	}
	b = appendInt(b, `,"totalTokenCount":`, u.Total())
	return append(b, '}')
}

// geminiLogprobs rewrites the elements of a chat's logprobs.
func geminiLogprobs(list []byte) []byte {
	if len(list) == 0 {
		return nil
	}
	one := func(b []byte, v gjson.Result) []byte {
		b = append(appendString(append(b, `{"token":`...), v.Get("token").Str), `,"logProbability":`...)
		return append(append(b, or(v.Get("logprob").Raw, "0")...), '}')
	}
	var chosen, top []byte
	for i, v := range gjson.Parse("[" + string(list) + "]").Array() {
		if i > 0 {
			chosen, top = append(chosen, ','), append(top, ',')
		}
		chosen = one(chosen, v)
		top = append(top, `{"candidates":[`...)
		for j, t := range v.Get("top_logprobs").Array() {
			if j > 0 {
				top = append(top, ',')
			}
			top = one(top, t)
		}
		top = append(top, "]}"...)
	}
	b := append([]byte(`{"chosenCandidates":[`), chosen...)
	b = append(append(b, `],"topCandidates":[`...), top...)
	return append(b, "]}"...)
}

// fail closes an answer that broke with an error object, which is no end.
func (w *geminiWriter) fail(b []byte, p *problem) []byte {
	told := *p
	if w.said {
		told.message = "The provider failed in the middle of its answer (" + reason(p.err.Kind) + ")."
	}
	b = w.framed(b, func(b []byte) []byte { return told.google(b, told.googleStatus()) })
	if w.array {
		b = append(b, "]\n"...)
	}
	return b
}
