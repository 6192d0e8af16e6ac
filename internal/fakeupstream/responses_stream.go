package fakeupstream

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// responseStream collects the frames of a stream of the Responses API, and the items
// that are done. Every event has the next number.
type responseStream struct {
	talk   *talk
	frames []frame
	tokens int
	number int
	out    response
}

func (s *responseStream) event(part part, name, fields string, args ...any) {
	if part == content {
		s.tokens++
	}
	data := fmt.Appendf(nil, "event: %s\ndata: {\"type\":%q%s,\"sequence_number\":%d}\n\n", name, name, fmt.Sprintf(fields, args...), s.number)
	s.number++
	s.frames = append(s.frames, frame{part, data, s.tokens})
}

// glue adds an event to the frame before, since it has no token of its own.
func (s *responseStream) glue(name, fields string, args ...any) {
	s.event(head, name, fields, args...)
	last := len(s.frames) - 1
	if last > 0 {
		s.frames[last-1].data = append(s.frames[last-1].data, s.frames[last].data...)
		s.frames = s.frames[:last]
	}
}

// at is where in the answer an event belongs: the item that is open, and its only part.
func (s *responseStream) at(id string) string {
	return fmt.Sprintf(`,"item_id":%q,"output_index":%d`, id, len(s.out.Output))
}

func (s *responseStream) added(item any) {
	s.glue("response.output_item.added", `,"output_index":%d,"item":%s`, len(s.out.Output), mustJSON(item))
}

func (s *responseStream) done(item any) {
	value := jsontext.Value(mustJSON(item))
	s.glue("response.output_item.done", `,"output_index":%d,"item":%s`, len(s.out.Output), value)
	s.out.Output = append(s.out.Output, value)
}

func (s *responseStream) id(prefix string) string {
	return fmt.Sprintf("%s_%d%016x", prefix, len(s.out.Output), sum(fmt.Sprint(s.talk.question, len(s.talk.turns))))
}

// all tells the items of an answer: reasoning, message, calls.
func (s *responseStream) all(a answer) {
	if len(a.reasoning) > 0 {
		s.reasoning(a.reasoning)
	}
	if len(a.text) > 0 {
		s.message(a)
	}
	for _, c := range a.calls {
		s.call(c)
	}
}

// reasoning is told in a summary to who asked for one, and is paid by everybody.
func (s *responseStream) reasoning(tokens []string) {
	item := responseReasoning{ID: s.id("rs"), Type: "reasoning", Summary: []responsePart{}}
	s.added(item)
	if s.talk.showThoughts {
		at, text, empty := s.at(item.ID)+`,"summary_index":0`, strings.Join(tokens, ""), ""
		s.glue("response.reasoning_summary_part.added", `%s,"part":%s`, at, mustJSON(responsePart{Type: "summary_text", Text: &empty}))
		for _, token := range tokens {
			s.event(content, "response.reasoning_summary_text.delta", `%s,"delta":%s`, at, mustJSON(token))
		}
		item.Summary = []responsePart{{Type: "summary_text", Text: &text}}
		s.glue("response.reasoning_summary_text.done", `%s,"text":%s`, at, mustJSON(text))
		s.glue("response.reasoning_summary_part.done", `%s,"part":%s`, at, mustJSON(item.Summary[0]))
	} else {
		s.tokens += len(tokens)
	}
	if s.talk.encrypts {
		item.Encrypted = encrypted(s.talk.account, s.talk.model, item.ID)
	}
	s.done(item)
}

func (s *responseStream) message(a answer) {
	item := responseMessage{ID: s.id("msg"), Type: "message", Status: "in_progress", Role: "assistant", Content: []responsePart{}}
	s.added(item)
	kind, field, empty, text := "output_text", "text", outputText(""), strings.Join(a.text, "")
	whole := outputText(text)
	if a.refused {
		nothing := ""
		kind, field = "refusal", "refusal"
		empty, whole = responsePart{Type: kind, Refusal: &nothing}, responsePart{Type: kind, Refusal: &text}
	}
	at := s.at(item.ID) + `,"content_index":0`
	s.glue("response.content_part.added", `%s,"part":%s`, at, mustJSON(empty))
	for _, token := range a.text {
		s.event(content, "response."+kind+".delta", `%s,"delta":%s`, at, mustJSON(token))
	}
	s.glue("response."+kind+".done", `%s,%q:%s`, at, field, mustJSON(text))
	s.glue("response.content_part.done", `%s,"part":%s`, at, mustJSON(whole))
	item.Status, item.Content = "completed", []responsePart{whole}
	if a.cut {
		item.Status = "incomplete"
	}
	s.done(item)
}

func (s *responseStream) call(c Call) {
	as, known := s.talk.unlikes[c.Name]
	if !known {
		as.name = c.Name
	}
	if as.custom {
		s.customCall(c, as)
		return
	}
	item := responseCall{ID: s.id("fc"), Type: "function_call", Status: "in_progress", CallID: c.ID, Name: as.name, Namespace: as.namespace}
	s.added(item)
	at := s.at(item.ID)
	for _, piece := range pieces(c.Arguments) {
		s.event(content, "response.function_call_arguments.delta", `%s,"delta":%s`, at, mustJSON(piece))
	}
	s.glue("response.function_call_arguments.done", `%s,"name":%s,"arguments":%s`, at, mustJSON(as.name), mustJSON(c.Arguments))
	item.Status, item.Arguments = "completed", c.Arguments
	s.done(item)
}

// customCall tells a call of a tool that takes any text. Scripts say it as an object with
// that text, as other formats do.
func (s *responseStream) customCall(c Call, as unlike) {
	var said struct {
		Input string `json:"input"`
	}
	if err := json.Unmarshal([]byte(c.Arguments), &said); err != nil {
		said.Input = c.Arguments
	}
	item := responseCustomCall{ID: s.id("ctc"), Type: "custom_tool_call", Status: "in_progress", CallID: c.ID, Name: as.name, Namespace: as.namespace}
	s.added(item)
	at := s.at(item.ID)
	for _, piece := range pieces(said.Input) {
		s.event(content, "response.custom_tool_call_input.delta", `%s,"delta":%s`, at, mustJSON(piece))
	}
	s.glue("response.custom_tool_call_input.done", `%s,"input":%s`, at, mustJSON(said.Input))
	item.Status, item.Input = "completed", said.Input
	s.done(item)
}
