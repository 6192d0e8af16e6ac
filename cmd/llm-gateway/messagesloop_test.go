package main

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
)

// runMessagesLoop runs two rounds with tools as an agent with Anthropic's Go SDK does.
func runMessagesLoop(ctx context.Context, base, model string, stream bool) (*toolLoop, error) {
	client := anthropic.NewClient(option.WithBaseURL(base), option.WithAPIKey("none"), option.WithMaxRetries(0))
	params := anthropic.MessageNewParams{
		Model: anthropic.Model(model), MaxTokens: 4096,
		Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(weatherQuestion))},
		Tools: []anthropic.ToolUnionParam{{OfTool: &anthropic.ToolParam{
			Name: "get_weather", Description: anthropic.String("Current weather of a city"),
			InputSchema: anthropic.ToolInputSchemaParam{
				Properties: map[string]any{"city": map[string]any{"type": "string"}}, Required: []string{"city"},
			},
		}}},
	}
	first, err := message(ctx, &client, params, stream)
	if err != nil {
		return nil, fmt.Errorf("first round: %w", err)
	}
	out := &toolLoop{}
	params.Messages = append(params.Messages, first.ToParam())
	var results []anthropic.ContentBlockParamUnion
	for _, block := range first.Content {
		call, ok := block.AsAny().(anthropic.ToolUseBlock)
		if !ok {
			continue
		}
		arguments, err := canonical(string(call.Input))
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", call.Input, err)
		}
		out.Calls = append(out.Calls, toolCall{call.Name, arguments})
		results = append(results, anthropic.NewToolResultBlock(call.ID, `{"temperature_c":21}`, false))
	}
	params.Messages = append(params.Messages, anthropic.NewUserMessage(results...))
	second, err := message(ctx, &client, params, stream)
	if err != nil {
		return nil, fmt.Errorf("second round: %w", err)
	}
	out.Finishes = []string{string(first.StopReason), string(second.StopReason)}
	for _, block := range second.Content {
		if text, ok := block.AsAny().(anthropic.TextBlock); ok {
			out.Text += text.Text
		}
	}
	return out, nil
}

func message(ctx context.Context, client *anthropic.Client, params anthropic.MessageNewParams, stream bool) (*anthropic.Message, error) {
	if !stream {
		return client.Messages.New(ctx, params)
	}
	events := client.Messages.NewStreaming(ctx, params)
	defer events.Close()
	var sum anthropic.Message
	for events.Next() {
		if err := sum.Accumulate(events.Current()); err != nil {
			return nil, fmt.Errorf("the SDK does not take %s: %w", events.Current().RawJSON(), err)
		}
	}
	if err := events.Err(); err != nil {
		return nil, err
	}
	if sum.StopReason == "" || sum.Usage.OutputTokens <= 0 || sum.Usage.InputTokens+sum.Usage.CacheReadInputTokens <= 0 {
		return nil, fmt.Errorf("no stop reason or no usage: %q, %+v", sum.StopReason, sum.Usage)
	}
	return &sum, nil
}

// The same agent gets the same answers through Messages, whoever is behind the gateway.
func TestMessagesLoopIsTheSameThroughEveryKind(t *testing.T) {
	config, names := allKinds(t)
	base := serveGateway(t, config, nil)
	want := ""
	for _, name := range names {
		for _, stream := range []bool{false, true} {
			loop, err := runMessagesLoop(t.Context(), base, name+"/"+name+"-model", stream)
			if err != nil {
				t.Errorf("%s, stream %v: %v", name, stream, err)
				continue
			}
			got, err := json.Marshal(loop)
			if err != nil {
				t.Fatal(err)
			}
			if want == "" {
				want = string(got)
				if len(loop.Calls) < 2 || loop.Text == "" || loop.Finishes[0] != "tool_use" || loop.Finishes[1] != "end_turn" {
					t.Errorf("%s: %s is no loop with two calls at once", name, got)
				}
			}
			if string(got) != want {
				t.Errorf("%s, stream %v:\n got %s\nwant %s", name, stream, got, want)
			}
		}
	}
}
