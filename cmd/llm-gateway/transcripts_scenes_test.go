package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"gateway/internal/fakeupstream"
)

// scene is a conversation: what the model does in each of its turns. A turn ends in
// words or in calls, whose results begin the next.
type scene struct {
	name  string
	turns []fakeupstream.Step
	// breaks says that the last turn is one that no client may take for whole.
	breaks bool
}

func calls(pairs ...string) (all []fakeupstream.Call) {
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, fakeupstream.Call{Name: pairs[i], Arguments: pairs[i+1]})
	}
	return all
}

func words(text string) fakeupstream.Step { return say(fakeupstream.Say{Text: text}) }

// awkward is a text with everything in it that an escaper or a splitter could get wrong.
const awkward = "é 日本語 😀 👩‍👩‍👧 \"quoted\" back\\slash\ttab\nline data: [DONE]\n\nevent: x <b>&amp;</b> \u2028 }{"

// longArguments are some hundred pieces.
var longArguments = `{"of":"long.txt","text":` + string(encoded(strings.Repeat(awkward, 8))) + `}`

// nestedArguments have all kinds of values, some levels deep.
const nestedArguments = `{"of":"n","text":"","list":[1,-2.5,{"deep":[true,null,{},[]],"é":"日本"}],"o":{"o":{"o":{"text":"{\"not\":\"parsed\"}"}}},"none":null}`

