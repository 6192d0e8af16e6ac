package providers

import (
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"gateway"
)

// The signature of an answer without calls goes back to its maker, also from a client
// whose format has no place for it: the answer's text is then what it is known by.
func TestGeminiSignatureIsKeptByText(t *testing.T) {
	const answer = `data: {"candidates":[{"content":{"role":"model","parts":[{"text":"Rain "}]},"index":0}]}` + "\n\n" +
		`data: {"candidates":[{"content":{"role":"model","parts":[{"text":"is near.","thoughtSignature":"c2lnbmVk"}]},"finishReason":"STOP","index":0}]}` + "\n\n"
	a := &gemini{caller: caller{Settings{Kind: geminiKind, State: NewState(10, time.Hour)}}}
	call := nativeCall("gemini-3.8-flash")
	call.Request.Prefix = 7
	s := &geminiStream{a: a, ctx: t.Context(), call: call, events: newSSEReader(strings.NewReader(answer)), body: closer{}}
	if c, err := gateway.Collect(s); err != nil || c.Choices[0].Text != "Rain is near." {
		t.Fatalf("%+v, %v", c, err)
	}
	back := func(text, key, model string, prefix uint64) string {
		again := nativeCall(model)
		again.Request.Prefix = prefix
		again.Request.Key = key
		chat := &gateway.Chat{Messages: []gateway.Message{
			{Speaker: gateway.User, Parts: []gateway.Part{{Text: "Rain?"}}},
			{Speaker: gateway.Assistant, Parts: []gateway.Part{{Text: text}}},
			{Speaker: gateway.User, Parts: []gateway.Part{{Text: "When?"}}},
		}}
		body, err := a.translate(again, chat, false)
		if err != nil {
			t.Fatal(err)
		}
		return gjson.GetBytes(body, "contents.1.parts.0.thoughtSignature").Str
	}
	if got := back("Rain is near.", call.Request.Key, "gemini-3.8-flash", 7); got != "c2lnbmVk" {
		t.Errorf("the signature came back as %q", got)
	}
	for name, got := range map[string]string{
		"another text":         back("Rain is far.", call.Request.Key, "gemini-3.8-flash", 7),
		"another key":          back("Rain is near.", "somebody else", "gemini-3.8-flash", 7),
		"another model":        back("Rain is near.", call.Request.Key, "gemini-3.1-flash-lite", 7),
		"another conversation": back("Rain is near.", call.Request.Key, "gemini-3.8-flash", 8),
	} {
		if got != "" {
			t.Errorf("%s: signed with %q", name, got)
		}
	}
}

type closer struct{}

func (closer) Close() error { return nil }

// Gemini stops at five sequences. More of them are another provider's: an answer that runs
// past one is not what was asked for.
func TestGeminiTakesFiveStops(t *testing.T) {
	call := saidHi("gemini")
	chat := &gateway.Chat{Messages: said("Hi"), Stop: []string{"a", "b", "c", "d", "e"}}
	call.Request.Decode = func([]byte) (*gateway.Chat, error) { return chat, nil }
	_, body := requestOf(t, Settings{Kind: "gemini"}, "gemini-3-flash", call.Request)
	if got := gjson.GetBytes(body, "generationConfig.stopSequences.#").Int(); got != 5 {
		t.Errorf("sent %s", body)
	}
	chat.Stop = append(chat.Stop, "f")
	a, err := kinds["gemini"].adapter(Settings{Name: "p", Kind: "gemini", BaseURL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Open(t.Context(), call); gateway.KindOf(err) != gateway.Unsupported {
		t.Errorf("six: %v", err)
	}
}
