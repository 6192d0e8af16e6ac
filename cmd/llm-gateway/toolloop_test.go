package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/shared"
)

// toolLoop is what came of two rounds with a tool: the calls of the first, the text of
// the second. It is the same for every provider that answers the same.
type toolLoop struct {
	Calls    []toolCall `json:"calls"`
	Finishes []string   `json:"finishes"`
	Text     string     `json:"text"`
}

type toolCall struct {
	Name      string          `json:"name"`
	Arguments json.RawMessage `json:"arguments"`
}

const weatherQuestion = "What is the weather in Paris and in Rome? Use the tool for both."

// runToolLoop runs the loop as an agent with the Go SDK does.
func runToolLoop(ctx context.Context, base, model string, stream bool) (*toolLoop, error) {
	client := openai.NewClient(option.WithBaseURL(base+"/v1"), option.WithAPIKey("none"), option.WithMaxRetries(0))
	params := openai.ChatCompletionNewParams{
		Model:    model,
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(weatherQuestion)},
		Tools: []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
			Name:        "get_weather",
			Description: openai.String("Current weather of a city"),
			Parameters: shared.FunctionParameters{
				"type":       "object",
				"properties": map[string]any{"city": map[string]any{"type": "string"}},
				"required":   []string{"city"},
			},
		})},
	}
	first, err := round(ctx, &client, params, stream)
	if err != nil {
		return nil, fmt.Errorf("first round: %w", err)
	}
	out := &toolLoop{}
	params.Messages = append(params.Messages, first.Message.ToParam())
	for _, call := range first.Message.ToolCalls {
		arguments, err := canonical(call.Function.Arguments)
		if err != nil {
			return nil, fmt.Errorf("arguments %q: %w", call.Function.Arguments, err)
		}
		out.Calls = append(out.Calls, toolCall{call.Function.Name, arguments})
		params.Messages = append(params.Messages, openai.ToolMessage(`{"temperature_c":21}`, call.ID))
	}
	second, err := round(ctx, &client, params, stream)
	if err != nil {
		return nil, fmt.Errorf("second round: %w", err)
	}
	out.Finishes = []string{first.FinishReason, second.FinishReason}
	out.Text = second.Message.Content
	return out, nil
}

func round(ctx context.Context, client *openai.Client, params openai.ChatCompletionNewParams, stream bool) (*openai.ChatCompletionChoice, error) {
	if !stream {
		answer, err := client.Chat.Completions.New(ctx, params)
		if err != nil {
			return nil, err
		}
		return choice(answer)
	}
	params.StreamOptions.IncludeUsage = openai.Bool(true)
	chunks := client.Chat.Completions.NewStreaming(ctx, params)
	defer chunks.Close()
	var sum openai.ChatCompletionAccumulator
	for chunks.Next() {
		if !sum.AddChunk(chunks.Current()) {
			return nil, fmt.Errorf("the SDK does not take the chunk %s", chunks.Current().RawJSON())
		}
	}
	if err := chunks.Err(); err != nil {
		return nil, err
	}
	return choice(&sum.ChatCompletion)
}

func choice(answer *openai.ChatCompletion) (*openai.ChatCompletionChoice, error) {
	if len(answer.Choices) != 1 {
		return nil, fmt.Errorf("%d choices", len(answer.Choices))
	}
	if answer.Usage.TotalTokens <= 0 {
		return nil, fmt.Errorf("no usage")
	}
	return &answer.Choices[0], nil
}

// canonical is JSON text without the freedom of spaces and key order.
func canonical(text string) (json.RawMessage, error) {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return nil, err
	}
	return json.Marshal(v)
}
