package main

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
)

// Counting tokens asks a provider that can count, and marks an estimate as one.
func TestCountTokensThroughEveryKind(t *testing.T) {
	config, names := allKinds(t)
	base := serveGateway(t, config, nil)
	client := anthropic.NewClient(option.WithBaseURL(base), option.WithAPIKey("none"), option.WithMaxRetries(0), option.WithHTTPClient(newClient(t)))
	for _, name := range names {
		var resp *http.Response
		count, err := client.Messages.CountTokens(t.Context(), anthropic.MessageCountTokensParams{
			Model:    anthropic.Model(name + "/" + name + "-model"),
			Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(weatherQuestion))},
		}, option.WithResponseInto(&resp))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := "estimated"
		if name == "anthropic" {
			want = "counted"
		}
		if how := resp.Header.Get("X-Gateway-Token-Count"); how != want || count.InputTokens < 5 || count.InputTokens > 100 {
			t.Errorf("%s: %d tokens, %s; want them %s", name, count.InputTokens, how, want)
		}
	}
	_, err := client.Messages.CountTokens(t.Context(), anthropic.MessageCountTokensParams{Model: "anthropic/anthropic-model"})
	var refused *anthropic.Error
	if !errors.As(err, &refused) || refused.StatusCode != http.StatusBadRequest || refused.Type() != "invalid_request_error" {
		t.Errorf("a request without messages: %v", err)
	}
}

// Anthropic's SDK reads the list of models page by page and asks for one.
func TestModelsForAnthropicsSDK(t *testing.T) {
	config, names := allKinds(t)
	base := serveGateway(t, config, nil)
	client := anthropic.NewClient(option.WithBaseURL(base), option.WithAPIKey("none"), option.WithMaxRetries(0), option.WithHTTPClient(newClient(t)))
	pages := client.Models.ListAutoPaging(t.Context(), anthropic.ModelListParams{Limit: anthropic.Int(2)})
	seen := map[string]bool{}
	for pages.Next() {
		m := pages.Current()
		if seen[m.ID] || m.DisplayName == "" || m.CreatedAt.IsZero() {
			t.Errorf("%+v", m)
		}
		seen[m.ID] = true
	}
	if err := pages.Err(); err != nil || len(seen) != len(names)+1 || !seen["auto"] || !seen["gemini/gemini-model"] {
		t.Errorf("%v, %v", seen, err)
	}
	if m, err := client.Models.Get(t.Context(), "gemini/gemini-model", anthropic.ModelGetParams{}); err != nil || m.ID != "gemini/gemini-model" {
		t.Errorf("%+v, %v", m, err)
	}
	resp, err := newClient(t).Head(base + "/")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", resp, err)
	}
	resp.Body.Close()
}

// A tool that runs at Anthropic goes there, wherever the cheapest provider is, and is
// refused in words where none can be asked.
func TestServerToolsGoToTheirMaker(t *testing.T) {
	config, _ := allKinds(t)
	base := serveGateway(t, config, nil)
	client := anthropic.NewClient(option.WithBaseURL(base), option.WithAPIKey("none"), option.WithMaxRetries(0), option.WithHTTPClient(newClient(t)))
	ask := func(model string) (*anthropic.Message, *http.Response, error) {
		var resp *http.Response
		m, err := client.Messages.New(t.Context(), anthropic.MessageNewParams{
			Model: anthropic.Model(model), MaxTokens: 1000,
			Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("What is new?"))},
			Tools:    []anthropic.ToolUnionParam{{OfWebSearchTool20250305: &anthropic.WebSearchTool20250305Param{}}},
		}, option.WithResponseInto(&resp))
		return m, resp, err
	}
	if _, resp, err := ask("auto"); err != nil || resp.Header.Get("X-Gateway-Provider") != "anthropic" {
		t.Errorf("%v, by %s", err, resp.Header.Get("X-Gateway-Provider"))
	}
	_, _, err := ask("deepseek/deepseek-model")
	var refused *anthropic.Error
	if !errors.As(err, &refused) || refused.StatusCode != http.StatusBadRequest || !strings.Contains(refused.RawJSON(), "web_search") || !strings.Contains(refused.RawJSON(), "kind anthropic") {
		t.Errorf("a provider that cannot: %v", err)
	}
}
