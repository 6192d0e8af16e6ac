package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"gateway/internal/fakeupstream"
)

// The simulated provider is as strict about tool calls and their results as the real
// one, so a history that does not fit together would be refused.
func TestSwarmHoldsConversations(t *testing.T) {
	for name, always := range map[string]bool{"the model calls tools": true, "it calls none": false} {
		t.Run(name, func(t *testing.T) {
			server, err := fakeupstream.Start(fakeupstream.Config{Kind: fakeupstream.OpenAI, AlwaysTools: always})
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			file := filepath.Join(t.TempDir(), "r.json")
			var out bytes.Buffer
			err = run(t.Context(), []string{"swarm", "--url", server.URL(), "--model", "m", "--agents", "4", "--turns", "4", "--think", "5ms", "--for", "1s",
				"--tools", "0.7", "--json", file}, &out)
			if err != nil {
				t.Fatalf("%v\n%s", err, out.String())
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var r result
			if err := json.Unmarshal(data, &r); err != nil {
				t.Fatal(err)
			}
			if len(r.Runs) != 5 || r.Runs[4].Answered == 0 || r.Runs[0].Failed != 0 {
				t.Errorf("fourth turns: %d answered; all: %d failed, %v", r.Runs[4].Answered, r.Runs[0].Failed, r.Runs[0].Failures)
			}
			largest := 0
			for _, bill := range server.Bill() {
				largest = max(largest, bill.Usage.Prompt)
			}
			if largest < 1500 {
				t.Errorf("the largest prompt had %d tokens; histories do not grow", largest)
			}
		})
	}
}
