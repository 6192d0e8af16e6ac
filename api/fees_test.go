package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gateway"
)

// What costs more than its tokens, and what makes a prompt longer than its body, is known
// by the name of its field, in each format.
func TestWhatNoPriceBounds(t *testing.T) {
	scans := map[string]struct {
		start string
		scan  func(body []byte, req *gateway.Request) *gateway.Error
	}{
		"chat": {`{"messages":[{"role":"user","content":"hi"}]`, scanChat},
		"messages": {`{"max_tokens":9,"messages":[{"role":"user","content":"hi"}]`, func(b []byte, req *gateway.Request) *gateway.Error {
			return scanMessagesBody(&http.Request{Header: http.Header{}}, b, req)
		}},
		"responses": {`{"model":"openai/x"`, func(b []byte, req *gateway.Request) *gateway.Error {
			return scanResponses(b, req, func(*gateway.Request) bool { return true })
		}},
		"gemini": {`{"contents":[{"parts":[{"text":"hi"}]}]`, func(b []byte, req *gateway.Request) *gateway.Error {
			return scanGemini(httptest.NewRequest("POST", geminiPath, nil), b, req)
		}},
	}
	for format, fields := range map[string]map[string][2]string{ // field: Fees, Kept
		"chat": {
			``: {}, `"service_tier":"auto"`: {}, `"service_tier":"flex"`: {}, `"service_tier":"priority"`: {"service_tier"}, `"service_tier":null`: {},
			`"web_search_options":{}`: {"web_search_options"}, `"enable_search":false`: {}, `"enable_search":true`: {"enable_search"}, `"plugins":[]`: {},
			`"plugins":[{"id":"web"}]`: {"plugins"}, `"modalities":["text"]`: {}, `"modalities":["text","audio"]`: {"modalities"},
			`"tools":[{"type":"function","function":{"name":"f"}}]`: {}, `"tools":[{"type":"web_search"}]`: {"tools"},
			`"service_tier":"on_demand"`: {}, `"service_tier":"performance"`: {"service_tier"},
			`"search_parameters":{"mode":"off"}`: {}, `"search_parameters":{"mode":"auto"}`: {"search_parameters"}, `"search_parameters":{}`: {"search_parameters"},
			`"web_search":{"enable":false}`: {}, `"web_search":{"enabled":false}`: {}, `"web_search":{"enable":true}`: {"web_search"},
			`"web_search":false`: {}, `"web_search":{"enable":true,"enabled":false}`: {"web_search"}, `"prediction":{"enabled":false}`: {"prediction"},
			`"previous_response_id":"r"`: {"", "previous_response_id"}, `"prediction":{"type":"content","content":"x"}`: {"prediction"},
		},
		"messages": {
			``: {}, `"service_tier":"standard_only"`: {}, `"speed":"fast"`: {"speed"}, `"speed":"standard"`: {}, `"inference_geo":"us"`: {"inference_geo"},
			`"mcp_servers":[]`: {}, `"mcp_servers":[{"type":"url","url":"https://x","name":"x"}]`: {"mcp_servers"}, `"container":"c"`: {"container"},
			`"tools":[{"type":"web_search_20250305","name":"web_search"}]`: {"tools"}, `"tools":[{"type":"bash_20250124","name":"bash"}]`: {},
			`"tools":[{"name":"f","input_schema":{}}]`: {}, `"context_management":{"edits":[{"type":"clear_tool_uses_20250919"}]}`: {},
			`"context_management":{"edits":[{"type":"compact_20260112"}]}`:                      {"context_management"},
			`"system":[{"type":"document","source":{"type":"file","file_id":"f"}}]`:             {"", "file"},
			`"system":[{"type":"text","text":"be brief","cache_control":{"type":"ephemeral"}}]`: {},
		},
		"responses": {
			`"input":"hi"`: {}, `"input":"hi","previous_response_id":"r"`: {"", "previous_response_id"}, `"conversation":"c","input":"hi"`: {"", "conversation"},
			`"prompt":{"id":"p"}`: {"prompt"}, `"input":"hi","background":true`: {"background"}, `"input":"hi","background":false`: {},
			`"input":[{"type":"item_reference","id":"i"}]`: {"", "input"}, `"input":[{"type":"reasoning","id":"rs_1","summary":[]}]`: {"", "input"},
			`"input":[{"type":"reasoning","id":"rs_1","encrypted_content":"gAAA","summary":[]}]`: {}, `"input":"hi","tools":[{"type":"file_search"}]`: {"tools"},
			`"input":"hi","tools":[{"type":"function","name":"f"},{"type":"web_search"}]`: {"tools"}, `"input":"hi","tools":[{"type":"custom","name":"f"}]`: {},
			`"input":[{"type":"additional_tools","tools":[{"type":"code_interpreter"}]}]`: {"tools"}, `"input":"hi","service_tier":"priority"`: {"service_tier"},
		},
		"gemini": {
			``: {}, `"tools":[{"functionDeclarations":[{"name":"f"}]}]`: {}, `"tools":[{"googleSearch":{}}]`: {"tools"}, `"tools":[{"code_execution":{}}]`: {"tools"},
			`"cachedContent":"cachedContents/1"`: {"", "cachedContent"}, `"serviceTier":"SERVICE_TIER_STANDARD"`: {}, `"serviceTier":"priority"`: {"serviceTier"},
			`"generationConfig":{"responseModalities":["TEXT"]}`: {}, `"generationConfig":{"responseModalities":["IMAGE"]}`: {"generationConfig"},
			`"systemInstruction":{"parts":[{"fileData":{"fileUri":"x"}}]}`: {"fileData"},
		},
	} {
		scan := scans[format]
		for field, want := range fields {
			var req gateway.Request
			body := strings.TrimSuffix(scan.start+","+field, ",") + "}"
			if err := scan.scan([]byte(body), &req); err != nil || req.Fees != want[0] || req.Kept != want[1] {
				t.Errorf("%s %s: fees %q, kept %q, %v; want %q", format, body, req.Fees, req.Kept, err, want)
			}
		}
	}
}
