package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"
	"google.golang.org/genai"

	"gateway/internal/fakeupstream"
)

// turn is what an agent makes of one answer.
type turn struct {
	calls           []toolCall
	ids             []string
	text            string
	in, cached, out int64
}

// conversation is an agent's side of a session in one format.
type conversation interface {
	// ask says something and gives the answer; with results, those of the calls before.
	ask(ctx context.Context, base, say string, results []string, stream bool) (*turn, error)
}

// wiretap passes everything on to a provider and keeps it.
type wiretap struct {
	mu       sync.Mutex
	requests []string
	answers  []*bytes.Buffer
}

func (w *wiretap) serve(t *testing.T, to string) string {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.FlushInterval = -1
	proxy.ModifyResponse = func(resp *http.Response) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		said := &bytes.Buffer{}
		w.answers = append(w.answers, said)
		body := resp.Body
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.TeeReader(body, said), body}
		return nil
	}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		w.mu.Lock()
		w.requests = append(w.requests, string(body))
		w.mu.Unlock()
		proxy.ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

var (
	anthropicState = regexp.MustCompile(`"signature":"([^"]+)"`)
	geminiState    = regexp.MustCompile(`"thoughtSignature":"([^"]+)"`)
	// In Messages a signature behind the last text is left out, since Claude Code takes the
	// last block for the answer: the gateway that streamed it remembers it by the text.
	geminiCalls   = regexp.MustCompile(`"thoughtSignature":"([^"]+)","functionCall"`)
	openAIState   = regexp.MustCompile(`"encrypted_content":"([^"]+)"`)
	deepSeekState = regexp.MustCompile(`"reasoning_content":("(?:[^"\\]|\\.)*")`)
)

// stateOf is what a provider wants back of an answer, as it stands in a request.
func stateOf(t *testing.T, kind fakeupstream.Kind, gemini *regexp.Regexp, answer string) []string {
	t.Helper()
	var out []string
	switch kind {
	case fakeupstream.Anthropic, fakeupstream.Gemini, fakeupstream.OpenAIResponses:
		re := map[fakeupstream.Kind]*regexp.Regexp{
			fakeupstream.Anthropic: anthropicState, fakeupstream.Gemini: gemini, fakeupstream.OpenAIResponses: openAIState}[kind]
		for _, m := range re.FindAllStringSubmatch(answer, -1) {
			out = append(out, m[1])
		}
	case fakeupstream.DeepSeek:
		thought := ""
		for _, m := range deepSeekState.FindAllStringSubmatch(answer, -1) {
			var piece string
			if err := json.Unmarshal([]byte(m[1]), &piece); err != nil {
				t.Fatal(err)
			}
			thought += piece
		}
		if thought != "" {
			out = append(out, thought)
		}
	}
	return out
}

// handsBack says whether a request's body has a text in one of its strings.
func handsBack(t *testing.T, body, text string) bool {
	t.Helper()
	var any any
	if err := json.Unmarshal([]byte(body), &any); err != nil {
		t.Fatal(err)
	}
	return inside(any, text)
}

func inside(v any, text string) bool {
	switch v := v.(type) {
	case string:
		return v == text
	case []any:
		return slices.ContainsFunc(v, func(one any) bool { return inside(one, text) })
	case map[string]any:
		for _, one := range v {
			if inside(one, text) {
				return true
			}
		}
	}
	return false
}

