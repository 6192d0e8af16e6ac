package main

import (
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"gateway/internal/fakeupstream"
)

// Where a provider tells no usage, clients are told what is booked: agents see by it how
// full their window is. The prompt here has 300 words, and the answer 20.
func TestClientsAreToldUsageThatTheirProviderDidNotTell(t *testing.T) {
	fake, err := fakeupstream.Start(fakeupstream.Config{Kind: fakeupstream.OpenAI, Tokens: 20, Gap: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fake.Close() })
	base := serveGateway(t, configFile(t, entry{name: "silent", url: fake.URL(), price: 1, extras: map[string]any{
		"stream_upstream": "true", "quirks": map[string]any{"no_usage_option": true}}}), nil)
	prompt := strings.TrimSpace(strings.Repeat("word ", 300))
	for name, c := range map[string]struct {
		path, body  string
		asked, made string // patterns of the counts
	}{
		"chat": {"/v1/chat/completions", `{"model":"auto","messages":[{"role":"user","content":"` + prompt + `"}]}`,
			`"prompt_tokens":(\d+)`, `"completion_tokens":(\d+)`},
		"chat, streamed": {"/v1/chat/completions", `{"model":"auto","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"` + prompt + `"}]}`,
			`"prompt_tokens":(\d+)`, `"completion_tokens":(\d+)`},
		"messages": {"/v1/messages", `{"model":"auto","max_tokens":500,"messages":[{"role":"user","content":"` + prompt + `"}]}`,
			`"input_tokens":(\d+)`, `"output_tokens":(\d+)`},
		"messages, streamed": {"/v1/messages", `{"model":"auto","stream":true,"max_tokens":500,"messages":[{"role":"user","content":"` + prompt + `"}]}`,
			`message_delta.*"input_tokens":(\d+)`, `message_delta.*"output_tokens":(\d+)`},
		"responses":           {"/v1/responses", `{"model":"auto","store":false,"input":"` + prompt + `"}`, `"input_tokens":(\d+)`, `"output_tokens":(\d+)`},
		"responses, streamed": {"/v1/responses", `{"model":"auto","store":false,"stream":true,"input":"` + prompt + `"}`, `"input_tokens":(\d+)`, `"output_tokens":(\d+)`},
		"gemini": {"/v1beta/models/auto:generateContent", `{"contents":[{"role":"user","parts":[{"text":"` + prompt + `"}]}]}`,
			`"promptTokenCount":(\d+)`, `"candidatesTokenCount":(\d+)`},
		"gemini, streamed": {"/v1beta/models/auto:streamGenerateContent?alt=sse", `{"contents":[{"role":"user","parts":[{"text":"` + prompt + `"}]}]}`,
			`"promptTokenCount":(\d+)`, `"candidatesTokenCount":(\d+)`},
	} {
		t.Run(name, func(t *testing.T) {
			res, err := http.Post(base+c.path, "application/json", strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != http.StatusOK {
				t.Fatalf("%s %s, %v", res.Status, body, err)
			}
			last := func(pattern string) int {
				all := regexp.MustCompile(pattern).FindAllSubmatch(body, -1)
				if len(all) == 0 {
					t.Fatalf("no %s in %s", pattern, body)
				}
				n, _ := strconv.Atoi(string(all[len(all)-1][1]))
				return n
			}
			if n := last(c.asked); n < 250 || n > 400 {
				t.Errorf("the prompt is told as %d tokens", n)
			}
			if n := last(c.made); n < 15 || n > 60 {
				t.Errorf("the answer is told as %d tokens", n)
			}
		})
	}
}
