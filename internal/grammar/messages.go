package grammar

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Block is a content block of a message that was closed.
type Block struct {
	Type, Text string // Text is thinking too
	Signature  string
	ID, Name   string // of a tool_use
	Input      string // JSON
	Data       string // of redacted_thinking
	signed     bool
}

// MessagesAnswer is what a client made of a stream of Messages.
type MessagesAnswer struct {
	Ending       Ending
	ID, Model    string
	Blocks       []Block
	Stop         string
	In, Out      int    // tokens; In without those of a cache
	Read, Writes int    // tokens of a cache
	Code         string // the type of a failure
}

type messagesEvent struct {
	Type    string `json:"type"`
	Message *struct {
		ID      string            `json:"id"`
		Type    string            `json:"type"`
		Role    string            `json:"role"`
		Model   string            `json:"model"`
		Content []json.RawMessage `json:"content"`
		Stop    *string           `json:"stop_reason"`
		Usage   *messagesUsage    `json:"usage"`
	} `json:"message"`
	Index *int `json:"index"`
	Block *struct {
		Type      string          `json:"type"`
		Text      *string         `json:"text"`
		Thinking  *string         `json:"thinking"`
		Signature *string         `json:"signature"`
		Data      string          `json:"data"`
		ID        string          `json:"id"`
		Name      string          `json:"name"`
		Input     json.RawMessage `json:"input"`
	} `json:"content_block"`
	Delta *struct {
		Type      string  `json:"type"`
		Text      *string `json:"text"`
		Thinking  *string `json:"thinking"`
		Signature *string `json:"signature"`
		Partial   *string `json:"partial_json"`
		Stop      *string `json:"stop_reason"`
	} `json:"delta"`
	Usage *messagesUsage `json:"usage"`
	Error *struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	} `json:"error"`
}

type messagesUsage struct {
	In     *int `json:"input_tokens"`
	Out    *int `json:"output_tokens"`
	Read   *int `json:"cache_read_input_tokens"`
	Writes *int `json:"cache_creation_input_tokens"`
}

// Messages checks a stream of Anthropic Messages to its last event:
//
//	message_start · (a block: start, deltas, stop)* · message_delta+ · message_stop
//
// with ping anywhere, or error at any place as the last. Blocks are counted from 0 and
// follow one another. Events of a name that is not known are passed over, as the format
// demands of clients. Source: Anthropic's streaming documentation and how
// anthropic-sdk-go v1.84.0 adds events up.
func Messages(stream string) (*MessagesAnswer, error) {
	events, err := Events(stream)
	if err != nil {
		return nil, err
	}
	c := &messagesCheck{out: &MessagesAnswer{Ending: Cut}}
	for i, raw := range events {
		if err := c.event(raw); err != nil {
			return c.out, fmt.Errorf("event %d, %s: %w", i, raw.Name, err)
		}
	}
	return c.out, nil
}

type messagesCheck struct {
	out   *MessagesAnswer
	begun bool
	ended bool
	open  *Block
}

func (c *messagesCheck) event(raw Event) error {
	var ev messagesEvent
	if err := json.Unmarshal([]byte(raw.Data), &ev); err != nil {
		return err
	}
	switch {
	case c.ended:
		return fmt.Errorf("it follows the last event")
	case ev.Type != raw.Name:
		return fmt.Errorf("type is %q", ev.Type)
	case ev.Type == "error":
		c.ended, c.out.Ending = true, Failed
		if ev.Error == nil || ev.Error.Type == "" || ev.Error.Message == "" {
			return fmt.Errorf("an error has a type and a message")
		}
		c.out.Code = ev.Error.Type
		return nil
	case ev.Type == "message_start":
		return c.start(&ev)
	case !c.begun:
		return fmt.Errorf("the first event is message_start or error")
	}
	switch ev.Type {
	case "content_block_start":
		return c.blockStart(&ev)
	case "content_block_delta":
		return c.blockDelta(&ev)
	case "content_block_stop":
		return c.blockStop(&ev)
	case "message_delta":
		return c.delta(&ev)
	case "message_stop":
		if c.out.Stop == "" {
			return fmt.Errorf("message_stop without a stop_reason")
		}
		c.ended, c.out.Ending = true, Completed
		if c.out.Stop == "max_tokens" {
			c.out.Ending = Incomplete
		}
	}
	return nil
}

func (c *messagesCheck) start(ev *messagesEvent) error {
	m := ev.Message
	switch {
	case c.begun:
		return fmt.Errorf("a second message_start")
	case m == nil || m.ID == "" || m.Type != "message" || m.Role != "assistant" || m.Model == "":
		return fmt.Errorf("a message has id, type, role and model")
	case m.Content == nil || len(m.Content) > 0 || m.Stop != nil:
		return fmt.Errorf("a message begins without content and stop_reason")
	case m.Usage == nil || m.Usage.In == nil || m.Usage.Out == nil:
		return fmt.Errorf("a message begins with its usage")
	}
	c.begun, c.out.ID, c.out.Model = true, m.ID, m.Model
	c.count(m.Usage)
	return nil
}

