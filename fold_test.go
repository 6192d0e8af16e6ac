package gateway

import (
	"errors"
	"io"
	"reflect"
	"testing"
)

type listed struct {
	chunks []Chunk
	end    error
}

func (l *listed) Next() (Chunk, error) {
	if len(l.chunks) == 0 {
		return Chunk{}, l.end
	}
	c := l.chunks[0]
	l.chunks = l.chunks[1:]
	return c, nil
}

func (l *listed) Close() error { return nil }

func TestCollectFoldsEverything(t *testing.T) {
	chunks := []Chunk{
		{Meta: &Meta{ID: "x", Model: "m"}},
		{Reasoning: "a"}, {Reasoning: "b", Thinking: []Thinking{{Maker: "anthropic", Signature: "s"}}},
		{Text: "Hel"}, {Text: "lo"}, {Choice: 1, Text: "Other"},
		{Tools: []ToolDelta{{Index: 3, ID: "c1", Name: "f"}, {Index: 5, ID: "c2", Name: "g", Signature: "sig"}}},
		{Tools: []ToolDelta{{Index: 5, Arguments: `{"b"`}}}, {Tools: []ToolDelta{{Index: 3, Arguments: `{}`}, {Index: 5, Arguments: `:2}`}}},
		{Logprobs: []byte(`{"content":[{"token":"a"}]}`)}, {Logprobs: []byte(`{"content":[{"token":"b"}]}`)},
		{Usage: &Usage{Output: 1, Reported: true}}, {Usage: &Usage{Fresh: 3, Output: 4, Reported: true}},
		{Finish: FinishToolCalls, Native: "tool_use"}, {Choice: 1, Finish: FinishStop},
	}
	c, err := Collect(&listed{chunks, io.EOF})
	if err != nil {
		t.Fatal(err)
	}
	first := c.Choices[0]
	want := []ToolCall{{ID: "c1", Name: "f", Arguments: "{}"}, {ID: "c2", Name: "g", Arguments: `{"b":2}`, Signature: "sig"}}
	if first.Text != "Hello" || first.Reasoning != "ab" || !reflect.DeepEqual(first.ToolCalls, want) || len(first.Thinking) != 1 ||
		string(first.Logprobs) != `{"content":[{"token":"a"},{"token":"b"}]}` || first.Finish != FinishToolCalls || first.Native != "tool_use" {
		t.Errorf("first choice %+v", first)
	}
	if c.Choices[1].Text != "Other" || c.Usage.Output != 4 || c.Usage.Prompt() != 3 || c.Meta.ID != "x" {
		t.Errorf("%+v", c)
	}
	again, err := Collect(c.Replay())
	if err != nil || !reflect.DeepEqual(again, c) {
		t.Errorf("replayed: %+v, %v\nwant %+v", again, err, c)
	}
}

func TestCollectKeepsWhatCameBeforeABreak(t *testing.T) {
	broke := Errorf(Unavailable, "cut")
	c, err := Collect(&listed{[]Chunk{{Text: "half"}}, broke})
	if !errors.Is(err, broke) || c.Choices[0].Text != "half" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestEmpty(t *testing.T) {
	for _, c := range []struct {
		choice Choice
		want   bool
	}{
		{Choice{Finish: FinishStop}, true}, {Choice{}, true}, {Choice{Text: "x"}, false}, {Choice{Finish: FinishLength}, false},
		{Choice{Finish: FinishFilter}, false}, {Choice{ToolCalls: []ToolCall{{}}}, false}, {Choice{Refusal: "no"}, false},
	} {
		if got := (&Completion{Choices: []Choice{c.choice}}).Empty(); got != c.want {
			t.Errorf("%+v: %v", c.choice, got)
		}
	}
	for _, c := range []struct {
		output, reasoning int
		want              bool
	}{
		{0, 0, true}, {1, 0, false}, {Unshown, 0, false}, {Unshown + 1, 0, true}, {800, 0, true}, {800, 790, false}, {800, 700, true},
	} {
		silent := Completion{Choices: []Choice{{Finish: FinishStop}}, Usage: Usage{Fresh: 9, Output: c.output, Reasoning: c.reasoning, Reported: true}}
		if got := silent.Empty(); got != c.want {
			t.Errorf("nothing shown of %d tokens, %d of them reasoning: empty %v", c.output, c.reasoning, got)
		}
	}
}

func TestBlames(t *testing.T) {
	blamed := map[Kind]bool{RetryNow: true, Unavailable: true, Timeout: true, Overloaded: true, BadAnswer: true}
	for _, k := range Kinds() {
		if got := Blames(Errorf(k, "x")); got != blamed[k] {
			t.Errorf("%v: %v", k, got)
		}
	}
	if Blames(&Error{Kind: BadAnswer, Readable: true}) || Blames(nil) {
		t.Error("an answer that can be read is blamed on its provider")
	}
}

func TestOnlyContentCommits(t *testing.T) {
	for _, c := range []Chunk{{}, {Meta: &Meta{}}, {Usage: &Usage{}}, {Finish: FinishStop}, {Thinking: []Thinking{{}}}, {Logprobs: []byte("{}")}} {
		if c.HasContent() {
			t.Errorf("%+v counts as content", c)
		}
	}
	for _, c := range []Chunk{{Text: "a"}, {Reasoning: "a"}, {Refusal: "a"}, {Tools: []ToolDelta{{ID: "x"}}}} {
		if !c.HasContent() {
			t.Errorf("%+v does not count as content", c)
		}
	}
}

func TestKindsHaveWords(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Kinds() {
		if k.String() == "" || seen[k.String()] {
			t.Errorf("kind %d has the word %q", k, k)
		}
		seen[k.String()] = true
	}
	if KindOf(errors.New("x")) != Internal || KindOf(Errorf(Timeout, "x")) != Timeout {
		t.Error("KindOf")
	}
}

// Providers name their sources as they go: a whole answer has those of every chunk.
func TestFoldJoinsAnnotations(t *testing.T) {
	for _, c := range []struct {
		lists []string
		want  string
	}{
		{[]string{`[{"a":1}]`, ` [ {"a":2}, {"a":3} ] `, `[]`, `[ ]`, `[{"a":4}]`}, `[{"a":1},{"a":2}, {"a":3},{"a":4}]`},
		{[]string{`[]`, `null`, ``}, ``},
	} {
		var f Fold
		for _, list := range c.lists {
			f.Add(&Chunk{Text: "x", Annotations: []byte(list)})
		}
		if got := f.Completion().Choices[0].Annotations; string(got) != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}
