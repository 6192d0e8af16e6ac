package fakeupstream

import (
	"net/http"
	"strings"
	"testing"
)

// What the real provider refuses is refused, and what is near to it is not.
func TestWhatTheProviderRefusesIsRefused(t *testing.T) {
	const hi = `"messages":[{"role":"user","content":"hi"}]`
	const claudeHi = hi + `,"max_tokens":2000`
	const tools = `,"tools":[{"name":"f","input_schema":{"type":"object"}}]`
	const turn = `{"role":"user","parts":[{"text":"hi"}]}`
	call := func(signature string) string {
		return `{"contents":[` + turn + `,{"role":"model","parts":[{"functionCall":{"name":"f","args":{"a":1}}` + signature + `}]},` +
			`{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"output":"x"}}}]}]}`
	}
	for _, c := range []struct {
		kind   Kind
		path   string // or the model
		body   string
		status int
		says   string
	}{
		{OpenAI, "", `{"model":"gpt-4.1","max_tokens":5,"temperature":0.2,` + hi + `}`, 200, ""},
		{OpenAI, "", `{"model":"gpt-5.5","max_tokens":5,` + hi + `}`, 400, "max_completion_tokens"},
		{OpenAI, "", `{"model":"gpt-5.5","max_completion_tokens":5,` + hi + `}`, 200, ""},
		{OpenAI, "", `{"model":"gpt-5.5","temperature":0.2,` + hi + `}`, 400, "temperature"},
		{OpenAI, "", `{"model":"gpt-5.5","reasoning_effort":"none","temperature":0.2,` + hi + `}`, 200, ""},
		{OpenAI, "", `{"model":"gpt-6-astra","reasoning_effort":"none",` + hi + `}`, 400, "none"},
		{OpenAI, "", `{"model":"gpt-5-chat-latest","temperature":0.2,` + hi + `}`, 200, ""},
		{OpenAI, "", `{"model":"m","stream_options":{"include_usage":true},` + hi + `}`, 400, "stream_options"},
		{OpenAI, "", `{"model":"m","response_format":{"type":"json_object"},` + hi + `}`, 400, "json"},
		{OpenAI, "", `{"model":"m","tool_choice":"required",` + hi + `}`, 400, "tool_choice"},
		{OpenAI, "", `{"model":"m","messages":[{"role":"tool","tool_call_id":"x","content":"y"}]}`, 400, "must follow"},
		{OpenAI, "", `{"messages":[]}`, 400, "model"},
		{OpenAIResponses, "", `{"model":"gpt-6-luna","input":"hi","max_output_tokens":50}`, 200, ""},
		{OpenAIResponses, "", `{"model":"gpt-6-luna","input":"hi","max_tokens":50}`, 400, "max_tokens"},
		{OpenAIResponses, "", `{"model":"gpt-6-luna","input":"hi","temperature":0.2}`, 400, "temperature"},
		{OpenAIResponses, "", `{"model":"gpt-4.1","input":"hi","temperature":0.2}`, 200, ""},
		{OpenAIResponses, "", `{"model":"gpt-4.1","input":"hi","reasoning":{"effort":"low"}}`, 400, "reasoning.effort"},
		{OpenAIResponses, "", `{"model":"gpt-4.1","input":"hi","include":["reasoning.encrypted_content"]}`, 400, "Encrypted"},
		{OpenAIResponses, "", `{"model":"m","input":"hi","previous_response_id":"resp_1"}`, 400, "not found"},
		{OpenAIResponses, "", `{"model":"m","input":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}`, 400, "input_text"},
		{OpenAIResponses, "", `{"model":"m","input":[{"role":"assistant","content":[{"type":"input_text","text":"hi"}]}]}`, 400, "output_text"},
		{OpenAIResponses, "", `{"model":"m","input":[{"type":"function_call_output","call_id":"a","output":"x"}]}`, 400, "must follow"},
		{OpenAIResponses, "", `{"model":"m","input":[{"role":"user","content":"a"},{"type":"function_call","call_id":"a","name":"f","arguments":"{}"}]}`, 400, "have none: a"},
		{OpenAIResponses, "", `{"model":"m","input":[{"role":"user","content":"a"},{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"x"},{"role":"user","content":"b"}]}`, 400, "required following item"},
		{OpenAIResponses, "", `{"model":"m","input":[{"role":"user","content":"a"},{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"x"},{"role":"assistant","content":"b"}]}`, 400, "verified"},
		{OpenAIResponses, "", `{"model":"m","input":[{"role":"user","content":"a"},{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"` + encrypted("", "m", "rs_1") + `"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}`, 200, ""},
		{OpenAIResponses, "", `{"model":"m","input":"hi","tools":[{"type":"function","function":{"name":"f"}}]}`, 400, "proper name"},
		{OpenAIResponses, "", `{"model":"m","input":"hi","text":{"format":{"type":"json_object"}}}`, 400, "json"},
		{DeepSeek, "", `{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}`, 400, "reasoning_content"},
		{DeepSeek, "", `{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b","reasoning_content":""},{"role":"user","content":"c"}]}`, 200, ""},
		{DeepSeek, "", `{"model":"m","thinking":{"type":"disabled"},"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}`, 200, ""},
		{DeepSeek, "", `{"model":"m","messages":[{"role":"developer","content":"a"}]}`, 422, "developer"},
		{Ollama, "", `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a"}]}]}`, 400, ""},
		{Ollama, "", `{"model":"m","messages":[{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}]}`, 400, "arguments"},
		{Anthropic, "", `{"model":"claude-sonnet-4-6",` + claudeHi + `,"temperature":0.5}`, 200, ""},
		{Anthropic, "", `{"model":"claude-sonnet-5-5",` + claudeHi + `,"temperature":0.5}`, 400, "temperature"},
		{Anthropic, "", `{"model":"claude-opus-4-7",` + claudeHi + `,"top_k":5}`, 400, "top_k"},
		{Anthropic, "", `{"model":"claude-haiku-4-5-20251001",` + claudeHi + `,"temperature":0.5}`, 200, ""},
		{Anthropic, "", `{"model":"claude-sonnet-4-6",` + hi + `}`, 400, "max_tokens: Field required"},
		{Anthropic, "", `{"model":"claude-sonnet-4-6",` + claudeHi + `,"frequency_penalty":1}`, 400, "Extra inputs"},
		{Anthropic, "", `{"model":"claude-sonnet-5-5",` + claudeHi + tools + `,"tool_choice":{"type":"any"}}`, 400, "tool_choice"},
		{Anthropic, "", `{"model":"claude-sonnet-5-5",` + claudeHi + `,"thinking":{"type":"enabled","budget_tokens":1024}}`, 400, "adaptive"},
		{Anthropic, "", `{"model":"claude-sonnet-4-6","max_tokens":9,"messages":[{"role":"user","content":" "}]}`, 400, "non-whitespace"},
		{Anthropic, "", `{"model":"claude-sonnet-4-6","max_tokens":9,"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}`, 400, "prefill"},
		{Anthropic, "", `{"model":"claude-sonnet-4-6","max_tokens":9,"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"text","text":"b"}]},{"role":"user","content":"c"}]}`, 400, "signature"},
		{Anthropic, "", `{"model":"claude-sonnet-4-6","max_tokens":9,"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"` + signature("claude-sonnet-4-6", "t") + `"},{"type":"text","text":"b"}]},{"role":"user","content":"c"}]}`, 200, ""},
		{Anthropic, "", `{"model":"claude-sonnet-4-6","max_tokens":9,"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"tool_use","id":"x","name":"f","input":{}}]},{"role":"user","content":"c"}]}`, 400, "have none: x"},
		{Gemini, "gemini-3.8-flash", call(""), 400, "thought_signature"},
		{Gemini, "gemini-3.8-flash", call(`,"thoughtSignature":"forged"`), 400, "Invalid thought signature"},
		{Gemini, "gemini-3.8-flash", call(`,"thoughtSignature":"` + skipSignature + `"`), 200, ""},
		{Gemini, "gemini-3.8-flash", call(`,"thoughtSignature":"` + callSignature("", "f", []byte(`{ "a": 1 }`)) + `"`), 200, ""},
		{Gemini, "gemini-2.5-flash", call(""), 200, ""},
		{Gemini, "gemini-3.8-flash", `{"contents":[` + turn + `],"max_tokens":5}`, 400, "max_tokens"},
		{Gemini, "gemini-3.8-flash", `{"contents":[` + turn + `],"generationConfig":{"thinkingConfig":{"thinkingBudget":5}}}`, 400, "thinking_level"},
		{Gemini, "gemini-3.8-flash", `{"contents":[` + turn + `],"tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{"type":"object","properties":{"pattern":{"type":"string","pattern":"x"}}}}]}]}`, 400, "pattern"},
		{Gemini, "gemini-3.8-flash", `{"contents":[` + turn + `],"tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{"type":"object","properties":{"pattern":{"type":"string"}}}}]}]}`, 200, ""},
		{Gemini, "gemini-3.8-flash", `{"contents":[{"role":"user","parts":[{"text":""}]}]}`, 400, "data"},
	} {
		s := start(t, Config{Kind: c.kind})
		path := map[Kind]string{OpenAI: "/v1/chat/completions", DeepSeek: "/chat/completions", Ollama: "/api/chat",
			Anthropic: "/v1/messages", OpenAIResponses: "/v1/responses", Gemini: "/v1beta/models/" + c.path + ":generateContent"}[c.kind]
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Anthropic-Version", "2023-06-01")
		status, body := do(t, req)
		if status != c.status || !strings.Contains(body, c.says) {
			t.Errorf("%v %s\n got %d %.300s\nwant %d %q", c.kind, c.body, status, body, c.status, c.says)
		}
	}
}

