package grammar

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// GeminiAnswer is what a client made of a generateContent stream.
type GeminiAnswer struct {
	Ending  Ending
	Finish  string
	Text    string
	Thought string
	Calls   []GeminiCall
	Parts   []json.RawMessage // as a client sends them back
	Code    int               // of a failure
	In, Out int               // tokens; Out with thoughts
	Cached  int
	Total   int
}

// GeminiCall is a function call.
type GeminiCall struct {
	ID, Name, Signature string
	Args                json.RawMessage
}

type geminiObject struct {
	Candidates []struct {
		Content *struct {
			Role  string            `json:"role"`
			Parts []json.RawMessage `json:"parts"`
		} `json:"content"`
		Finish string `json:"finishReason"`
		Index  int    `json:"index"`
	} `json:"candidates"`
	Usage *struct {
		In       int `json:"promptTokenCount"`
		Cached   int `json:"cachedContentTokenCount"`
		Out      int `json:"candidatesTokenCount"`
		Thoughts int `json:"thoughtsTokenCount"`
		Total    int `json:"totalTokenCount"`
	} `json:"usageMetadata"`
	Version string `json:"modelVersion"`
	ID      string `json:"responseId"`
	Error   *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Status  string `json:"status"`
	} `json:"error"`
}

type geminiPart struct {
	Text      *string `json:"text"`
	Thought   bool    `json:"thought"`
	Signature string  `json:"thoughtSignature"`
	Call      *struct {
		ID   string          `json:"id"`
		Name string          `json:"name"`
		Args json.RawMessage `json:"args"`
	} `json:"functionCall"`
}

// Gemini checks a stream of generateContent, as events or as one array: every object
// says who answered, text comes in pieces and calls whole, the reason of the end and
// the usage stand on the last object or an error is the last. There is no [DONE].
// Source: genai v1.77.0.
func Gemini(stream string) (*GeminiAnswer, error) {
	var objects []json.RawMessage
	if len(stream) > 0 && stream[0] == '[' {
		if err := json.Unmarshal([]byte(stream), &objects); err != nil {
			return &GeminiAnswer{Ending: Cut}, err
		}
	} else {
		events, err := Events(stream)
		if err != nil {
			return nil, err
		}
		for _, ev := range events {
			if ev.Name != "" {
				return nil, fmt.Errorf("an event has the name %q", ev.Name)
			}
			objects = append(objects, json.RawMessage(ev.Data))
		}
	}
	c := &geminiCheck{out: &GeminiAnswer{Ending: Cut}}
	for i, raw := range objects {
		if err := c.object(raw); err != nil {
			return c.out, fmt.Errorf("object %d: %w", i, err)
		}
	}
	return c.out, nil
}

type geminiCheck struct {
	out         *GeminiAnswer
	id, version string
}

func (c *geminiCheck) object(raw json.RawMessage) error {
	var o geminiObject
	if err := json.Unmarshal(raw, &o); err != nil {
		return err
	}
	out := c.out
	switch {
	case out.Ending != Cut:
		return fmt.Errorf("it follows the end")
	case o.Error != nil:
		if out.Ending, out.Code = Failed, o.Error.Code; o.Error.Code < 400 || o.Error.Message == "" || o.Error.Status == "" {
			return fmt.Errorf("error is %+v", o.Error)
		}
		return nil
	case o.ID == "" || o.Version == "" || c.id != "" && (o.ID != c.id || o.Version != c.version):
		return fmt.Errorf("responseId %q, modelVersion %q", o.ID, o.Version)
	case len(o.Candidates) != 1 || o.Candidates[0].Index != 0:
		return fmt.Errorf("%d candidates", len(o.Candidates))
	}
	c.id, c.version = o.ID, o.Version
	one := o.Candidates[0]
	if one.Content != nil {
		if one.Content.Role != "model" || len(one.Content.Parts) == 0 {
			return fmt.Errorf("content of %q with %d parts", one.Content.Role, len(one.Content.Parts))
		}
		for _, p := range one.Content.Parts {
			if err := c.part(p); err != nil {
				return err
			}
		}
	}
	if one.Finish == "" {
		return nil
	}
	out.Finish, out.Ending = one.Finish, Completed
	if one.Finish != "STOP" {
		out.Ending = Incomplete
	}
	if o.Usage == nil {
		return fmt.Errorf("no usage")
	}
	out.In, out.Out, out.Cached, out.Total = o.Usage.In, o.Usage.Out+o.Usage.Thoughts, o.Usage.Cached, o.Usage.Total
	if out.Total != out.In+out.Out || out.Cached > out.In {
		return fmt.Errorf("usage does not add up: %+v", o.Usage)
	}
	return nil
}

func (c *geminiCheck) part(raw json.RawMessage) error {
	var p geminiPart
	if err := json.Unmarshal(raw, &p); err != nil {
		return err
	}
	if _, err := base64.StdEncoding.DecodeString(p.Signature); err != nil {
		return fmt.Errorf("the signature is no base64: %w", err)
	}
	out := c.out
	out.Parts = append(out.Parts, raw)
	switch {
	case (p.Text != nil) == (p.Call != nil):
		return fmt.Errorf("a part is text or a call: %s", raw)
	case p.Call != nil:
		var args map[string]any
		if err := json.Unmarshal(p.Call.Args, &args); err != nil || p.Call.Name == "" {
			return fmt.Errorf("call %q: %w", p.Call.Name, err)
		}
		out.Calls = append(out.Calls, GeminiCall{p.Call.ID, p.Call.Name, p.Signature, p.Call.Args})
	case p.Thought:
		out.Thought += *p.Text
	default:
		out.Text += *p.Text
	}
	return nil
}