// count takes the later word for each count.
func (c *messagesCheck) count(u *messagesUsage) {
	for to, from := range map[*int]*int{&c.out.In: u.In, &c.out.Out: u.Out, &c.out.Read: u.Read, &c.out.Writes: u.Writes} {
		if from != nil {
			*to = *from
		}
	}
}

func (c *messagesCheck) blockStart(ev *messagesEvent) error {
	b := ev.Block
	switch {
	case c.open != nil:
		return fmt.Errorf("block %d is still open", len(c.out.Blocks))
	case c.out.Stop != "":
		return fmt.Errorf("a block behind message_delta")
	case ev.Index == nil || *ev.Index != len(c.out.Blocks) || b == nil:
		return fmt.Errorf("index is not %d", len(c.out.Blocks))
	}
	c.open = &Block{Type: b.Type, ID: b.ID, Name: b.Name, Data: b.Data}
	switch b.Type {
	case "text":
		if b.Text == nil || *b.Text != "" {
			return fmt.Errorf("a text begins empty")
		}
	case "thinking":
		if b.Thinking == nil || *b.Thinking != "" || b.Signature != nil && *b.Signature != "" {
			return fmt.Errorf("a thought begins empty")
		}
	case "tool_use":
		if b.ID == "" || b.Name == "" || string(b.Input) != "{}" {
			return fmt.Errorf("a call begins with id, name and the input {}")
		}
		if slices.ContainsFunc(c.out.Blocks, func(before Block) bool { return before.ID == b.ID }) {
			return fmt.Errorf("the id %s is taken", b.ID)
		}
	case "redacted_thinking":
		if b.Data == "" {
			return fmt.Errorf("redacted_thinking without data")
		}
	default:
		return fmt.Errorf("block type %q", b.Type)
	}
	return nil
}

func (c *messagesCheck) blockDelta(ev *messagesEvent) error {
	d := ev.Delta
	if c.open == nil || ev.Index == nil || *ev.Index != len(c.out.Blocks) || d == nil {
		return fmt.Errorf("no such block is open")
	}
	switch c.open.Type + " " + d.Type {
	case "text text_delta":
		return c.said(d.Text)
	case "thinking thinking_delta":
		return c.said(d.Thinking)
	case "thinking signature_delta":
		if d.Signature == nil || c.open.signed {
			return fmt.Errorf("a thought is signed once")
		}
		c.open.Signature, c.open.signed = *d.Signature, true
	case "tool_use input_json_delta":
		if d.Partial == nil {
			return fmt.Errorf("no partial_json")
		}
		c.open.Input += *d.Partial
	default:
		return fmt.Errorf("a %s in a block of type %s", d.Type, c.open.Type)
	}
	return nil
}

func (c *messagesCheck) said(piece *string) error {
	if piece == nil || *piece == "" || c.open.signed {
		return fmt.Errorf("a piece of text is not empty and comes before a signature")
	}
	c.open.Text += *piece
	return nil
}

func (c *messagesCheck) blockStop(ev *messagesEvent) error {
	b := c.open
	if b == nil || ev.Index == nil || *ev.Index != len(c.out.Blocks) {
		return fmt.Errorf("no such block is open")
	}
	if b.Type == "tool_use" {
		if b.Input == "" {
			b.Input = "{}"
		}
		var object map[string]json.RawMessage
		if err := json.Unmarshal([]byte(b.Input), &object); err != nil {
			return fmt.Errorf("the input is no object: %w", err)
		}
	}
	c.out.Blocks, c.open = append(c.out.Blocks, *b), nil
	return nil
}

func (c *messagesCheck) delta(ev *messagesEvent) error {
	switch {
	case c.open != nil:
		return fmt.Errorf("block %d is still open", len(c.out.Blocks))
	case ev.Delta == nil || ev.Delta.Stop == nil || ev.Usage == nil || ev.Usage.Out == nil:
		return fmt.Errorf("no stop_reason or no output_tokens")
	}
	c.out.Stop = *ev.Delta.Stop
	c.count(ev.Usage)
	calls := slices.ContainsFunc(c.out.Blocks, func(b Block) bool { return b.Type == "tool_use" })
	switch c.out.Stop {
	case "tool_use", "end_turn", "stop_sequence":
		if calls != (c.out.Stop == "tool_use") {
			return fmt.Errorf("stop_reason is %q, calls were made: %v", c.out.Stop, calls)
		}
	case "max_tokens", "refusal", "pause_turn", "model_context_window_exceeded":
	default:
		return fmt.Errorf("stop_reason is %q", c.out.Stop)
	}
	return nil
}
