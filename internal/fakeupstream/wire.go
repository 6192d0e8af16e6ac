package fakeupstream

import (
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
)

// wire is one provider's format. Implementations hold nothing.
type wire interface {
	// route gives the handler of a path, nil when the provider has no such path.
	route(r *http.Request) func(*Server, http.ResponseWriter, *http.Request)
	// key is the key that a request carries.
	key(r *http.Request) string
	// read takes a request for an answer apart and refuses what the provider would.
	read(c Config, r *http.Request, body []byte) (*talk, *refusal)
	// ids makes the id of a call.
	ids(i int, seed uint64) string
	// frames are the parts of a streamed answer, in order.
	frames(t *talk, a answer) []frame
	// whole is an answer that is not streamed.
	whole(t *talk, a answer) []byte
	// contentType is that of a stream.
	contentType() string
	// broken makes an event with this payload, which may be no JSON, and an event with an error.
	broken(payload string) []byte
	failed(no refusal) []byte
	// keepAlive is sent while the caller waits for the first content; may be nil.
	keepAlive() []byte
	// refusal is the body of an error.
	refusal(no refusal) []byte
	// models is the body of the list of models.
	models(names []string) any
	// adjust turns a refusal of the general kind into the provider's own.
	adjust(no refusal) refusal
}

var wires = map[Kind]wire{OpenAI: openAI{}, DeepSeek: deepSeek{}, Ollama: ollama{}, Anthropic: anthropic{}, Gemini: gemini{}, OpenAIResponses: openAIResponses{}}

// frame is a part of a streamed answer that is written at once.
type frame struct {
	part part
	data []byte
	// tokens says how many tokens of output have been sent with this frame.
	tokens int
}

// part says what a frame is for, so that a fault can strike at the right place.
type part uint8

const (
	head    part = iota // before any content: role, message_start
	early               // as head, but sent at once, before the model has begun
	content             // a token, of the reasoning, the text or a call
	tail                // finish, usage, terminal mark
)

// answer is what the model says, in no provider's format.
type answer struct {
	reasoning []string // its tokens
	text      []string
	calls     []Call
	cut       bool // by the limit on tokens
	refused   bool // the model will not answer
	usage     Usage
}

// think is what a model thinks before it answers.
func think(question string) []string {
	words := Answer("thinking about "+question, 6)
	return append([]string{"Let me see: "}, words...)
}

// answerTo makes the answer to a conversation.
func (s *Server) answerTo(t *talk) answer {
	var a answer
	a.usage.Prompt, a.usage.Cached = t.promptTokens()
	if t.thinking {
		a.reasoning = think(t.question)
	}
	say := Answer
	if s.config.Plain {
		say = PlainAnswer
	}
	if t.wantsTools(s.config.AlwaysTools) {
		a.calls = t.calls(s.wire.ids)
	} else {
		var names, texts []string
		for _, one := range t.results() {
			names, texts = append(names, one.name), append(texts, one.text)
		}
		a.text = append(quote(names, texts), say(t.question, s.config.Tokens)...)
	}
	if t.wantsJSON && len(a.calls) == 0 {
		a.text = pieces(t.jsonText(strings.Join(say(t.question, s.config.Tokens), "")))
	}
	if t.maxTokens > 0 && len(a.text) > t.maxTokens {
		a.text, a.cut = a.text[:t.maxTokens], true
	}
	a.count()
	return a
}

// pieces cuts a text into tokens of at most four characters, never inside one.
func pieces(text string) []string {
	var out []string
	start, n := 0, 0
	for i := range text {
		if n == 4 {
			out = append(out, text[start:i])
			start, n = i, 0
		}
		n++
	}
	return append(out, text[start:])
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.MarshalWrite(w, v) // the caller may have left
}
