package fakeupstream

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"

	claudesdk "github.com/anthropics/anthropic-sdk-go"
	claudeoption "github.com/anthropics/anthropic-sdk-go/option"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/shared"
)

const bothCities = "What is it like in Paris and in Rome? Please use tools."

var properties = map[string]any{"city": map[string]any{"type": "string"}, "days": map[string]any{"type": "integer"}}

// expected are the calls of bothCities and the text after these results.
func expected(results []string) ([]Call, string) {
	schema := jsontext.Value(weatherSchema)
	return Calls(bothCities, []Tool{{"weather", schema}, {"tides", schema}}),
		ResultsText(bothCities, 0, []string{"weather", "tides"}, results)
}

func closingClient(t *testing.T) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// The official client runs a whole tool loop on streams and reads what is expected.
func TestOpenAIClientRunsAToolLoop(t *testing.T) {
	results := []string{`{"c":21}`, "low at six"}
	calls, want := expected(results)
	for _, kind := range []Kind{OpenAI, DeepSeek} {
		s := start(t, Config{Kind: kind})
		client := openai.NewClient(option.WithBaseURL(s.URL()+"/v1"), option.WithAPIKey("k"), option.WithMaxRetries(0),
			option.WithHTTPClient(closingClient(t)), option.WithJSONSet("thinking", map[string]string{"type": "disabled"}))
		params := openai.ChatCompletionNewParams{Model: "m",
			Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(bothCities)}}
		params.StreamOptions.IncludeUsage = openai.Bool(true)
		for _, name := range []string{"weather", "tides"} {
			params.Tools = append(params.Tools, openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
				Name: name, Parameters: shared.FunctionParameters{"type": "object", "properties": properties}}))
		}
		first := openAIRound(t, &client, params)
		if len(first.ToolCalls) != 2 || first.ToolCalls[0].ID == first.ToolCalls[1].ID {
			t.Fatalf("%v: calls %+v", kind, first.ToolCalls)
		}
		params.Messages = append(params.Messages, first.ToParam())
		for i, c := range first.ToolCalls {
			if c.Function.Name != calls[i].Name || c.Function.Arguments != calls[i].Arguments {
				t.Errorf("%v: call %+v, want %+v", kind, c.Function, calls[i])
			}
			params.Messages = append(params.Messages, openai.ToolMessage(results[i], c.ID))
		}
		if second := openAIRound(t, &client, params); second.Content != want || len(second.ToolCalls) != 0 {
			t.Errorf("%v: %q, want %q", kind, second.Content, want)
		}
	}
}

func openAIRound(t *testing.T, client *openai.Client, params openai.ChatCompletionNewParams) openai.ChatCompletionMessage {
	t.Helper()
	stream := client.Chat.Completions.NewStreaming(t.Context(), params)
	defer stream.Close()
	var all openai.ChatCompletionAccumulator
	for stream.Next() {
		if !all.AddChunk(stream.Current()) {
			t.Fatalf("refused %s", stream.Current().RawJSON())
		}
	}
	if err := stream.Err(); err != nil || len(all.Choices) != 1 {
		t.Fatalf("%v, %d choices", err, len(all.Choices))
	}
	if all.Usage.TotalTokens != all.Usage.PromptTokens+all.Usage.CompletionTokens || all.Usage.CompletionTokens == 0 {
		t.Errorf("usage %+v", all.Usage)
	}
	return all.Choices[0].Message
}

