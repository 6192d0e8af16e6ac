package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// chatChunks are the events of an answer with these deltas.
func chatChunks(finish string, deltas ...string) string {
	var b strings.Builder
	for _, d := range deltas {
		b.WriteString(`data: {"id":"c","choices":[{"index":0,"delta":` + d + `,"finish_reason":null}]}` + "\n\n")
	}
	b.WriteString(`data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"` + finish + `"}]}` + "\n\ndata: [DONE]\n\n")
	return b.String()
}

// Speech, images and calls of tools that take any text are part of Chat Completions alone.
// They come through it as the provider gave them, in events and as a whole.
func TestWhatOnlyChatHasComesThrough(t *testing.T) {
	for name, c := range map[string]struct {
		deltas          []string
		message, finish string
		want            map[string]string // of the message
	}{
		"speech": {
			[]string{`{"role":"assistant","audio":{"id":"a1","transcript":"Hel"}}`, `{"audio":{"transcript":"lo","data":"QUJD"}}`, `{"audio":{"data":"REVG","expires_at":7}}`},
			`{"role":"assistant","content":null,"audio":{"id":"a1","transcript":"Hello","data":"QUJDREVG","expires_at":7}}`, "stop",
			map[string]string{"audio.id": "a1", "audio.transcript": "Hello", "audio.data": "QUJDREVG", "audio.expires_at": "7", "content": ""}},
		"images": {
			[]string{`{"role":"assistant","content":"Two: ","images":[{"image_url":{"url":"data:1"}}]}`, `{"images":[{"image_url":{"url":"data:2"}}]}`},
			`{"role":"assistant","content":"Two: ","images":[{"image_url":{"url":"data:1"}},{"image_url":{"url":"data:2"}}]}`, "stop",
			map[string]string{"content": "Two: ", "images.0.image_url.url": "data:1", "images.1.image_url.url": "data:2"}},
		"calls of any text": {
			[]string{`{"role":"assistant","tool_calls":[{"index":0,"id":"c1","type":"custom","custom":{"name":"patch","input":""}}]}`,
				`{"tool_calls":[{"index":0,"custom":{"input":"*** a,"}}]}`, `{"tool_calls":[{"index":0,"custom":{"input":"}\n"}}]}`,
				`{"tool_calls":[{"index":1,"id":"c2","type":"function","function":{"name":"f","arguments":"{}"}}]}`},
			`{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"custom","custom":{"name":"patch","input":"*** a,}\n"}},` +
				`{"id":"c2","type":"function","function":{"name":"f","arguments":"{}"}}]}`, "tool_calls",
			map[string]string{"tool_calls.0.type": "custom", "tool_calls.0.custom.name": "patch", "tool_calls.0.custom.input": "*** a,}\n", "tool_calls.0.function": "",
				"tool_calls.1.type": "function", "tool_calls.1.function.arguments": "{}", "tool_calls.1.custom": ""}},
	} {
		whole := `{"id":"c","object":"chat.completion","choices":[{"index":0,"message":` + c.message + `,"finish_reason":"` + c.finish + `"}],"usage":{"prompt_tokens":1,"completion_tokens":9,"total_tokens":10}}`
		events := chatChunks(c.finish, c.deltas...)
		const ask = `{"model":"p/p-model","messages":[{"role":"user","content":"Hi"}]`
		for from, url := range map[string]string{"events": answeringWith(t, "text/event-stream", events), "a body": answeringWith(t, "application/json", whole)} {
			base := serveGateway(t, configFile(t, entry{name: "p", url: url, price: 1}), nil)
			status, got := postTo(t, base+"/v1/chat/completions", ask+"}")
			if status != http.StatusOK {
				t.Errorf("%s from %s: %d %s", name, from, status, got)
			}
			message := gjson.Get(got, "choices.0.message")
			for path, want := range c.want {
				if got := message.Get(path).String(); got != want {
					t.Errorf("%s from %s: %s is %q, want %q in %s", name, from, path, got, want, message.Raw)
				}
			}
			status, got = postTo(t, base+"/v1/chat/completions", ask+`,"stream":true}`)
			if status != http.StatusOK || !strings.HasSuffix(got, "data: [DONE]\n\n") {
				t.Errorf("%s from %s: %d %s", name, from, status, got)
			}
			if from == "a body" {
				continue
			}
			told := 0
			for line := range strings.SplitSeq(got, "\n") { // the deltas are the provider's
				delta := gjson.Get(strings.TrimPrefix(line, "data: "), "choices.0.delta")
				for _, member := range []string{"audio", "images", "tool_calls.0.custom"} {
					if v := delta.Get(member); v.Exists() {
						if want := gjson.Get(c.deltas[told], member).Raw; v.Raw != want {
							t.Errorf("%s: %s is %s, want %s", name, member, v.Raw, want)
						}
						told++
					}
				}
			}
			if told < 2 {
				t.Errorf("%s: %d pieces in %s", name, told, got)
			}
		}
	}
}
