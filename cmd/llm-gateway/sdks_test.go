package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gateway/internal/fakeupstream"
)

// npmSDKs are the clients that applications are built on, by the names of their loops, with
// how each says why the two answers of a loop ended.
var npmSDKs = map[string][]string{
	"openaiChat": {"tool_calls", "stop"}, "openaiResponses": {"completed", "completed"}, "anthropic": {"tool_use", "end_turn"},
	"google": {"STOP", "STOP"}, "vercel": {"tool-calls", "stop"}, "langchain": {"tool_calls", "stop"},
}

// The same loop through each SDK of the vendors and two frameworks comes to the same,
// whoever is behind the gateway, streamed and not. They are installed with the agents.
func TestSDKs(t *testing.T) {
	packages := os.Getenv("GATEWAY_AGENTS")
	if packages == "" {
		t.Skip("GATEWAY_AGENTS is not set: .ci/run installs the SDKs and sets it")
	}
	config, names := allKinds(t)
	base := serveGateway(t, config, nil)
	var models []string
	for _, name := range names {
		models = append(models, name+"/"+name+"-model")
	}
	want, err := runToolLoop(t.Context(), base, models[0], false)
	if err != nil {
		t.Fatal(err)
	}
	for sdk, finishes := range npmSDKs {
		want := *want
		want.Finishes = finishes
		t.Run(sdk, func(t *testing.T) {
			run := exec.CommandContext(t.Context(), node(t, job{packages: packages}),
				slices.Concat([]string{filepath.Join(packages, "sdks.mjs"), sdk, base}, models)...)
			run.WaitDelay = time.Second
			var stderr strings.Builder
			run.Stderr = &stderr
			out, err := run.Output()
			if err != nil {
				t.Errorf("%v: %s", err, tail(stderr.String()))
			}
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			if len(lines) != 2*len(models) {
				t.Errorf("%d loops came to their end, want %d", len(lines), 2*len(models))
			}
			for _, line := range lines {
				var got struct {
					Model  string
					Stream bool
					toolLoop
				}
				if err := json.Unmarshal([]byte(line), &got); err != nil {
					t.Fatalf("%v: %s", err, line)
				}
				if have, wanted := string(encoded(got.toolLoop)), string(encoded(want)); have != wanted {
					t.Errorf("%s, stream %v:\n got %s\nwant %s", got.Model, got.Stream, have, wanted)
				}
			}
		})
	}
}

// What README.md tells users of an SDK to copy runs as it stands.
func TestReadmeSDKs(t *testing.T) {
	packages := os.Getenv("GATEWAY_AGENTS")
	if packages == "" {
		t.Skip("GATEWAY_AGENTS is not set: .ci/run installs the SDKs and sets it")
	}
	config, names := allKinds(t)
	j := job{packages: packages, base: serveGateway(t, config, nil), told: toldInReadme(t)}
	for _, sdk := range readmeSDKs {
		for _, name := range names {
			j.model = name + "/" + name + "-model"
			run := exec.CommandContext(t.Context(), node(t, j), "--input-type=module")
			run.Dir, run.WaitDelay = packages, time.Second
			run.Stdin = strings.NewReader(j.copied(t, sdk))
			var stderr strings.Builder
			run.Stderr = &stderr
			out, err := run.Output()
			if want := fakeupstream.Text("Hello", 0) + "\n"; err != nil || string(out) != want {
				t.Errorf("%s with %s: %v\n got %q\nwant %q\n%s", sdk, name, err, out, want, tail(stderr.String()))
			}
		}
	}
}
