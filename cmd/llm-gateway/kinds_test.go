package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"gateway/internal/fakeupstream"
)

// allKinds are one simulated provider of each, as entries of a providers.json.
func allKinds(t *testing.T) (config string, names []string) {
	t.Helper()
	var entries []entry
	for i, one := range []struct {
		kind fakeupstream.Kind
		wire string // kind in providers.json
		path string // of the base URL
	}{
		{fakeupstream.OpenAI, "openai_compatible", "/v1"}, {fakeupstream.DeepSeek, "openai_compatible", ""},
		{fakeupstream.Anthropic, "anthropic", "/v1"}, {fakeupstream.Gemini, "gemini", "/v1beta"}, {fakeupstream.Ollama, "ollama", ""},
		{fakeupstream.OpenAIResponses, "openai_responses", "/v1"},
	} {
		server, err := fakeupstream.Start(fakeupstream.Config{Kind: one.kind, AlwaysTools: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := server.Close(); err != nil {
				t.Error(err)
			}
		})
		name := one.kind.String()
		names = append(names, name)
		extras := map[string]any{"kind": one.wire, "base_url": server.URL() + one.path}
		if one.kind == fakeupstream.DeepSeek { // it thinks, and refuses a history that lost its reasoning
			extras["quirks"] = map[string]any{"thinking": true, "reasoning_back": true}
		}
		entries = append(entries, entry{name: name, price: float64(i + 1), extras: extras})
	}
	return configFile(t, entries...), names
}

// The same agent gets the same answers, whoever is behind the gateway.
func TestToolLoopIsTheSameThroughEveryKind(t *testing.T) {
	config, names := allKinds(t)
	base := serveGateway(t, config, nil)
	var want string
	for _, name := range names {
		for _, stream := range []bool{false, true} {
			loop, err := runToolLoop(t.Context(), base, name+"/"+name+"-model", stream)
			if err != nil {
				t.Errorf("%s, stream %v: %v", name, stream, err)
				continue
			}
			got, err := json.Marshal(loop)
			if err != nil {
				t.Fatal(err)
			}
			if want == "" {
				want = string(got)
				if len(loop.Calls) < 2 || loop.Text == "" {
					t.Errorf("%s: %s is no loop with two calls at once", name, got)
				}
			}
			if string(got) != want {
				t.Errorf("%s, stream %v:\n got %s\nwant %s", name, stream, got, want)
			}
		}
	}
}

// The npm SDK is installed by .ci/run, which names the folder in the environment.
func TestNpmSDK(t *testing.T) {
	folder := os.Getenv("GATEWAY_NPM_SDK")
	if folder == "" {
		t.Skip("GATEWAY_NPM_SDK is not set: .ci/run installs the SDK and sets it")
	}
	config, names := allKinds(t)
	base := serveGateway(t, config, nil)
	want := ""
	for _, name := range names {
		run := exec.CommandContext(t.Context(), "node", filepath.Join(folder, "loop.mjs"), base+"/v1", name+"/"+name+"-model")
		out, err := run.Output()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if want == "" {
			want = string(out)
		}
		if string(out) != want {
			t.Errorf("%s:\n got %s\nwant %s", name, out, want)
		}
	}
}