// scenes are conversations of every kind that agents have.
var scenes = []scene{
	{name: "words", turns: []fakeupstream.Step{words("Hello there.")}},
	{name: "awkward-words", turns: []fakeupstream.Step{words(awkward)}},
	{name: "reasoning-and-words", turns: []fakeupstream.Step{say(fakeupstream.Say{Reasoning: "Let me think: " + awkward, Text: "So be it."})}},
	{name: "one-call", turns: []fakeupstream.Step{say(fakeupstream.Say{Calls: calls("read_file", `{"of":"a.txt"}`)}), words("Read.")}},
	{name: "words-and-call", turns: []fakeupstream.Step{
		say(fakeupstream.Say{Text: "I look.", Calls: calls("read_file", `{"of":"a.txt"}`)}), words("Seen.")}},
	{name: "parallel-calls", turns: []fakeupstream.Step{
		say(fakeupstream.Say{Calls: calls("read_file", `{"of":"a"}`, "write_file", `{"of":"b","text":"x"}`)}), words("Both.")}},
	{name: "five-calls", turns: []fakeupstream.Step{
		say(fakeupstream.Say{Calls: calls("read_file", `{"of":"1"}`, "read_file", `{"of":"2"}`, "now", `{}`, "read_file", `{"of":"4"}`, "write_file", `{"of":"5"}`)}), words("All five.")}},
	{name: "reasoning-and-call", turns: []fakeupstream.Step{
		say(fakeupstream.Say{Reasoning: "It is in a.", Calls: calls("read_file", `{"of":"a"}`)}), words("Found.")}},
	{name: "reasoning-words-and-calls", turns: []fakeupstream.Step{
		say(fakeupstream.Say{Reasoning: "Both.", Text: "I read both.", Calls: calls("read_file", `{"of":"a"}`, "read_file", `{"of":"b"}`)}), words("Done.")}},
	{name: "call-without-arguments", turns: []fakeupstream.Step{say(fakeupstream.Say{Calls: calls("now", `{}`)}), words("Noon.")}},
	{name: "long-arguments", turns: []fakeupstream.Step{say(fakeupstream.Say{Calls: calls("write_file", longArguments)}), words("Written.")}},
	{name: "many-rounds", turns: []fakeupstream.Step{
		say(fakeupstream.Say{Reasoning: "One.", Calls: calls("read_file", `{"of":"a"}`)}),
		say(fakeupstream.Say{Text: "Now two.", Calls: calls("read_file", `{"of":"b"}`, "now", `{}`)}),
		say(fakeupstream.Say{Reasoning: "Three.", Text: "And three.", Calls: calls("write_file", `{"of":"c","text":"z"}`)}),
		words("That was it.")}},
	{name: "refusal", turns: []fakeupstream.Step{say(fakeupstream.Say{Text: "I will not do that.", Refused: true})}},
	{name: "length", turns: []fakeupstream.Step{say(fakeupstream.Say{Text: "Once upon a", Length: true})}},
	{name: "length-after-a-call", turns: []fakeupstream.Step{
		say(fakeupstream.Say{Calls: calls("read_file", `{"of":"a"}`)}), say(fakeupstream.Say{Text: "It says th", Length: true})}},
	{name: "nested-arguments", turns: []fakeupstream.Step{say(fakeupstream.Say{Calls: calls("write_file", nestedArguments)}), words("Nested.")}},
	{name: "awkward-arguments", turns: []fakeupstream.Step{
		say(fakeupstream.Say{Text: awkward, Calls: calls("write_file", `{"of":"日本語 😀.txt","text":`+string(encoded(awkward))+`,"":"","é\u0301\u2028":"\u0000"}`)}), words(awkward)}},
	{name: "the-same-call-twice", turns: []fakeupstream.Step{
		say(fakeupstream.Say{Calls: calls("read_file", `{"of":"a"}`, "read_file", `{"of":"a"}`)}), words("Twice the same.")}},
	{name: "the-same-call-again", turns: []fakeupstream.Step{
		say(fakeupstream.Say{Calls: calls("read_file", `{"of":"a"}`)}), say(fakeupstream.Say{Calls: calls("read_file", `{"of":"a"}`)}), words("And again.")}},
	{name: "no-arguments-in-parallel", turns: []fakeupstream.Step{
		say(fakeupstream.Say{Text: "Now and now.", Calls: calls("now", `{}`, "read_file", `{}`, "now", `{}`)}), words("Later.")}},
	{name: "failed-tool", turns: []fakeupstream.Step{
		say(fakeupstream.Say{Calls: calls("read_file", `{"of":"missing"}`)}), say(fakeupstream.Say{Text: "Then another.", Calls: calls("read_file", `{"of":"a"}`)}), words("There.")}},
	{name: "one-of-two-fails", turns: []fakeupstream.Step{
		say(fakeupstream.Say{Reasoning: "Two at once.", Calls: calls("read_file", `{"of":"missing"}`, "read_file", `{"of":"a"}`)}), words("One of two.")}},
	{name: "awkward-result", turns: []fakeupstream.Step{say(fakeupstream.Say{Calls: calls("read_file", `{"of":"awkward"}`)}), words("Odd.")}},
	{name: "large-result", turns: []fakeupstream.Step{
		say(fakeupstream.Say{Calls: calls("read_file", `{"of":"large"}`, "now", `{}`)}), words("Much to read.")}},
	{name: "picture-as-result", turns: []fakeupstream.Step{say(fakeupstream.Say{Calls: calls("read_file", `{"of":"picture"}`)}), words("Red.")}},
	{name: "reasoning-in-every-round", turns: []fakeupstream.Step{
		say(fakeupstream.Say{Reasoning: "First a.", Calls: calls("read_file", `{"of":"a"}`)}),
		say(fakeupstream.Say{Reasoning: "Then b and c.", Calls: calls("read_file", `{"of":"b"}`, "read_file", `{"of":"c"}`)}),
		say(fakeupstream.Say{Reasoning: "Write it.", Calls: calls("write_file", `{"of":"d","text":"x"}`)}),
		say(fakeupstream.Say{Reasoning: "That is all.", Text: "Written."})}},
	{name: "refusal-after-a-call", turns: []fakeupstream.Step{
		say(fakeupstream.Say{Calls: calls("read_file", `{"of":"a"}`)}), say(fakeupstream.Say{Text: "I will not read that out.", Refused: true})}},

	{name: "error-at-once", breaks: true, turns: []fakeupstream.Step{{Fault: fakeupstream.ServerError}}},
	{name: "error-first", breaks: true, turns: []fakeupstream.Step{{Fault: fakeupstream.ErrorFirst}}},
	{name: "error-midway", breaks: true, turns: []fakeupstream.Step{breaksOff(fakeupstream.ErrorMidway, 0)}},
	{name: "error-after-a-call", breaks: true, turns: []fakeupstream.Step{
		say(fakeupstream.Say{Calls: calls("read_file", `{"of":"a"}`)}), breaksOff(fakeupstream.ErrorMidway, 0)}},
	{name: "error-in-the-third-round", breaks: true, turns: []fakeupstream.Step{
		say(fakeupstream.Say{Reasoning: "One.", Calls: calls("read_file", `{"of":"a"}`)}),
		say(fakeupstream.Say{Calls: calls("now", `{}`, "read_file", `{"of":"b"}`)}), breaksOff(fakeupstream.ErrorMidway, 3)}},
	{name: "no-end-after-a-call", breaks: true, turns: []fakeupstream.Step{
		say(fakeupstream.Say{Calls: calls("read_file", `{"of":"a"}`)}), breaksOff(fakeupstream.CutBeforeUsage, 0)}},
	{name: "garbage-midway", breaks: true, turns: []fakeupstream.Step{breaksOff(fakeupstream.Malformed, 0)}},
	{name: "no-end", breaks: true, turns: []fakeupstream.Step{breaksOff(fakeupstream.CutBeforeUsage, 0)}},
}

