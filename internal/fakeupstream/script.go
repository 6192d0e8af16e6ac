package fakeupstream

import (
	"fmt"
	"slices"
)

// Say is an answer that a script gives instead of the one the question would have got.
type Say struct {
	// Reasoning is thought before the rest, by models that were asked to think.
	Reasoning string
	Text      string
	Calls     []Call // those without an id get one of the format's liking
	Length    bool   // ends as if the limit on tokens had cut it
	// Refused ends the answer as each provider ends one that its model will not give.
	// Ollama knows no such end: its models refuse in words.
	Refused bool
}

// Done is a call of the conversation so far, with what came of it.
type Done struct {
	Call
	Result string
}

// done are the calls of the conversation that have results, in the order of the results.
func (t *talk) done() []Done {
	var all []Done
	var open []Call
	for _, one := range t.turns {
		switch one.role {
		case assistant:
			open = one.calls
		case toolResult:
			if at := slices.IndexFunc(open, func(c Call) bool { return c.ID == one.id }); at >= 0 {
				all = append(all, Done{open[at], one.text})
			}
		}
	}
	return all
}

// scripted makes the answer that a script wants.
func (s *Server) scripted(t *talk, say Say) answer {
	var a answer
	a.usage.Prompt, a.usage.Cached = t.promptTokens()
	if t.thinking && say.Reasoning != "" {
		a.reasoning = pieces(say.Reasoning)
	}
	if say.Text != "" {
		a.text = pieces(say.Text)
	}
	a.calls = slices.Clone(say.Calls)
	for i := range a.calls {
		if a.calls[i].ID == "" {
			a.calls[i].ID = s.wire.ids(i, sum(fmt.Sprint(t.question, len(t.turns), i)))
		}
	}
	a.cut, a.refused = say.Length, say.Refused
	a.count()
	return a
}

// count adds up what the answer is charged for.
func (a *answer) count() {
	a.usage.Reasoning = len(a.reasoning)
	a.usage.Output = len(a.reasoning) + len(a.text)
	for _, c := range a.calls {
		a.usage.Output += len(pieces(c.Arguments))
	}
}
