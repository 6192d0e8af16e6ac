package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"google.golang.org/genai"
)

func geminiClient(ctx context.Context, base, key string) (*genai.Client, error) {
	return genai.NewClient(ctx, &genai.ClientConfig{APIKey: key, Backend: genai.BackendGeminiAPI, HTTPClient: http.DefaultClient,
		HTTPOptions: genai.HTTPOptions{BaseURL: base}})
}

// runGeminiLoop runs the same loop as runToolLoop with Google's SDK.
func runGeminiLoop(ctx context.Context, base, model string, stream bool) (*toolLoop, error) {
	client, err := geminiClient(ctx, base, "none")
	if err != nil {
		return nil, err
	}
	config := &genai.GenerateContentConfig{Tools: []*genai.Tool{{FunctionDeclarations: []*genai.FunctionDeclaration{{
		Name:        "get_weather",
		Description: "Current weather of a city",
		Parameters: &genai.Schema{Type: genai.TypeObject, Required: []string{"city"},
			Properties: map[string]*genai.Schema{"city": {Type: genai.TypeString}}},
	}}}}}
	contents := []*genai.Content{genai.NewContentFromText(weatherQuestion, genai.RoleUser)}
	out := &toolLoop{}
	for range 2 {
		said, err := generate(ctx, client, model, contents, config, stream)
		if err != nil {
			return nil, fmt.Errorf("round %d: %w", len(out.Finishes)+1, err)
		}
		contents = append(contents, said)
		finish, text := "stop", ""
		var results []*genai.Part
		for _, p := range said.Parts {
			if p.FunctionCall == nil {
				text += p.Text
				continue
			}
			finish = "tool_calls"
			arguments, err := json.Marshal(p.FunctionCall.Args)
			if err != nil {
				return nil, err
			}
			out.Calls = append(out.Calls, toolCall{p.FunctionCall.Name, arguments})
			result := genai.NewPartFromFunctionResponse(p.FunctionCall.Name, map[string]any{"temperature_c": 21})
			result.FunctionResponse.ID = p.FunctionCall.ID
			results = append(results, result)
		}
		contents = append(contents, &genai.Content{Role: genai.RoleUser, Parts: results})
		out.Finishes, out.Text = append(out.Finishes, finish), text
	}
	return out, nil
}

func generate(ctx context.Context, client *genai.Client, model string, contents []*genai.Content, config *genai.GenerateContentConfig, stream bool) (*genai.Content, error) {
	said, _, err := generateCounted(ctx, client, model, contents, config, stream)
	return said, err
}

// generateCounted is one answer, with its text in as many parts as it came.
func generateCounted(ctx context.Context, client *genai.Client, model string, contents []*genai.Content, config *genai.GenerateContentConfig, stream bool) (*genai.Content, *genai.GenerateContentResponseUsageMetadata, error) {
	said := &genai.Content{Role: genai.RoleModel}
	var last *genai.GenerateContentResponse
	take := func(r *genai.GenerateContentResponse) {
		last = r
		if len(r.Candidates) > 0 && r.Candidates[0].Content != nil {
			said.Parts = append(said.Parts, r.Candidates[0].Content.Parts...)
		}
	}
	if stream {
		for r, err := range client.Models.GenerateContentStream(ctx, model, contents, config) {
			if err != nil {
				return nil, nil, err
			}
			take(r)
		}
	} else {
		r, err := client.Models.GenerateContent(ctx, model, contents, config)
		if err != nil {
			return nil, nil, err
		}
		take(r)
	}
	if last == nil || len(last.Candidates) != 1 || last.Candidates[0].FinishReason != genai.FinishReasonStop ||
		last.UsageMetadata == nil || last.UsageMetadata.TotalTokenCount <= 0 {
		return nil, nil, fmt.Errorf("no proper end: %+v", last)
	}
	return said, last.UsageMetadata, nil
}

// The loop of Google's SDK gives what that of Chat Completions gives.
func TestGeminiLoopIsTheSameThroughEveryKind(t *testing.T) {
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
			loop, err := runGeminiLoop(t.Context(), base, model, stream)
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
