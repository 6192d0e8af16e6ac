package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"

	"gateway/internal/fakeupstream"
)

type messagesTalk struct {
	params anthropic.MessageNewParams
	ids    []string
}

func newMessagesTalk(model string) conversation {
	adaptive := anthropic.ThinkingConfigAdaptiveParam{}
	return &messagesTalk{params: anthropic.MessageNewParams{
		Model: anthropic.Model(model), MaxTokens: 4096, Thinking: anthropic.ThinkingConfigParamUnion{OfAdaptive: &adaptive},
		Tools: []anthropic.ToolUnionParam{{OfTool: &anthropic.ToolParam{Name: "get_weather",
			InputSchema: anthropic.ToolInputSchemaParam{Properties: map[string]any{"city": map[string]any{"type": "string"}}, Required: []string{"city"}}}}},
	}}
}

func (m *messagesTalk) ask(ctx context.Context, base, say string, results []string, stream bool) (*turn, error) {
	client := anthropic.NewClient(option.WithBaseURL(base), option.WithAPIKey("none"), option.WithMaxRetries(0))
	var blocks []anthropic.ContentBlockParamUnion
	if say != "" {
		blocks = append(blocks, anthropic.NewTextBlock(say))
	}
	for i, text := range results {
		blocks = append(blocks, anthropic.NewToolResultBlock(m.ids[i], text, false))
	}
	m.params.Messages = append(m.params.Messages, anthropic.NewUserMessage(blocks...))
	answer, err := message(ctx, &client, m.params, stream)
	if err != nil {
		return nil, err
	}
	m.params.Messages, m.ids = append(m.params.Messages, answer.ToParam()), nil
	u := answer.Usage
	out := &turn{in: u.InputTokens + u.CacheReadInputTokens + u.CacheCreationInputTokens, cached: u.CacheReadInputTokens, out: u.OutputTokens}
	for _, block := range answer.Content {
		switch b := block.AsAny().(type) {
		case anthropic.TextBlock:
			out.text += b.Text
		case anthropic.ToolUseBlock:
			out.calls = append(out.calls, toolCall{b.Name, json.RawMessage(b.Input)})
			m.ids = append(m.ids, b.ID)
		}
	}
	return out, nil
}

// What an Anthropic provider streams reaches a client of its format byte for byte, and
// what the client sent reaches the provider so, but for the name of the model.
func TestMessagesAreRelayedByteForByte(t *testing.T) {
	upstream, err := fakeupstream.Start(fakeupstream.Config{Kind: fakeupstream.Anthropic})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { upstream.Close() })
	tap := &wiretap{}
	config := configFile(t, entry{name: "p", price: 1, extras: map[string]any{"kind": "anthropic", "base_url": tap.serve(t, upstream.URL()), "default_model": "claude-sonnet-5-5"}})
	base := serveGateway(t, config, nil)
	for _, name := range []string{"text", "tools", "thinking", "max_tokens", "refusal", "stop_sequence", "unknown_event"} {
		want, err := os.ReadFile(filepath.Join("..", "..", "providers", "testdata", "anthropic", "stream."+name+".sse"))
		if err != nil {
			t.Fatal(err)
		}
		upstream.ServeRaw(http.StatusOK, http.Header{"Content-Type": {"text/event-stream"}}, want, 0)
		asked := "{ \"max_tokens\":100, \"stream\" : true,\n\"model\":\"p/claude-sonnet-5-5\",\"x_new\":[1.50,1e3],\"messages\":[{\"role\":\"user\",\"content\":\"\\u00e9 hi\"}]}"
		resp, err := newClient(t).Post(base+"/v1/messages?beta=true", "application/json", strings.NewReader(asked))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(got) != string(want) {
			t.Errorf("%s: %v\n got %s\nwant %s", name, err, got, want)
		}
		if sent := tap.requests[len(tap.requests)-1]; sent != strings.Replace(asked, "p/claude", "claude", 1) {
			t.Errorf("the provider got %s", sent)
		}
	}
}
