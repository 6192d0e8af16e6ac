package api

import (
	"testing"

	"gateway"
)

// What may not be made twice is known for that before anybody is asked.
func TestWhatIsNeverRaced(t *testing.T) {
	for field, stateful := range map[string]bool{
		``: false, `,"store":true`: true, `,"store":false`: false, `,"background":true`: true, `,"previous_response_id":"r"`: true,
		`,"web_search_options":{}`: true, `,"audio":{"voice":"x","format":"wav"}`: true,
		`,"modalities":["text"]`: false, `,"modalities":["text","image"]`: true,
	} {
		var req gateway.Request
		body := `{"messages":[{"role":"user","content":"hi"}]` + field + `}`
		if err := scanChat([]byte(body), &req); err != nil || req.Stateful != stateful {
			t.Errorf("%s: stateful %v, %v", body, req.Stateful, err)
		}
	}
}