// breaksOff is an answer with reasoning, words and calls that breaks after some pieces of it.
func breaksOff(fault fakeupstream.Fault, after int) fakeupstream.Step {
	return fakeupstream.Step{Fault: fault, After: after, Say: &fakeupstream.Say{
		Reasoning: "Let me see.", Text: "I read and write.", Calls: calls("read_file", `{"of":"a"}`, "write_file", `{"of":"b","text":"x"}`)}}
}

// plays plays the scenes by name, which a conversation's first turn has in it. Which turn
// it is, the results show; one that came back changed is an error of the server.
func plays(all map[string]scene) func(fakeupstream.Seen) fakeupstream.Step {
	return func(seen fakeupstream.Seen) fakeupstream.Step {
		_, name, _ := strings.Cut(seen.ID, ".") // before it is the client
		done, turns := len(seen.Done), all[name].turns
		for i, turn := range turns {
			if done == 0 {
				for j, call := range seen.Done {
					if want := resultOf(j, call.Call); !strings.Contains(unwrapped(call.Result), want.text) {
						return fakeupstream.Step{Fault: fakeupstream.ServerError}
					}
				}
				return turn
			}
			if turn.Say == nil {
				break
			}
			if done -= len(turn.Say.Calls); done < 0 || i == len(turns)-1 {
				break
			}
		}
		return fakeupstream.Step{Fault: fakeupstream.ServerError}
	}
}

// unwrapped is the text of a result that came inside an object, as Gemini's do.
func unwrapped(result string) string {
	var object struct{ Output, Error *string }
	if json.Unmarshal([]byte(result), &object) == nil {
		for _, text := range []*string{object.Output, object.Error} {
			if text != nil {
				return *text
			}
		}
	}
	return result
}

// fiftyRounds is a session of fifty rounds of one to three calls, every third with
// reasoning, and a last word.
func fiftyRounds() scene {
	long := scene{name: "fifty-rounds"}
	for i := range 50 {
		turn := fakeupstream.Say{}
		for j := range 1 + i%3 {
			turn.Calls = append(turn.Calls, fakeupstream.Call{Name: toolNames[j], Arguments: fmt.Sprintf(`{"of":"%d-%d"}`, i, j)})
		}
		if i%3 == 0 {
			turn.Reasoning = fmt.Sprintf("Round %d.", i)
		}
		if i%5 == 0 {
			turn.Text = fmt.Sprintf("I do step %d.", i)
		}
		long.turns = append(long.turns, say(turn))
	}
	long.turns = append(long.turns, words("Fifty."))
	return long
}