func TestKeysAreLookedAt(t *testing.T) {
	for kind, header := range map[Kind]string{OpenAI: "Authorization", OpenAIResponses: "Authorization", DeepSeek: "Authorization", Ollama: "Authorization",
		Anthropic: "X-Api-Key", Gemini: "X-Goog-Api-Key"} {
		s := start(t, Config{Kind: kind, Key: "k"})
		path := map[Kind]string{Ollama: "/api/tags", Gemini: "/v1beta/models"}[kind]
		if path == "" {
			path = "/v1/models"
		}
		for _, key := range []string{"k", "other"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set(header, map[bool]string{true: "Bearer " + key, false: key}[header == "Authorization"])
			status, body := do(t, req)
			want := map[bool]int{true: 200, false: 401}[key == "k"]
			if kind == Gemini && want == 401 {
				want = 400
			}
			if status != want || (want == 200) != strings.Contains(body, kind.String()+"-model") {
				t.Errorf("%v %q: %d %s", kind, key, status, body)
			}
		}
	}
}

func TestPromptsAreCounted(t *testing.T) {
	for kind, c := range map[Kind][3]string{
		Anthropic: {"/v1/messages/count_tokens", `{"model":"claude-sonnet-4-6","messages":[{"role":"user","content":"12345678"}]}`, `{"input_tokens":5}`},
		Gemini:    {"/v1beta/models/gemini-3.8-flash:countTokens", `{"contents":[{"role":"user","parts":[{"text":"12345678"}]}]}`, `{"totalTokens":5}`},
	} {
		s := start(t, Config{Kind: kind})
		if _, body, err := ask(t, t.Context(), s.URL()+c[0], c[1]); err != nil || body != c[2] {
			t.Errorf("%v: %s, %v; want %s", kind, body, err, c[2])
		}
	}
}