// An agent's session of 50 turns, 25 questions with two calls at once and an answer
// each: no call is lost, none made twice, every state comes back as it was, and the
// tokens are those that the provider counted. Each turn goes to another gateway than the
// one before, so that all state must travel through the client, where its format can
// carry it.
func TestSessionsOfFiftyTurns(t *testing.T) {
	for _, format := range []struct {
		name   string
		make   func(model string) conversation
		gemini *regexp.Regexp // what is handed back to Gemini
		// stays: all turns go to one gateway, which must remember what the format has no place
		// for: in Messages Gemini's signatures of texts, in Chat Completions the state of calls.
		stays, ofCalls bool
	}{
		{"messages", newMessagesTalk, geminiCalls, false, false},
		{"messages-one-gateway", newMessagesTalk, geminiState, true, false},
		{"responses", newResponsesTalk, geminiState, false, false},
		{"gemini", newGeminiTalk, geminiState, false, false},
		{"chat", newChatTalk, geminiState, true, true},
	} {
		for _, one := range []struct {
			kind        fakeupstream.Kind
			wire, path  string
			model       string
			remembering bool // it wants state back
		}{
			{fakeupstream.OpenAI, "openai_compatible", "/v1", "gpt-4o-mini", false},
			{fakeupstream.DeepSeek, "openai_compatible", "", "deepseek-flash", true},
			{fakeupstream.Anthropic, "anthropic", "/v1", "claude-opus-4-7", true},
			{fakeupstream.Gemini, "gemini", "/v1beta", "gemini-3.8-flash", true},
			{fakeupstream.Ollama, "ollama", "", "qwen3", false},
			{fakeupstream.OpenAIResponses, "openai_responses", "/v1", "gpt-6-luna", true},
		} {
			t.Run(format.name+"/"+one.kind.String(), func(t *testing.T) {
				t.Parallel()
				upstream, err := fakeupstream.Start(fakeupstream.Config{Kind: one.kind, AlwaysTools: true})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() {
					if err := upstream.Close(); err != nil {
						t.Error(err)
					}
				})
				tap := &wiretap{}
				extras := map[string]any{"kind": one.wire, "base_url": tap.serve(t, upstream.URL()) + one.path, "default_model": one.model}
				if one.kind == fakeupstream.DeepSeek {
					extras["quirks"] = map[string]any{"thinking": true, "reasoning_back": true}
				}
				config := configFile(t, entry{name: "p", price: 1, extras: extras})
				bases := []string{serveGateway(t, config, nil)}
				if !format.stays {
					bases = append(bases, serveGateway(t, config, nil))
				}
				talk := format.make("p/" + one.model)
				var kept []string
				for i := range 50 {
					say, results := fmt.Sprintf("Question %d: what is the weather in Paris and in Rome? Use the tool for both.", i/2), []string(nil)
					if i%2 == 1 {
						say, results = "", []string{fmt.Sprintf(`{"temperature_c":%d}`, i), fmt.Sprintf(`{"temperature_c":%d}`, -i)}
					}
					got, err := talk.ask(t.Context(), bases[i%len(bases)], say, results, i%4 < 2)
					if err != nil {
						t.Fatalf("turn %d: %v", i, err)
					}
					if want := 2 * (1 - i%2); len(got.calls) != want || i%2 == 1 && !strings.Contains(got.text, fmt.Sprintf(`{"temperature_c":%d}`, -i)) {
						t.Fatalf("turn %d: %d calls, text %q", i, len(got.calls), got.text)
					}
					bills := upstream.Bill()
					for wait := 0; len(bills) <= i && wait < 100; wait++ { // a whole answer may be read before it is billed
						time.Sleep(time.Millisecond)
						bills = upstream.Bill()
					}
					if n := upstream.Counts().Requests; n != i+1 || len(bills) != n {
						t.Fatalf("turn %d: the provider was asked %d times", i, n)
					}
					if u := bills[i].Usage; int64(u.Prompt) != got.in || int64(u.Output) != got.out || int64(u.Cached) != got.cached && one.kind != fakeupstream.Ollama { // which does not tell
						t.Errorf("turn %d: %d tokens in, %d of them cached, %d out; the provider charges %+v", i, got.in, got.cached, got.out, u)
					}
					for _, state := range kept {
						if !handsBack(t, tap.requests[i], state) {
							t.Fatalf("turn %d: the provider was not given back %.60q", i, state)
						}
					}
					if len(got.calls) > 0 || !format.ofCalls { // a loop that is over needs no state
						kept = append(kept, stateOf(t, one.kind, format.gemini, tap.answers[i].String())...)
					}
				}
				if one.remembering && len(kept) < 25 {
					t.Errorf("the provider wanted only %d states back: this test saw nothing", len(kept))
				}
			})
		}
	}
}

type responsesTalk struct {
	params responses.ResponseNewParams
	input  responses.ResponseInputParam
	ids    []string
}

