package api

import (
	"strings"
	"testing"

	"gateway"
)

// What may not be made twice is known for that before anybody is asked.
func TestWhatIsNeverRaced(t *testing.T) {
	for field, stateful := range map[string]bool{
		``: false, `,"store":true`: true, `,"store":false`: false, `,"background":true`: true, `,"previous_response_id":"r"`: true,
		`,"web_search_options":{}`: true, `,"audio":{"voice":"x","format":"wav"}`: true,
		`,"modalities":["text"]`: false, `,"modalities":["text","image"]`: true,
		`,"seed":7`: false, `,"seed":null`: false,
	} {
		var req gateway.Request
		body := `{"messages":[{"role":"user","content":"hi"}]` + field + `}`
		if err := scanChat([]byte(body), &req); err != nil || req.Stateful != stateful {
			t.Errorf("%s: stateful %v, %v", body, req.Stateful, err)
		}
		if req.Seeded != strings.Contains(field, `"seed":7`) {
			t.Errorf("%s: seeded %v", body, req.Seeded)
		}
	}
}
