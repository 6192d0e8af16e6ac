package main

import (
	"context"
	"encoding/json"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/shared"
)

// chatTalk is a session in Chat Completions, whose messages have no place for what a
// provider wants back: the gateway must remember it.
type chatTalk struct {
	params openai.ChatCompletionNewParams
	ids    []string
}

func newChatTalk(model string) conversation {
	return &chatTalk{params: openai.ChatCompletionNewParams{
		Model: model, ReasoningEffort: shared.ReasoningEffortLow,
		Tools: []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{Name: "get_weather",
			Parameters: shared.FunctionParameters{"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}, "required": []string{"city"}}})},
	}}
}

func (c *chatTalk) ask(ctx context.Context, base, say string, results []string, stream bool) (*turn, error) {
	client := openai.NewClient(option.WithBaseURL(base+"/v1"), option.WithAPIKey("none"), option.WithMaxRetries(0))
	if say != "" {
		c.params.Messages = append(c.params.Messages, openai.UserMessage(say))
	}
	for i, text := range results {
		c.params.Messages = append(c.params.Messages, openai.ToolMessage(text, c.ids[i]))
	}
	answer, err := c.complete(ctx, &client, stream)
	if err != nil {
		return nil, err
	}
	message := answer.Choices[0].Message
	c.params.Messages = append(c.params.Messages, message.ToParam())
	u := answer.Usage
	out := &turn{text: message.Content, in: u.PromptTokens, cached: u.PromptTokensDetails.CachedTokens, out: u.CompletionTokens}
	c.ids = nil
	for _, call := range message.ToolCalls {
		out.calls = append(out.calls, toolCall{call.Function.Name, json.RawMessage(call.Function.Arguments)})
		c.ids = append(c.ids, call.ID)
	}
	return out, nil
}

func (c *chatTalk) complete(ctx context.Context, client *openai.Client, stream bool) (*openai.ChatCompletion, error) {
	if !stream {
		c.params.StreamOptions = openai.ChatCompletionStreamOptionsParam{}
		return client.Chat.Completions.New(ctx, c.params)
	}
	c.params.StreamOptions = openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)}
	events := client.Chat.Completions.NewStreaming(ctx, c.params)
	defer events.Close()
	var sum openai.ChatCompletionAccumulator
	for events.Next() {
		sum.AddChunk(events.Current())
	}
	return &sum.ChatCompletion, events.Err()
}
