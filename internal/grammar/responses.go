package grammar

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// Ending is how a stream closed.
type Ending string

// The endings. A stream that is Cut closed without saying so, which no writer may do.
const (
	Completed  Ending = "completed"
	Incomplete Ending = "incomplete"
	Failed     Ending = "failed"
	Cut        Ending = "cut"
)

// Item is an output item of a Responses stream that was told done.
type Item struct {
	ID, Type, Status, CallID, Name, Namespace string
	Text                                      string // of a message, without refusals
	Refusal                                   string
	Arguments, Input                          string
	Summary                                   string
	Encrypted                                 string
	Raw                                       json.RawMessage
}

// ResponsesAnswer is what a client made of a Responses stream.
type ResponsesAnswer struct {
	Ending    Ending
	ID, Model string
	Items     []Item
	Code      string // of a failure
	Reason    string // of an incomplete answer
	In, Out   int    // tokens
	Cached    int
	Reasoning int
}

type responsesEvent struct {
	Type     string           `json:"type"`
	Seq      *int             `json:"sequence_number"`
	Response *responsesObject `json:"response"`
	Index    *int             `json:"output_index"`
	Item     json.RawMessage  `json:"item"`
	ItemID   string           `json:"item_id"`
	Content  *int             `json:"content_index"`
	Summary  *int             `json:"summary_index"`
	Part     *responsesPart   `json:"part"`
	Note     *int             `json:"annotation_index"`

	Annotation json.RawMessage `json:"annotation"`
	Delta      *string         `json:"delta"`
	Text       *string         `json:"text"`
	Refusal    *string         `json:"refusal"`
	Args       *string         `json:"arguments"`
	Input      *string         `json:"input"`
	Code       *string         `json:"code"`
	Message    *string         `json:"message"`
}

type responsesPart struct {
	Type    string `json:"type"`
	Text    string `json:"text"`
	Refusal string `json:"refusal"`

	Annotations []json.RawMessage `json:"annotations"`
}

type responsesItem struct {
	ID        string          `json:"id"`
	Type      string          `json:"type"`
	Status    string          `json:"status"`
	Role      string          `json:"role"`
	CallID    string          `json:"call_id"`
	Name      string          `json:"name"`
	Namespace string          `json:"namespace"`
	Arguments arguments       `json:"arguments"`
	Execution string          `json:"execution"`
	Input     string          `json:"input"`
	Content   []responsesPart `json:"content"`
	Summary   []responsesPart `json:"summary"`
	Encrypted string          `json:"encrypted_content"`
}

// arguments are JSON as text, or as an object in the one type of call that has them so.
type arguments string

func (a *arguments) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) != nil {
		text = string(data)
	}
	*a = arguments(text)
	return nil
}

type responsesObject struct {
	ID         string            `json:"id"`
	Object     string            `json:"object"`
	CreatedAt  int64             `json:"created_at"`
	Status     string            `json:"status"`
	Model      string            `json:"model"`
	Output     []json.RawMessage `json:"output"`
	Error      *responsesFault   `json:"error"`
	Incomplete *struct {
		Reason string `json:"reason"`
	} `json:"incomplete_details"`
	Usage *responsesUsage `json:"usage"`
}

type responsesFault struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

type responsesUsage struct {
	In  *int `json:"input_tokens"`
	Had *struct {
		Cached *int `json:"cached_tokens"`
	} `json:"input_tokens_details"`
	Out  *int `json:"output_tokens"`
	Made *struct {
		Reasoning *int `json:"reasoning_tokens"`
	} `json:"output_tokens_details"`
	Total *int `json:"total_tokens"`
}

// Responses checks a stream of the Responses API to its last event:
//
//	created · in_progress · (an item: added, its parts and deltas, done)* · completed | incomplete | failed
//
// or error at any place as the last. Items follow one another; pieces add up to what
// is told whole; the answer at the end holds the items that were done. Source: the
// events of openai-go v3.96.0 and what Codex 0.156.1 requires.
func Responses(stream string) (*ResponsesAnswer, error) {
	events, err := Events(stream)
	if err != nil {
		return nil, err
	}
	c := &responsesCheck{out: &ResponsesAnswer{Ending: Cut}}
	for i, ev := range events {
		if err := c.event(i, ev); err != nil {
			return c.out, fmt.Errorf("event %d, %s: %w", i, ev.Name, err)
		}
	}
	return c.out, nil
}

type responsesCheck struct {
	out   *ResponsesAnswer
	ended bool
	raw   []json.RawMessage // items that are done

	open  *responsesItem
	parts []responsesPart // of the open item that are done
	part  *responsesPart  // that is open
	text  string          // of the open part, or arguments
	notes int             // annotations of the open part
	whole *string         // arguments or input, once told whole
}

