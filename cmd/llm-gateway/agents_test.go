package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gateway/internal/fakeupstream"
)

// agentTime is far more than an agent needs on a busy machine.
const agentTime = 3 * time.Minute

// job is one piece of work for one agent.
type job struct {
	packages string // the folder that the agents are installed in
	base     string // of the gateway
	model    string
	home     string            // empty, and the agent's alone
	work     string            // its working folder
	told     map[string]string // what README.md says to copy, by the client's name
	prompt   string
}

// realAgent is a program that works by itself with a model and tools of its own.
type realAgent struct {
	name string
	// command writes what the agent wants to find in its home, and says what to run there.
	command func(t *testing.T, j job) (argv, env []string)
}

// providersOfAgents are the providers of the shipped providers.json, one for each kind,
// and one of the kind that is not among them, with the model that an agent asks for.
var providersOfAgents = []struct {
	kind  fakeupstream.Kind
	model string
}{
	{fakeupstream.OpenAI, "openai/gpt-6-luna"},
	{fakeupstream.DeepSeek, "deepseek/deepseek-flash"},
	{fakeupstream.Anthropic, "anthropic/claude-haiku-5-5"},
	{fakeupstream.Gemini, "gemini/gemini-3.1-flash-lite"},
	{fakeupstream.Ollama, "ollama/qwen2.5-coder:14b"},
	{fakeupstream.OpenAIResponses, "openai_responses/gpt-5.1"},
}

// shippedProviders is the configuration that people start with.
const shippedProviders = "../../providers.json"

// onlyProvider runs the gateway with the shipped providers, of which one is there. Names
// of models that agents insist on are answered as told.
func onlyProvider(t *testing.T, kind fakeupstream.Kind, models map[string]string, script func(fakeupstream.Seen) fakeupstream.Step) (base string, server *fakeupstream.Server) {
	key := "the provider's"
	if kind == fakeupstream.Ollama {
		key = "" // it has none on one's own machine
	}
	server, err := fakeupstream.Start(fakeupstream.Config{Kind: kind, Key: key, Script: script})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	name := strings.ToUpper(kind.String())
	env := map[string]string{name + "_API_KEY": key, name + "_BASE_URL": server.Base()}
	if kind == fakeupstream.OpenAIResponses {
		return serveGateway(t, configFileWith(t, map[string]any{"model_map": models}, entry{name: kind.String(), url: server.URL(), price: 1,
			extras: map[string]any{"kind": "openai_responses", "env_key": name + "_API_KEY", "default_model": "gpt-5.1"}}), env), server
	}
	shipped, err := os.ReadFile(shippedProviders)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "providers.json")
	place(t, config, strings.Replace(string(shipped), "{", `{"model_map": `+string(encoded(models))+`,`, 1))
	return serveGateway(t, config, env), server
}

// Each agent writes a file by its own tools through the gateway and reads it back, over
// every kind of provider. They are installed by .ci/run, which names the folder.
func TestAgents(t *testing.T) {
	packages := agentsFolder(t)
	outside := refuseOutside(t)
	told := toldInReadme(t)
	for _, a := range realAgents {
		t.Run(a.name, func(t *testing.T) {
			for _, p := range providersOfAgents {
				t.Run(p.kind.String(), func(t *testing.T) {
					t.Parallel()
					work := t.TempDir()
					file := filepath.Join(work, "note.txt")
					base, server := onlyProvider(t, p.kind, nil, writesAndReads(file))
					j := job{packages: packages, base: base, model: p.model, home: t.TempDir(), work: work, told: told,
						prompt: "Write a note to " + file + " and read it back."}
					a.works(t, j, outside, server)
					if note, err := os.ReadFile(file); err != nil || string(note) != noteText {
						t.Errorf("the file: %q, %v; want %q", note, err, noteText)
					}
				})
			}
		})
	}
}

// askingOtherwise are agents that ask for models of their makers, and the end of the name of
// a tool that they then offer. Codex offers other tools to each of these: JavaScript as any
// text, in a namespace, or patches as any text.
var askingOtherwise = []struct{ name, agent, client, line, tool string }{
	{"claude-code", "claude-code", "Claude Code", "", "Write"},
	{"codex", "codex", "Codex", "", "exec"},
	{"codex, gpt-5.5", "codex", "Codex", `model = "gpt-5.5"` + "\n", "apply_patch"},
}

