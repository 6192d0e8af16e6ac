package grammar

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
)

func (c *responsesCheck) added(ev *responsesEvent) error {
	if c.open != nil {
		return fmt.Errorf("item %s is still open", c.open.ID)
	}
	var it responsesItem
	if err := json.Unmarshal(ev.Item, &it); err != nil {
		return err
	}
	if it.ID == "" {
		return fmt.Errorf("the item has no id")
	}
	for _, before := range c.out.Items {
		if before.ID == it.ID {
			return fmt.Errorf("the id %s is taken", it.ID)
		}
	}
	switch it.Type {
	case "message":
		if it.Role != "assistant" || it.Status != "in_progress" || len(it.Content) > 0 {
			return fmt.Errorf("a message begins with role assistant, in_progress and no content")
		}
	case "function_call", "custom_tool_call":
		if it.Name == "" || it.CallID == "" || it.Status != "in_progress" || it.Arguments != "" || it.Input != "" {
			return fmt.Errorf("a call begins with name and call_id, in_progress and no arguments")
		}
	case "tool_search_call":
		if it.CallID == "" || it.Execution != "client" || !json.Valid([]byte(it.Arguments)) || it.Arguments[0] != '{' {
			return fmt.Errorf("a search has call_id, the execution client and an object of arguments")
		}
	case "reasoning", "local_shell_call":
	default:
		return fmt.Errorf("item type %q", it.Type)
	}
	c.open, c.parts, c.part, c.text, c.whole = &it, nil, nil, "", nil
	return nil
}

// inside is an event about the open item.
func (c *responsesCheck) inside(ev *responsesEvent) error {
	switch c.open.Type {
	case "message":
		if ev.Content == nil || *ev.Content != len(c.parts) {
			return fmt.Errorf("content_index is not %d", len(c.parts))
		}
		return c.inMessage(ev)
	case "reasoning":
		if ev.Summary == nil || *ev.Summary != len(c.parts) {
			return fmt.Errorf("summary_index is not %d", len(c.parts))
		}
		return c.inReasoning(ev)
	case "function_call":
		switch ev.Type {
		case "response.function_call_arguments.delta":
			return c.delta(ev)
		case "response.function_call_arguments.done":
			return c.told(ev.Args)
		}
	case "custom_tool_call":
		switch ev.Type {
		case "response.custom_tool_call_input.delta":
			return c.delta(ev)
		case "response.custom_tool_call_input.done":
			return c.told(ev.Input)
		}
	}
	return fmt.Errorf("no event of a %s", c.open.Type)
}

func (c *responsesCheck) delta(ev *responsesEvent) error {
	if ev.Delta == nil || *ev.Delta == "" {
		return fmt.Errorf("no delta")
	}
	if c.whole != nil {
		return fmt.Errorf("it follows the whole text")
	}
	c.text += *ev.Delta
	return nil
}

func (c *responsesCheck) told(whole *string) error {
	if whole == nil || *whole != c.text || c.whole != nil {
		return fmt.Errorf("the whole is not what the deltas add up to: %q", c.text)
	}
	c.whole = whole
	return nil
}

func (c *responsesCheck) inMessage(ev *responsesEvent) error {
	switch ev.Type {
	case "response.content_part.added":
		return c.partAdded(ev, "output_text", "refusal")
	case "response.content_part.done":
		return c.partDone(ev)
	}
	if c.part == nil {
		return fmt.Errorf("no part is open")
	}
	switch c.part.Type + " " + ev.Type {
	case "output_text response.output_text.delta", "refusal response.refusal.delta":
		return c.delta(ev)
	case "output_text response.output_text.annotation.added":
		if ev.Annotation == nil || ev.Note == nil || *ev.Note != c.notes {
			return fmt.Errorf("annotation_index is not %d", c.notes)
		}
		c.notes++
		return nil
	case "output_text response.output_text.done":
		return c.told(ev.Text)
	case "refusal response.refusal.done":
		return c.told(ev.Refusal)
	}
	return fmt.Errorf("no event of a part of type %s", c.part.Type)
}

func (c *responsesCheck) inReasoning(ev *responsesEvent) error {
	switch ev.Type {
	case "response.reasoning_summary_part.added":
		return c.partAdded(ev, "summary_text")
	case "response.reasoning_summary_part.done":
		return c.partDone(ev)
	}
	if c.part == nil {
		return fmt.Errorf("no part is open")
	}
	switch ev.Type {
	case "response.reasoning_summary_text.delta":
		return c.delta(ev)
	case "response.reasoning_summary_text.done":
		return c.told(ev.Text)
	}
	return fmt.Errorf("no event of a reasoning item")
}

func (c *responsesCheck) partAdded(ev *responsesEvent, kinds ...string) error {
	if c.part != nil || ev.Part == nil || !slices.Contains(kinds, ev.Part.Type) || ev.Part.Text != "" || ev.Part.Refusal != "" {
		return fmt.Errorf("a part begins after the one before, with one of %v and empty", kinds)
	}
	c.part, c.text, c.whole, c.notes = ev.Part, "", nil, 0
	return nil
}

func (c *responsesCheck) partDone(ev *responsesEvent) error {
	if c.part == nil || c.whole == nil || ev.Part == nil || ev.Part.Type != c.part.Type || ev.Part.Text+ev.Part.Refusal != *c.whole ||
		len(ev.Part.Annotations) != c.notes {
		return fmt.Errorf("a part ends after its text was told whole, with that text")
	}
	c.parts = append(c.parts, *ev.Part)
	c.part, c.text, c.whole = nil, "", nil
	return nil
}

func (c *responsesCheck) done(ev *responsesEvent) error {
	var it responsesItem
	if err := json.Unmarshal(ev.Item, &it); err != nil {
		return err
	}
	o := c.open
	switch {
	case o == nil:
		return fmt.Errorf("no item is open")
	case it.ID != o.ID || it.Type != o.Type || it.CallID != o.CallID || it.Name != o.Name:
		return fmt.Errorf("it is not the item that was added")
	case c.part != nil:
		return fmt.Errorf("a part is still open")
	case it.Type != "reasoning" && it.Status != "completed" && it.Status != "incomplete":
		return fmt.Errorf("status is %q", it.Status)
	}
	out := Item{ID: it.ID, Type: it.Type, Status: it.Status, CallID: it.CallID, Name: it.Name, Namespace: it.Namespace,
		Arguments: string(it.Arguments), Input: it.Input, Encrypted: it.Encrypted, Raw: ev.Item}
	switch it.Type {
	case "message", "reasoning":
		list := it.Content
		if it.Type == "reasoning" {
			list = it.Summary
		}
		if !slices.EqualFunc(list, c.parts, func(a, b responsesPart) bool { return reflect.DeepEqual(a, b) }) {
			return fmt.Errorf("its parts are %v, told were %v", list, c.parts)
		}
		for _, p := range list {
			if it.Type == "reasoning" {
				out.Summary += p.Text
			} else {
				out.Text, out.Refusal = out.Text+p.Text, out.Refusal+p.Refusal
			}
		}
	case "function_call", "custom_tool_call":
		if c.whole == nil || string(it.Arguments)+it.Input != *c.whole {
			return fmt.Errorf("its arguments were not told before")
		}
	}
	c.open = nil
	c.raw = append(c.raw, ev.Item)
	c.out.Items = append(c.out.Items, out)
	return nil
}
