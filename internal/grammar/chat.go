package grammar

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Call is a call of a tool, put together from its pieces.
type Call struct{ ID, Name, Arguments string }

// ChatAnswer is what a client made of a stream of chat chunks.
type ChatAnswer struct {
	Ending    Ending
	ID, Model string
	Text      string
	Reasoning string
	Refusal   string
	Calls     []Call
	Finish    string
	In, Out   int // tokens; 0 when the usage was not asked for
	Cached    int
	Code      string // of a failure
}

type chatChunk struct {
	ID      string          `json:"id"`
	Object  string          `json:"object"`
	Created int64           `json:"created"`
	Model   string          `json:"model"`
	Choices *[]chatChoice   `json:"choices"`
	Usage   json.RawMessage `json:"usage"`
	Error   *struct {
		Message string          `json:"message"`
		Type    string          `json:"type"`
		Code    json.RawMessage `json:"code"`
	} `json:"error"`
}

type chatChoice struct {
	Index  *int       `json:"index"`
	Delta  *chatDelta `json:"delta"`
	Finish *string    `json:"finish_reason"`
}

type chatDelta struct {
	Role      string  `json:"role"`
	Content   *string `json:"content"`
	Reasoning *string `json:"reasoning_content"`
	Refusal   *string `json:"refusal"`
	Calls     []struct {
		Index    *int   `json:"index"`
		ID       string `json:"id"`
		Type     string `json:"type"`
		Function *struct {
			Name      string `json:"name"`
			Arguments string `json:"arguments"`
		} `json:"function"`
	} `json:"tool_calls"`
}

type chatUsage struct {
	Prompt     *int `json:"prompt_tokens"`
	Completion *int `json:"completion_tokens"`
	Total      *int `json:"total_tokens"`
	Details    struct {
		Cached int `json:"cached_tokens"`
	} `json:"prompt_tokens_details"`
}

// Chat checks a stream of chat completion chunks with one choice to its end:
//
//	chunk* [chunk of usage] [DONE]
//
// or an error as the last event and no [DONE]. The first chunk of the choice has its
// role, the last its finish_reason; a call tells id and name once and then its
// arguments in pieces. usage says whether the client asked for it: then a last chunk
// without choices tells it, and those before may have it as null. Source: the stream grammar of OpenAI's
// API reference and how openai-go v3.96.0 adds chunks up.
func Chat(stream string, usage bool) (*ChatAnswer, error) {
	events, err := Events(stream)
	if err != nil {
		return nil, err
	}
	c := &chatCheck{out: &ChatAnswer{Ending: Cut}, usage: usage}
	for i, ev := range events {
		if err := c.event(ev); err != nil {
			return c.out, fmt.Errorf("event %d: %w", i, err)
		}
	}
	return c.out, nil
}

type chatCheck struct {
	out     *ChatAnswer
	usage   bool
	created int64
	begun   bool // the role was told
	told    bool // the usage was
	ended   bool
}

func (c *chatCheck) event(ev Event) error {
	switch {
	case c.ended:
		return fmt.Errorf("it follows the last event")
	case ev.Name != "":
		return fmt.Errorf("events have no names here, this is %q", ev.Name)
	case ev.Data == "[DONE]":
		return c.done()
	}
	var chunk chatChunk
	if err := json.Unmarshal([]byte(ev.Data), &chunk); err != nil {
		return err
	}
	if chunk.Error != nil {
		c.ended, c.out.Ending = true, Failed
		_ = json.Unmarshal(chunk.Error.Code, &c.out.Code) // it may be null
		if chunk.Error.Message == "" || chunk.Error.Type == "" {
			return fmt.Errorf("an error has a message and a type")
		}
		return nil
	}
	return c.chunk(&chunk)
}

func (c *chatCheck) done() error {
	switch {
	case c.out.Finish == "":
		return fmt.Errorf("[DONE] without a finish_reason")
	case c.usage && !c.told:
		return fmt.Errorf("[DONE] without the usage")
	}
	c.ended, c.out.Ending = true, Completed
	if c.out.Finish == "length" {
		c.out.Ending = Incomplete
	}
	return nil
}