func TestAnthropicClientRunsAToolLoopWithThoughts(t *testing.T) {
	results := []string{`{"c":21}`, "low at six"}
	calls, want := expected(results)
	s := start(t, Config{Kind: Anthropic})
	client := claudesdk.NewClient(claudeoption.WithBaseURL(s.URL()), claudeoption.WithAPIKey("k"),
		claudeoption.WithMaxRetries(0), claudeoption.WithHTTPClient(closingClient(t)))
	params := claudesdk.MessageNewParams{
		Model: "claude-sonnet-4-5", MaxTokens: 4000, Thinking: claudesdk.ThinkingConfigParamOfEnabled(1024),
		Messages: []claudesdk.MessageParam{claudesdk.NewUserMessage(claudesdk.NewTextBlock(bothCities))},
	}
	for _, name := range []string{"weather", "tides"} {
		params.Tools = append(params.Tools, claudesdk.ToolUnionParam{OfTool: &claudesdk.ToolParam{
			Name: name, InputSchema: claudesdk.ToolInputSchemaParam{Properties: properties}}})
	}
	first := anthropicRound(t, &client, params)
	var blocks []claudesdk.ContentBlockParamUnion
	for _, b := range first.Content {
		if b.Type != "tool_use" {
			continue
		}
		i := len(blocks)
		if i < len(calls) && (b.Name != calls[i].Name || canonical(string(b.Input)) != canonical(calls[i].Arguments)) {
			t.Errorf("call %s %s, want %+v", b.Name, b.Input, calls[i])
		}
		blocks = append(blocks, claudesdk.NewToolResultBlock(b.ID, results[min(i, 1)], false))
	}
	if len(blocks) != 2 || first.Content[0].Type != "thinking" || first.StopReason != "tool_use" {
		t.Fatalf("%d calls, first block %s, %s", len(blocks), first.Content[0].Type, first.StopReason)
	}
	params.Messages = append(params.Messages, first.ToParam(), claudesdk.NewUserMessage(blocks...))
	second := anthropicRound(t, &client, params)
	if text := second.Content[len(second.Content)-1].Text; text != want || second.StopReason != "end_turn" {
		t.Errorf("%q, want %q", text, want)
	}
	_ = s.Close()
	if bill := s.Bill(); int64(bill[1].Usage.Output) != second.Usage.OutputTokens ||
		int64(bill[1].Usage.Prompt) != second.Usage.InputTokens+second.Usage.CacheReadInputTokens {
		t.Errorf("billed %+v, told %+v", bill[1].Usage, second.Usage)
	}
	if !slices.ContainsFunc(s.Bill(), func(b Bill) bool { return b.Usage.Reasoning > 0 }) {
		t.Error("nobody paid for thoughts")
	}
}

func anthropicRound(t *testing.T, client *claudesdk.Client, params claudesdk.MessageNewParams) claudesdk.Message {
	t.Helper()
	stream := client.Messages.NewStreaming(t.Context(), params)
	defer stream.Close()
	var all claudesdk.Message
	for stream.Next() {
		if err := all.Accumulate(stream.Current()); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// A thought that was tampered with is refused in the words of the provider.
func TestAnthropicClientSeesATamperedThought(t *testing.T) {
	s := start(t, Config{Kind: Anthropic})
	client := claudesdk.NewClient(claudeoption.WithBaseURL(s.URL()), claudeoption.WithAPIKey("k"),
		claudeoption.WithMaxRetries(0), claudeoption.WithHTTPClient(closingClient(t)))
	params := claudesdk.MessageNewParams{
		Model: "claude-sonnet-4-5", MaxTokens: 4000, Thinking: claudesdk.ThinkingConfigParamOfEnabled(1024),
		Messages: []claudesdk.MessageParam{claudesdk.NewUserMessage(claudesdk.NewTextBlock("hi"))},
	}
	first := anthropicRound(t, &client, params)
	for tampered, want := range map[bool]int{false: 200, true: 400} {
		turn := first.ToParam()
		if tampered {
			turn.Content = slices.Clone(turn.Content)
			turn.Content[0] = claudesdk.NewThinkingBlock(first.Content[0].Signature, first.Content[0].Thinking+" ")
		}
		next := params
		next.Messages = []claudesdk.MessageParam{params.Messages[0], turn, claudesdk.NewUserMessage(claudesdk.NewTextBlock("and?"))}
		_, err := client.Messages.New(t.Context(), next)
		status := 200
		if wrong := new(claudesdk.Error); errors.As(err, &wrong) {
			status = wrong.StatusCode
		}
		if status != want {
			t.Errorf("tampered %v: %v", tampered, fmt.Sprint(err))
		}
	}
}
