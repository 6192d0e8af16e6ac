package main

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/responses"
)

// runResponsesLoop runs the same loop as runToolLoop in the Responses API.
func runResponsesLoop(ctx context.Context, base, model string, stream bool) (*toolLoop, error) {
	client := openai.NewClient(option.WithBaseURL(base+"/v1"), option.WithAPIKey("none"), option.WithMaxRetries(0))
	input := responses.ResponseInputParam{responses.ResponseInputItemParamOfMessage(weatherQuestion, responses.EasyInputMessageRoleUser)}
	params := responses.ResponseNewParams{
		Model: model,
		Store: openai.Bool(false),
		Tools: []responses.ToolUnionParam{{OfFunction: &responses.FunctionToolParam{
			Name:        "get_weather",
			Description: openai.String("Current weather of a city"),
			Parameters: map[string]any{
				"type":       "object",
				"properties": map[string]any{"city": map[string]any{"type": "string"}},
				"required":   []string{"city"},
			},
		}}},
	}
	out := &toolLoop{}
	for range 2 {
		params.Input = responses.ResponseNewParamsInputUnion{OfInputItemList: input}
		answer, err := respond(ctx, &client, params, stream)
		if err != nil {
			return nil, fmt.Errorf("round %d: %w", len(out.Finishes)+1, err)
		}
		finish := "stop"
		for _, item := range answer.Output {
			input = append(input, param.Override[responses.ResponseInputItemUnionParam](json.RawMessage(item.RawJSON())))
			if item.Type != "function_call" {
				continue
			}
			finish = "tool_calls"
			arguments, err := canonical(item.Arguments.OfString)
			if err != nil {
				return nil, fmt.Errorf("arguments %q: %w", item.Arguments.OfString, err)
			}
			out.Calls = append(out.Calls, toolCall{item.Name, arguments})
			result := responses.ResponseInputItemParamOfFunctionCallOutput(`{"temperature_c":21}`)
			result.OfFunctionCallOutput.CallID = openai.String(item.CallID)
			input = append(input, result)
		}
		out.Finishes = append(out.Finishes, finish)
		out.Text = answer.OutputText()
	}
	return out, nil
}

func respond(ctx context.Context, client *openai.Client, params responses.ResponseNewParams, stream bool) (*responses.Response, error) {
	var answer *responses.Response
	if stream {
		events := client.Responses.NewStreaming(ctx, params)
		defer events.Close()
		for events.Next() {
			if done, ok := events.Current().AsAny().(responses.ResponseCompletedEvent); ok {
				answer = &done.Response
			}
		}
		if err := events.Err(); err != nil {
			return nil, err
		}
		if answer == nil {
			return nil, fmt.Errorf("the stream had no response.completed")
		}
	} else {
		var err error
		if answer, err = client.Responses.New(ctx, params); err != nil {
			return nil, err
		}
	}
	if answer.Usage.TotalTokens <= 0 || answer.Status != "completed" {
		return nil, fmt.Errorf("status %s, %d tokens", answer.Status, answer.Usage.TotalTokens)
	}
	return answer, nil
}

// The loop of the Responses API gives what that of Chat Completions gives.
func TestResponsesLoopIsTheSameThroughEveryKind(t *testing.T) {
	config, names := allKinds(t)
	base := serveGateway(t, config, nil)
	for _, name := range names {
		model := name + "/" + name + "-model"
		chat, err := runToolLoop(t.Context(), base, model, false)
		if err != nil {
			t.Fatal(err)
		}
		want, err := json.Marshal(chat)
		if err != nil {
			t.Fatal(err)
		}
		for _, stream := range []bool{false, true} {
			loop, err := runResponsesLoop(t.Context(), base, model, stream)
			if err != nil {
				t.Errorf("%s, stream %v: %v", name, stream, err)
				continue
			}
			if got, err := json.Marshal(loop); err != nil || string(got) != string(want) {
				t.Errorf("%s, stream %v: %v\n got %s\nwant %s", name, stream, err, got, want)
			}
		}
	}
}

func TestResponsesInputTokensAreCounted(t *testing.T) {
	config, names := allKinds(t)
	client := openai.NewClient(option.WithBaseURL(serveGateway(t, config, nil)+"/v1"), option.WithAPIKey("none"), option.WithMaxRetries(0))
	for _, name := range names {
		got, err := client.Responses.InputTokens.Count(t.Context(), responses.InputTokenCountParams{
			Model: openai.String(name + "/" + name + "-model"),
			Input: responses.InputTokenCountParamsInputUnion{OfString: openai.String("How many tokens are these words?")},
		})
		if err != nil || got.InputTokens < 5 || got.InputTokens > 50 {
			t.Errorf("%s: %v, %+v", name, err, got)
		}
	}
}