func newResponsesTalk(model string) conversation {
	return &responsesTalk{params: responses.ResponseNewParams{
		Model: model, Reasoning: shared.ReasoningParam{Effort: shared.ReasoningEffortLow},
		Include: []responses.ResponseIncludable{responses.ResponseIncludableReasoningEncryptedContent},
		Tools: []responses.ToolUnionParam{{OfFunction: &responses.FunctionToolParam{Name: "get_weather",
			Parameters: map[string]any{"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}, "required": []string{"city"}}}}},
	}}
}

func (r *responsesTalk) ask(ctx context.Context, base, say string, results []string, stream bool) (*turn, error) {
	client := openai.NewClient(option.WithBaseURL(base+"/v1"), option.WithAPIKey("none"), option.WithMaxRetries(0))
	if say != "" {
		r.input = append(r.input, responses.ResponseInputItemParamOfMessage(say, responses.EasyInputMessageRoleUser))
	}
	for i, text := range results {
		result := responses.ResponseInputItemParamOfFunctionCallOutput(text)
		result.OfFunctionCallOutput.CallID = openai.String(r.ids[i])
		r.input = append(r.input, result)
	}
	r.params.Input = responses.ResponseNewParamsInputUnion{OfInputItemList: r.input}
	answer, err := respond(ctx, &client, r.params, stream)
	if err != nil {
		return nil, err
	}
	u := answer.Usage
	out := &turn{text: answer.OutputText(), in: u.InputTokens, cached: u.InputTokensDetails.CachedTokens, out: u.OutputTokens}
	r.ids = nil
	for _, item := range answer.Output {
		r.input = append(r.input, param.Override[responses.ResponseInputItemUnionParam](json.RawMessage(item.RawJSON())))
		if item.Type == "function_call" {
			out.calls = append(out.calls, toolCall{item.Name, json.RawMessage(item.Arguments.OfString)})
			r.ids = append(r.ids, item.CallID)
		}
	}
	return out, nil
}

type geminiTalk struct {
	model    string
	contents []*genai.Content
	config   *genai.GenerateContentConfig
	calls    []*genai.FunctionCall
}

func newGeminiTalk(model string) conversation {
	return &geminiTalk{model: model, config: &genai.GenerateContentConfig{
		ThinkingConfig: &genai.ThinkingConfig{ThinkingLevel: genai.ThinkingLevelLow},
		Tools: []*genai.Tool{{FunctionDeclarations: []*genai.FunctionDeclaration{{Name: "get_weather",
			ParametersJsonSchema: map[string]any{"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}, "required": []string{"city"}}}}}},
	}}
}

func (g *geminiTalk) ask(ctx context.Context, base, say string, results []string, stream bool) (*turn, error) {
	client, err := geminiClient(ctx, base, "none")
	if err != nil {
		return nil, err
	}
	if say != "" {
		g.contents = append(g.contents, genai.NewContentFromText(say, genai.RoleUser))
	}
	var parts []*genai.Part
	for i, text := range results {
		var response map[string]any
		if err := json.Unmarshal([]byte(text), &response); err != nil {
			return nil, err
		}
		result := genai.NewPartFromFunctionResponse(g.calls[i].Name, response)
		result.FunctionResponse.ID = g.calls[i].ID
		parts = append(parts, result)
	}
	if parts != nil {
		g.contents = append(g.contents, &genai.Content{Role: genai.RoleUser, Parts: parts})
	}
	said, usage, err := generateCounted(ctx, client, g.model, g.contents, g.config, stream)
	if err != nil {
		return nil, err
	}
	g.contents, g.calls = append(g.contents, said), nil
	out := &turn{in: int64(usage.PromptTokenCount), cached: int64(usage.CachedContentTokenCount), out: int64(usage.CandidatesTokenCount + usage.ThoughtsTokenCount)}
	for _, p := range said.Parts {
		if p.FunctionCall == nil {
			out.text += p.Text
			continue
		}
		arguments, err := json.Marshal(p.FunctionCall.Args)
		if err != nil {
			return nil, err
		}
		out.calls = append(out.calls, toolCall{p.FunctionCall.Name, arguments})
		g.calls = append(g.calls, p.FunctionCall)
	}
	return out, nil
}
