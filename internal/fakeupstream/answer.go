package fakeupstream

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// vocabulary is what answers are made of: words, and everything that an encoder, a
// splitter of events or an escaper could get wrong.
var vocabulary = []string{
	"the", "answer", "is", "that", "light", "travels", "slowly", "through", "glass", "and", "faster", "than", "sound",
	"one", "two", "seven", "of", "nine", "a", "river", "to", "be", "measured", "twice", "whole", "again",
	"é", "日本語", "😀", "👩‍👩‍👧", "<b>&amp;</b>", `"quoted"`, `back\slash`, "tab\tbed", "line\nbreak", "data: x", "[DONE]",
	"\u2028", "\u0000", "}{", "e\u0301",
}

// hard is where the words end in vocabulary.
const hard = 26

// Answer gives the tokens of the answer to a question: always the same for the same
// question, whatever the format it was asked in. Joined they are the text. n is the
// number of tokens; 0 lets the question decide.
//
// A question is the text of the user's last turns; white space does not count in it.
func Answer(prompt string, n int) []string { return answerIn(vocabulary, prompt, n) }

// PlainAnswer is Answer in plain words only, for people to read.
func PlainAnswer(prompt string, n int) []string { return answerIn(vocabulary[:hard], prompt, n) }

func answerIn(words []string, prompt string, n int) []string {
	prompt = strings.Join(strings.Fields(prompt), " ")
	seed := sum(prompt)
	random := rand.New(rand.NewPCG(seed, 1))
	if n <= 0 {
		n = 8 + random.IntN(33)
	}
	tokens := make([]string, n)
	tokens[0] = fmt.Sprintf("[%08x]", uint32(seed)) // no two questions share an answer by chance
	for i := 1; i < n; i++ {
		pick := random.IntN(hard)
		if len(words) > hard && random.IntN(6) == 0 {
			pick = hard + random.IntN(len(words)-hard)
		}
		tokens[i] = " " + words[pick]
	}
	return tokens
}

// Text is Answer as one text.
func Text(prompt string, n int) string { return strings.Join(Answer(prompt, n), "") }

// ResultsText is the text of an answer that follows results of tools: it quotes them,
// so that a result that was lost or swapped on its way shows.
func ResultsText(prompt string, n int, names, results []string) string {
	return strings.Join(quote(names, results), "") + Text(prompt, n)
}

// quote tells results of tools, three tokens each.
func quote(names, results []string) []string {
	var tokens []string
	for i, name := range names {
		tokens = append(tokens, name+" says ", canonical(results[i]), ". ")
	}
	return tokens
}

// Calls gives the calls that are made for a question when these tools are offered: the
// first two, or the only one twice. Ids are not in it, since formats have their own.
func Calls(prompt string, tools []Tool) []Call {
	if len(tools) == 1 {
		tools = []Tool{tools[0], tools[0]}
	}
	var calls []Call
	for i, t := range tools[:min(2, len(tools))] {
		calls = append(calls, Call{Name: t.Name, Arguments: arguments(prompt, t.Schema, i)})
	}
	return calls
}

// wantsTools says whether this turn calls tools.
func (t *talk) wantsTools(always bool) bool {
	if len(t.tools) == 0 || t.toolChoice.mode == "none" || len(t.results()) > 0 {
		return false
	}
	asked := strings.ToLower(t.question)
	return always || t.toolChoice.mode != "" || strings.Contains(asked, "use tools") || strings.Contains(asked, "use the tool")
}

// calls are those of this turn, with ids of its own format's liking.
func (t *talk) calls(id func(i int, seed uint64) string) []Call {
	offered := t.tools
	if t.toolChoice.mode == "named" {
		offered = slices.DeleteFunc(slices.Clone(offered), func(o Tool) bool { return o.Name != t.toolChoice.name })
	}
	calls := Calls(t.question, offered)
	if t.oneCall && len(calls) > 1 {
		calls = calls[:1]
	}
	for i := range calls {
		calls[i].ID = id(i, sum(fmt.Sprint(t.question, len(t.turns), i)))
	}
	return calls
}

// arguments fill a schema from the question: the i-th call takes the i-th name in it,
// so that a question about Paris and Rome asks for both.
func arguments(prompt string, schema jsontext.Value, i int) string {
	var object struct {
		Properties map[string]struct {
			Type jsontext.Value   `json:"type"`
			Enum []jsontext.Value `json:"enum"`
		} `json:"properties"`
	}
	_ = json.Unmarshal(schema, &object) // what cannot be read has no properties
	fields := make([]string, 0, len(object.Properties))
	for field := range object.Properties {
		fields = append(fields, field)
	}
	slices.Sort(fields)
	out := []byte("{")
	for n, field := range fields {
		if n > 0 {
			out = append(out, ',')
		}
		out = append(append(out, mustJSON(field)...), ':')
		property, pick := object.Properties[field], sum(prompt+field)%1000+uint64(i)
		switch kind := strings.ToLower(string(property.Type)); {
		case len(property.Enum) > 0:
			out = append(out, property.Enum[pick%uint64(len(property.Enum))]...)
		case strings.Contains(kind, `"integer"`), strings.Contains(kind, `"number"`):
			out = fmt.Append(out, pick)
		case strings.Contains(kind, `"boolean"`):
			out = fmt.Append(out, pick%2 == 0)
		case strings.Contains(kind, `"array"`):
			out = append(out, "[]"...)
		case strings.Contains(kind, `"object"`):
			out = append(out, "{}"...)
		default:
			out = append(out, mustJSON(subject(prompt, i))...)
		}
	}
	return string(append(out, '}'))
}

// subject is the i-th name in a question (a word that begins large but not the
// sentence), or a word of its own making when there are not so many.
func subject(prompt string, i int) string {
	var names []string
	starts := true
	for _, word := range strings.Fields(prompt) {
		name := strings.TrimFunc(word, unicode.IsPunct)
		if first, _ := utf8.DecodeRuneInString(name); !starts && unicode.IsUpper(first) {
			names = append(names, name)
		}
		starts = strings.ContainsAny(word, ".!?:")
	}
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("thing-%x-%d", uint16(sum(prompt)), i)
}

// jsonText is the answer when JSON is wanted: an object of the schema, or one field.
func (t *talk) jsonText(text string) string {
	if len(t.schema) == 0 {
		return string(mustJSON(struct {
			Answer string `json:"answer"`
		}{text}))
	}
	return arguments(t.question, t.schema, 0)
}
