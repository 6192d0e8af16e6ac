package main

import (
	"strings"
	"testing"
)

// What no price bounds is refused under a budget, in every format and before anybody is
// asked; the refusal names the field. A key without a budget may try.
func TestABudgetRefusesWhatNoPriceBounds(t *testing.T) {
	config, _ := allKinds(t)
	data := t.TempDir()
	key := func(args ...string) string {
		out := keysCmd(t, data, append([]string{"create"}, args...)...)
		return out[strings.LastIndexAny(out, " \n")+1:]
	}
	bounded, free := key("--alias", "bounded", "--budget", "100"), key("--alias", "free")
	base := serveGateway(t, config, nil, "--data-dir", data)
	const hi = `"messages":[{"role":"user","content":"hi"}]`
	for field, c := range map[string]struct{ path, body string }{
		"web_search_options":   {"/v1/chat/completions", `{"model":"openai/openai-model",` + hi + `,"web_search_options":{}}`},
		"service_tier":         {"/v1/chat/completions", `{"model":"openai/openai-model",` + hi + `,"service_tier":"priority"}`},
		"mcp_servers":          {"/v1/messages", `{"model":"anthropic/anthropic-model","max_tokens":9,` + hi + `,"mcp_servers":[{"type":"url","url":"https://example.com","name":"x"}]}`},
		"previous_response_id": {"/v1/responses", `{"model":"openai_responses/openai_responses-model","input":"hi","previous_response_id":"resp_1"}`},
		"tools":                {"/v1/responses", `{"model":"openai_responses/openai_responses-model","input":"hi","tools":[{"type":"file_search"}]}`},
		"cachedContent":        {"/v1beta/models/gemini/gemini-model:generateContent", `{"contents":[{"parts":[{"text":"hi"}]}],"cachedContent":"cachedContents/1"}`},
	} {
		status, text := postTo(t, base+c.path, c.body, "Authorization", "Bearer "+bounded)
		if status/100 != 4 || !strings.Contains(text, "may cost") || !strings.Contains(text, field) {
			t.Errorf("%s %s: %d %s", c.path, field, status, text)
		}
		if status, text = postTo(t, base+c.path, c.body, "Authorization", "Bearer "+free); strings.Contains(text, "may cost") {
			t.Errorf("%s %s, without a budget: %d %s", c.path, field, status, text)
		}
	}
}