func (c *responsesCheck) event(i int, raw Event) error {
	if raw.Data == "[DONE]" {
		return fmt.Errorf("[DONE] is of another format")
	}
	var ev responsesEvent
	if err := json.Unmarshal([]byte(raw.Data), &ev); err != nil {
		return err
	}
	switch {
	case c.ended:
		return fmt.Errorf("it follows the last event")
	case ev.Type != raw.Name:
		return fmt.Errorf("type is %q", ev.Type)
	case ev.Seq == nil || *ev.Seq != i:
		return fmt.Errorf("sequence_number is not %d", i)
	case i == 0 && ev.Type != "response.created" && ev.Type != "error":
		return fmt.Errorf("the first event is response.created or error")
	case ev.Response != nil:
		return c.response(i, &ev)
	case ev.Type == "error":
		if ev.Message == nil {
			return fmt.Errorf("no message")
		}
		c.ended, c.out.Ending = true, Failed
		return nil
	}
	if ev.Index == nil || *ev.Index != len(c.raw) {
		return fmt.Errorf("output_index is not %d", len(c.raw))
	}
	switch ev.Type {
	case "response.output_item.added":
		return c.added(&ev)
	case "response.output_item.done":
		return c.done(&ev)
	}
	if c.open == nil || ev.ItemID != c.open.ID {
		return fmt.Errorf("item_id %q is not of the open item", ev.ItemID)
	}
	return c.inside(&ev)
}

func (c *responsesCheck) response(i int, ev *responsesEvent) error {
	r := ev.Response
	switch {
	case r.ID == "" || r.Object != "response" || r.CreatedAt == 0 || r.Model == "":
		return fmt.Errorf("the response lacks id, object, created_at or model")
	case c.out.ID != "" && (r.ID != c.out.ID || r.Model != c.out.Model):
		return fmt.Errorf("id or model changed")
	case (r.Error != nil) != (ev.Type == "response.failed"):
		return fmt.Errorf("error is %v", r.Error)
	case (r.Incomplete != nil) != (ev.Type == "response.incomplete"):
		return fmt.Errorf("incomplete_details is %v", r.Incomplete)
	}
	c.out.ID, c.out.Model = r.ID, r.Model
	switch ev.Type {
	case "response.created", "response.in_progress":
		if want := map[string]int{"response.created": 0, "response.in_progress": 1}[ev.Type]; i != want || r.Status != "in_progress" || len(r.Output) > 0 {
			return fmt.Errorf("status %q, %d items", r.Status, len(r.Output))
		}
		return nil
	case "response.completed", "response.incomplete", "response.failed":
	default:
		return fmt.Errorf("unknown event")
	}
	c.ended, c.out.Ending = true, Ending(r.Status)
	if "response."+r.Status != ev.Type {
		return fmt.Errorf("status is %q", r.Status)
	}
	if ev.Type == "response.failed" {
		c.out.Code = r.Error.Code
		if r.Error.Code == "" || r.Error.Message == "" {
			return fmt.Errorf("error without code or message")
		}
	} else if c.open != nil {
		return fmt.Errorf("item %s is still open", c.open.ID)
	}
	if r.Incomplete != nil {
		if c.out.Reason = r.Incomplete.Reason; c.out.Reason != "max_output_tokens" && c.out.Reason != "content_filter" {
			return fmt.Errorf("reason is %q", c.out.Reason)
		}
	}
	return c.total(ev.Type, r)
}

func (c *responsesCheck) total(kind string, r *responsesObject) error {
	if len(r.Output) != len(c.raw) {
		return fmt.Errorf("output has %d items, %d were done", len(r.Output), len(c.raw))
	}
	for i := range r.Output {
		if !sameJSON(r.Output[i], c.raw[i]) {
			return fmt.Errorf("output[%d] is not the item that was done", i)
		}
	}
	u := r.Usage
	if u == nil {
		if kind == "response.failed" {
			return nil
		}
		return fmt.Errorf("no usage")
	}
	if u.In == nil || u.Out == nil || u.Total == nil || u.Had == nil || u.Had.Cached == nil || u.Made == nil || u.Made.Reasoning == nil {
		return fmt.Errorf("usage is not whole")
	}
	c.out.In, c.out.Out, c.out.Cached, c.out.Reasoning = *u.In, *u.Out, *u.Had.Cached, *u.Made.Reasoning
	if *u.Total != *u.In+*u.Out || *u.Had.Cached > *u.In || *u.Made.Reasoning > *u.Out {
		return fmt.Errorf("usage does not add up: %+v", c.out)
	}
	return nil
}

func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}
