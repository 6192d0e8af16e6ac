package fakeupstream

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"testing"
)

// The fixture's request for a token count is taken, and answered in the fixture's shape.
func TestCountTokensFixture(t *testing.T) {
	request, err := os.ReadFile("testdata/count/count_tokens.request.json")
	if err != nil {
		t.Fatal(err)
	}
	answer, err := os.ReadFile("testdata/count/count_tokens.response.json")
	if err != nil {
		t.Fatal(err)
	}
	server, err := Start(Config{Kind: Anthropic})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	req, err := http.NewRequest(http.MethodPost, server.URL()+"/v1/messages/count_tokens", bytes.NewReader(request))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("x-api-key", "key")
	req.Header.Set("anthropic-version", "2023-06-01")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got, want map[string]int
	if err := json.Unmarshal(answer, &want); err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || len(got) != len(want) || got["input_tokens"] < 10 {
		t.Errorf("%d %v, %v; want the shape of %v", resp.StatusCode, got, err, want)
	}
}
