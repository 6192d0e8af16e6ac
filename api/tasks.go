package api

import (
	"errors"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/tidwall/gjson"

	"gateway"
)

const classifyPrompt = `Classify the user's text. Answer with one JSON object and nothing else.`

// classify is POST /classify {"prompt","model"?}.
func (s *Server) classify(c *gin.Context) {
	o, err := s.short(c)
	if err == nil {
		var prompt string
		if prompt, err = o.text("prompt"); err == nil {
			s.task(c, o, "classification", classifyPrompt, prompt)
			return
		}
	}
	s.fail422(c, err)
}

// plan is POST /plan {"context":{…},"system_prompt","model"?}.
func (s *Server) plan(c *gin.Context) {
	o, err := s.short(c)
	if err != nil {
		s.fail422(c, err)
		return
	}
	context, ok := o.get("context")
	if !ok || !context.IsObject() {
		s.fail422(c, missing("context", "an object"))
		return
	}
	system, err := o.text("system_prompt")
	if err != nil {
		s.fail422(c, err)
		return
	}
	compact := jsontext.Value(context.Raw)
	if compact.Compact() != nil {
		s.fail422(c, missing("context", "an object"))
		return
	}
	s.task(c, o, "plan", system, string(compact))
}

func (s *Server) short(c *gin.Context) (*object, *gateway.Error) {
	raw, err := s.readBody(c)
	if err != nil {
		return nil, err
	}
	return parse(raw)
}

func missing(name, want string) *gateway.Error {
	return field(name, "%q is required and must be %s.", name, want)
}

// text is a field that must be a string with something in it.
func (o *object) text(name string) (string, *gateway.Error) {
	v, ok := o.get(name)
	if !ok || v.Type != gjson.String || strings.TrimSpace(v.Str) == "" {
		return "", missing(name, "a string that is not blank")
	}
	return v.Str, nil
}

// fail422 answers a missing or blank field with 422 and its name.
func (s *Server) fail422(c *gin.Context, err *gateway.Error) {
	if err.Kind == gateway.Invalid && err.Param != "" {
		s.fail(c, err, 422)
		return
	}
	s.fail(c, err)
}

// task asks for one JSON object and answers it under a name of its own.
func (s *Server) task(c *gin.Context, o *object, name, system, user string) {
	req, err := s.request0(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	if v, ok := o.get("model"); ok {
		if v.Type != gjson.String {
			s.fail422(c, missing("model", "a string"))
			return
		}
		req.Model = v.Str
	}
	body := append([]byte(nil), `{"messages":[{"role":"system","content":`...)
	body = appendString(body, jsonWord(system))
	body = append(body, `},{"role":"user","content":`...)
	body = appendString(body, user)
	body = append(body, `}],"response_format":{"type":"json_object"}}`...)
	req.Raw, req.Wire, req.Decode = body, chatWire, decodeChat
	req.Needs.JSONMode, req.Messages, req.PromptBytes = true, 2, len(system)+len(user)
	req.Check = isObject
	event(c).model = req.Model
	answer, rerr := s.route(c, req)
	if rerr != nil {
		s.failTask(c, rerr)
		return
	}
	usage := &answer.Completion.Usage
	s.noteWhole(c, answer, usage)
	out := append([]byte(nil), `{"`...)
	out = append(out, name...)
	out = append(out, `":`...)
	out = append(out, unfenced(answer.Completion.Choices[0].Text)...)
	out = s.callLog(out, c, answer, usage)
	c.Data(200, "application/json", append(out, '}'))
}

// failTask shows the model's text when that was the trouble.
func (s *Server) failTask(c *gin.Context, err error) {
	var e *gateway.Error
	if errors.As(err, &e) && e.Kind == gateway.BadAnswer && e.Text != "" {
		s.fail(c, err, 502)
		return
	}
	s.fail(c, err)
}

// jsonWord: JSON mode is refused by some providers unless the word stands in a message.
func jsonWord(system string) string {
	if strings.Contains(strings.ToLower(system), "json") {
		return system
	}
	return system + "\n\nAnswer with one JSON object and nothing else."
}

var errNotObject = errors.New("the answer is not a JSON object")

func isObject(c *gateway.Completion) error {
	text := unfenced(c.Choices[0].Text)
	if !gjson.Valid(text) || !gjson.Parse(text).IsObject() {
		return errNotObject
	}
	return nil
}

// callLog is the ai_call_log of the short routes.
func (s *Server) callLog(b []byte, c *gin.Context, a *gateway.Answer, u *gateway.Usage) []byte {
	b = append(b, `,"ai_call_log":{"provider":`...)
	b = appendString(b, a.Provider)
	b = append(b, `,"model":`...)
	b = appendString(b, a.Model)
	b = appendInt(b, `,"prompt_tokens":`, u.Prompt())
	b = appendInt(b, `,"completion_tokens":`, u.Output)
	b = appendInt(b, `,"cost_microcents":`, int(a.Cost))
	b = appendInt(b, `,"latency_ms":`, int(time.Since(event(c).begun).Milliseconds()))
	return append(b, `,"success":true}`...)
}
