package providers

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"gateway"
)

// maxMessage is the most bytes of a provider's text that a client may see.
const maxMessage = 300

// failure is an error body read in any provider's form.
type failure struct {
	words   []string // codes, types and states, the most specific first
	code    string
	message string
	param   string
	delay   string // Gemini's RetryInfo
	empty   bool   // there was no body
	daily   bool   // a quota of the day is used up

	perModel bool // the quota that is used up is one of the model
}

func (f *failure) word() string {
	if len(f.words) == 0 {
		return ""
	}
	return f.words[0]
}

// readFailure reads an error body. One that is no JSON has no words and no message:
// a proxy's page says nothing to a client.
func readFailure(body []byte) *failure {
	text := strings.TrimSpace(string(body))
	f := &failure{empty: text == ""}
	if !gjson.Valid(text) {
		return f
	}
	top := gjson.Parse(text)
	if top.IsArray() {
		top = top.Get("0")
	}
	fault := top.Get("error")
	switch {
	case fault.IsObject():
	case fault.Type == gjson.String && !top.Get("message").Exists():
		f.message, f.code = fault.Str, top.Get("code").String() // xAI writes its code beside it
		f.add(f.code)
		return f
	default:
		fault = top
	}
	details := fault.Get("details")
	if details.IsArray() {
		details.ForEach(func(_, d gjson.Result) bool {
			f.add(d.Get("reason").String())
			if delay := d.Get("retryDelay"); delay.Type == gjson.String {
				f.delay = delay.Str
			}
			if strings.Contains(d.Raw, "PerDay") {
				f.daily = true
			}
			f.perModel = f.perModel || strings.Contains(d.Raw, "PerModel")
			return true
		})
	} else {
		f.add(details.Get("error_code").String())
	}
	f.code = fault.Get("code").String()
	f.add(fault.Get("metadata.error_type").String())
	f.add(f.code)
	f.add(fault.Get("status").String())
	f.add(fault.Get("type").String())
	f.param = fault.Get("param").String()
	message := fault.Get("message")
	if !message.Exists() {
		message = fault.Get("detail")
	}
	f.message = message.String() // an object keeps its JSON text
	return f
}

func (f *failure) add(word string) {
	if word != "" {
		f.words = append(f.words, word)
	}
}

var secrets = regexp.MustCompile(`(?i)\b(sk|pk|rk|gsk|xai|key)[-_][A-Za-z0-9_*.\-]{4,}|AIza[A-Za-z0-9_\-]{10,}|bearer\s+[^\s"',]+|\b(api_?)?key=[^\s&"']+` +
	`|\b(?:team|api key id): [^\s,"']+`) // xAI names whose key asked

// redact takes out what looks like a key: providers quote the one they refuse.
func redact(text string) string { return secrets.ReplaceAllString(text, "[redacted]") }

// cut shortens text to at most n bytes without splitting a character.
func cut(text string, n int) string {
	text = strings.ToValidUTF8(text, "\ufffd")
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// truncated is the failure of a stream that ended before its terminal mark.
func truncated(call *gateway.Call, err error) *gateway.Error {
	return &gateway.Error{Kind: gateway.Unavailable, Provider: call.Model.Provider, Model: call.Model.Name,
		Message: "the answer ended before it was complete", Sent: true, Err: err}
}

// garbled is the failure of an answer that cannot be read.
func garbled(call *gateway.Call, err error) *gateway.Error {
	return &gateway.Error{Kind: gateway.BadAnswer, Provider: call.Model.Provider, Model: call.Model.Name,
		Message: "the answer could not be read", Sent: true, Err: err}
}