// Agents that ask for their makers' models work with whatever model_map gives them, over
// every kind of provider.
func TestAgentsByOtherNames(t *testing.T) {
	packages := agentsFolder(t)
	outside := refuseOutside(t)
	for _, asks := range askingOtherwise {
		told := toldInReadme(t)
		for _, line := range []string{" --model " + readmeModel, "model = \"" + readmeModel + "\"\n"} {
			told[asks.client] = strings.Replace(told[asks.client], line, asks.line, 1)
		}
		told[asks.client] = "# instead of " + readmeModel + "\n" + told[asks.client]
		agent := realAgents[slices.IndexFunc(realAgents, func(a realAgent) bool { return a.name == asks.agent })]
		t.Run(asks.name, func(t *testing.T) {
			for _, p := range providersOfAgents {
				t.Run(p.kind.String(), func(t *testing.T) {
					t.Parallel()
					work := t.TempDir()
					file := filepath.Join(work, "note.txt")
					var tools sync.Map
					base, server := onlyProvider(t, p.kind, map[string]string{"claude-*": p.model, "gpt-*": p.model}, func(seen fakeupstream.Seen) fakeupstream.Step {
						for _, tool := range seen.Tools {
							tools.Store(tool.Name, true)
						}
						return writesAndReads(file)(seen)
					})
					agent.works(t, job{packages: packages, base: base, home: t.TempDir(), work: work, told: told,
						prompt: "Write a note to " + file + " and read it back."}, outside, server)
					if note, err := os.ReadFile(file); err != nil || string(note) != noteText {
						t.Errorf("the file: %q, %v; want %q", note, err, noteText)
					}
					if !offered(&tools, asks.tool) {
						t.Errorf("no %s was offered", asks.tool)
					}
				})
			}
		})
	}
}

// offered says whether a tool with such an end of its name is there.
func offered(tools *sync.Map, end string) (is bool) {
	tools.Range(func(name, _ any) bool {
		is = strings.HasSuffix(name.(string), end)
		return !is
	})
	return is
}

// agentsFolder is where .ci/run installed the agents.
func agentsFolder(t *testing.T) string {
	packages := os.Getenv("GATEWAY_AGENTS")
	if packages == "" {
		t.Skip("GATEWAY_AGENTS is not set: .ci/run installs the agents and sets it")
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("the lock file names the agents' binaries for Linux on amd64 alone")
	}
	return packages
}

// works runs an agent to its end and wants the model's last words from it.
func (a realAgent) works(t *testing.T, j job, outside string, server *fakeupstream.Server) {
	argv, env := a.command(t, j)
	ctx, cancel := context.WithTimeout(t.Context(), agentTime)
	defer cancel()
	run := exec.CommandContext(ctx, argv[0], argv[1:]...)
	run.Dir = j.work
	run.Env = slices.Concat([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + j.home, "LANG=C.UTF-8", "TERM=dumb", "NO_COLOR=1", "CI=1",
		"HTTP_PROXY=" + outside, "HTTPS_PROXY=" + outside, "http_proxy=" + outside, "https_proxy=" + outside,
		"NO_PROXY=127.0.0.1,localhost", "no_proxy=127.0.0.1,localhost",
	}, env)
	var stdout, stderr bytes.Buffer
	run.Stdout, run.Stderr = &stdout, &stderr
	run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // with all that it starts
	run.Cancel = func() error { return syscall.Kill(-run.Process.Pid, syscall.SIGKILL) }
	run.WaitDelay = 5 * time.Second
	began := time.Now()
	err := run.Run()
	if err != nil || !strings.Contains(stdout.String(), readBack) {
		t.Errorf("%v: %v after %v\nstdout: %s\nstderr: %s\nprovider: %+v", argv, err, time.Since(began).Round(time.Second),
			tail(stdout.String()), tail(stderr.String()), server.Bill())
	}
}

func tail(text string) string { return text[max(0, len(text)-3000):] }

// refuseOutside is a proxy that lets nobody through, and whom agents asked it for.
func refuseOutside(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	asked := map[string]int{}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked[r.Host]++
		w.WriteHeader(http.StatusForbidden)
	})}
	done := make(chan struct{})
	go func() { // ends with Close
		defer close(done)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		server.Close()
		<-done
		if len(asked) > 0 {
			t.Log("hosts that agents were refused: ", fmt.Sprint(asked))
		}
	})
	return "http://" + listener.Addr().String()
}
