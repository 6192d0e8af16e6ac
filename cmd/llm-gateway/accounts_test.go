package main

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tidwall/gjson"

	"gateway/internal/fakeupstream"
)

// Two accounts at OpenAI have the same model, and each can decrypt its own reasoning only.
// A tool loop of the Responses API stays where it began though the other is cheaper; when
// that one is gone, the other goes on without the reasoning and the receipt says so.
func TestLoopOfResponsesStaysWithItsAccount(t *testing.T) {
	var entries []entry
	var down atomic.Bool
	env := map[string]string{}
	for i, name := range []string{"cheap", "dear"} {
		server, err := fakeupstream.Start(fakeupstream.Config{Kind: fakeupstream.OpenAIResponses, Key: "key-of-" + name, AlwaysTools: true,
			Script: func(fakeupstream.Seen) fakeupstream.Step {
				if name == "dear" && down.Load() {
					return fakeupstream.Step{Fault: fakeupstream.NoModel}
				}
				return fakeupstream.Step{}
			}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { server.Close() })
		entries = append(entries, entry{name: name, url: server.URL(), price: float64(i + 1),
			extras: map[string]any{"kind": "openai_responses", "default_model": "gpt-5.1", "env_key": strings.ToUpper(name) + "_KEY"}})
		env[strings.ToUpper(name)+"_KEY"] = "key-of-" + name
	}
	base := serveGateway(t, configFile(t, entries...), env)
	input := `{"role":"user","content":"the weather?"}`
	ask := func(model string) (output gjson.Result, by, downgrade string) {
		t.Helper()
		status, got := postTo(t, base+"/v1/responses", `{"model":"`+model+`","store":false,"include":["reasoning.encrypted_content"],"input":[`+input+`],`+
			`"tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}]}`, "x-gateway-receipt", "1")
		if status != 200 {
			t.Fatalf("%s: %d %s", model, status, got)
		}
		last := gjson.Get(got, "gateway.attempts.@reverse.0")
		return gjson.Get(got, "output"), last.Get("provider").Str, last.Get("downgrade").Str
	}
	output, _, _ := ask("dear/gpt-5.1")
	for _, item := range output.Array() {
		input += "," + item.Raw
		if id := item.Get("call_id").Str; id != "" {
			input += fmt.Sprintf(`,{"type":"function_call_output","call_id":%q,"output":"rain"}`, id)
		}
	}
	if !strings.Contains(input, "encrypted_content") || !strings.Contains(input, "function_call_output") {
		t.Fatalf("the first answer has no reasoning or no call: %s", output.Raw)
	}
	if _, by, downgrade := ask("gpt-5.1"); by != "dear" || downgrade != "" {
		t.Errorf("the loop went on at %s: %q", by, downgrade)
	}
	down.Store(true)
	if _, by, downgrade := ask("gpt-5.1"); by != "cheap" || downgrade != "the reasoning of earlier turns was refused and left out" {
		t.Errorf("without its account the loop went on at %s: %q", by, downgrade)
	}
}