func (c *chatCheck) chunk(chunk *chatChunk) error {
	switch {
	case chunk.ID == "" || chunk.Object != "chat.completion.chunk" || chunk.Created == 0 || chunk.Model == "" || chunk.Choices == nil:
		return fmt.Errorf("a chunk has id, object, created, model and choices")
	case c.out.ID != "" && (chunk.ID != c.out.ID || chunk.Model != c.out.Model || chunk.Created != c.created):
		return fmt.Errorf("id, model or created changed")
	case c.told:
		return fmt.Errorf("a chunk follows the usage")
	case !c.usage && chunk.Usage != nil:
		return fmt.Errorf("usage was not asked for: %s", chunk.Usage)
	case len(*chunk.Choices) > 1:
		return fmt.Errorf("%d choices", len(*chunk.Choices))
	}
	c.out.ID, c.out.Model, c.created = chunk.ID, chunk.Model, chunk.Created
	counts := chunk.Usage != nil && string(chunk.Usage) != "null"
	if len(*chunk.Choices) == 0 {
		if !counts {
			return fmt.Errorf("a chunk with neither choice nor usage")
		}
		return c.total(chunk.Usage)
	}
	if counts {
		return fmt.Errorf("usage comes in a chunk without choices")
	}
	return c.choice(&(*chunk.Choices)[0])
}

func (c *chatCheck) total(raw json.RawMessage) error {
	var u chatUsage
	if err := json.Unmarshal(raw, &u); err != nil {
		return err
	}
	if u.Prompt == nil || u.Completion == nil || u.Total == nil || *u.Total != *u.Prompt+*u.Completion || u.Details.Cached > *u.Prompt {
		return fmt.Errorf("usage is not whole or does not add up: %s", raw)
	}
	if c.out.Finish == "" {
		return fmt.Errorf("usage comes behind the finish_reason")
	}
	c.told, c.out.In, c.out.Out, c.out.Cached = true, *u.Prompt, *u.Completion, u.Details.Cached
	return nil
}

func (c *chatCheck) choice(choice *chatChoice) error {
	d := choice.Delta
	switch {
	case choice.Index == nil || *choice.Index != 0 || d == nil:
		return fmt.Errorf("a choice has index 0 and a delta")
	case c.out.Finish != "":
		return fmt.Errorf("the choice goes on behind its finish_reason")
	case c.begun == (d.Role != ""):
		return fmt.Errorf("the role is told once, in the first chunk: it is %q", d.Role)
	case d.Role != "" && d.Role != "assistant":
		return fmt.Errorf("the role is %q", d.Role)
	}
	c.begun = true
	for to, from := range map[*string]*string{&c.out.Text: d.Content, &c.out.Reasoning: d.Reasoning, &c.out.Refusal: d.Refusal} {
		if from != nil {
			*to += *from
		}
	}
	if err := c.calls(d); err != nil {
		return err
	}
	if choice.Finish == nil {
		return nil
	}
	c.out.Finish = *choice.Finish
	switch {
	case !slices.Contains([]string{"stop", "length", "tool_calls", "content_filter"}, c.out.Finish):
		return fmt.Errorf("finish_reason is %q", c.out.Finish)
	case c.out.Finish == "tool_calls" && len(c.out.Calls) == 0, c.out.Finish == "stop" && len(c.out.Calls) > 0:
		return fmt.Errorf("finish_reason is %q with %d calls", c.out.Finish, len(c.out.Calls))
	}
	return nil
}

func (c *chatCheck) calls(d *chatDelta) error {
	for _, piece := range d.Calls {
		switch {
		case piece.Index == nil || piece.Function == nil:
			return fmt.Errorf("a piece of a call has index and function")
		case *piece.Index == len(c.out.Calls):
			if piece.ID == "" || piece.Type != "function" || piece.Function.Name == "" {
				return fmt.Errorf("a call begins with id, type and name")
			}
			if slices.ContainsFunc(c.out.Calls, func(before Call) bool { return before.ID == piece.ID }) {
				return fmt.Errorf("the id %s is taken", piece.ID)
			}
			c.out.Calls = append(c.out.Calls, Call{ID: piece.ID, Name: piece.Function.Name})
		case *piece.Index < 0 || *piece.Index > len(c.out.Calls):
			return fmt.Errorf("call %d comes before call %d", *piece.Index, len(c.out.Calls))
		case piece.ID != "" || piece.Function.Name != "":
			return fmt.Errorf("call %d tells its id or name again", *piece.Index)
		}
		c.out.Calls[*piece.Index].Arguments += piece.Function.Arguments
	}
	return nil
}
