package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// rig is the processes that a comparison needs, each on a free port of loopback.
type rig struct {
	folder  string        // for what the gateway writes
	binary  string        // of the gateway; "": it is built
	sync    string        // what the gateway's ledger waits for
	ttft    time.Duration // the provider's
	tls     bool          // the provider speaks TLS, and HTTP/2 where that is asked for
	running []*process

	flags []string // more of them, for the gateway
	env   []string
	group *cgroup // that the gateway runs in; nil: ours

	certificates *certificates // of the provider, once there is one that speaks TLS
}

// stop ends what was started, the last first.
func (r *rig) stop() {
	for i := len(r.running) - 1; i >= 0; i-- {
		r.running[i].stop()
	}
	r.running = nil
}

func (r *rig) start(ctx context.Context, env []string, name string, args ...string) (*process, error) {
	p, err := start(ctx, env, name, args...)
	if err == nil {
		r.running = append(r.running, p)
	}
	return p, err
}

// upstream starts the provider.
func (r *rig) upstream(ctx context.Context) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{"upstream", "-ttft", r.ttft.String()}
	if r.tls {
		if r.certificates == nil {
			if r.certificates, err = newCertificates(r.folder); err != nil {
				return nil, err
			}
			if err := r.certificates.trust(); err != nil {
				return nil, err
			}
		}
		args = append(args, "-certificate", r.certificates.server, "-key", r.certificates.key)
	}
	return r.start(ctx, os.Environ(), self, args...)
}

// protocol says how the provider is called, where that is not the usual way.
func (r *rig) protocol() string {
	if r.tls {
		return ", the provider called over TLS and HTTP/2"
	}
	return ""
}

// floor starts the bare handler before it.
func (r *rig) floor(ctx context.Context, upstream *process) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return r.start(ctx, os.Environ(), self, "floor", "-upstream", upstream.base)
}

// benchKey is the client key that the gateway asks for.
const benchKey = "bench-client-key"

// Three providers, so that there is something to route and to hedge to; all of them are
// the one upstream.
const benchProviders = `{
  "providers": {
    "first": {"kind": "openai_compatible", "env_key": "BENCH_API_KEY", "base_url": %[1]q, "default_model": "bench-model",
      "models": [
        {"name": "bench-model", "pricing": {"input_usd_per_mtok": 0.1, "output_usd_per_mtok": 0.4}},
        {"name": "bench-streamed", "stream_upstream": "true", "pricing": {"input_usd_per_mtok": 0.1, "output_usd_per_mtok": 0.4}}]},
    "second": {"kind": "openai_compatible", "env_key": "BENCH_API_KEY", "base_url": %[1]q, "default_model": "bench-model",
      "pricing": {"input_usd_per_mtok": 0.2, "output_usd_per_mtok": 0.8}},
    "third": {"kind": "openai_compatible", "env_key": "BENCH_API_KEY", "base_url": %[1]q, "default_model": "bench-model",
      "pricing": {"input_usd_per_mtok": 0.3, "output_usd_per_mtok": 1.2}}
  },
  "auto_priority": ["first", "second", "third"]
}
`

// build makes the gateway's binary, if none was named.
func (r *rig) build(ctx context.Context) error {
	if r.binary != "" {
		return nil
	}
	binary := filepath.Join(r.folder, "llm-gateway")
	build := exec.CommandContext(ctx, "go", "build", "-tags", "nomsgpack", "-o", binary, "gateway/cmd/llm-gateway")
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the gateway: %w\n%s", err, text)
	}
	r.binary = binary
	return nil
}

// gateway starts the gateway with everything on: keys, ledger, routing over three
// providers with hedging, and its log.
func (r *rig) gateway(ctx context.Context, upstream *process) (*process, error) {
	return r.gatewayWith(ctx, fmt.Appendf(nil, benchProviders, upstream.base+"/v1"))
}

// gatewayWith starts it with a providers.json of these bytes.
func (r *rig) gatewayWith(ctx context.Context, providers []byte) (*process, error) {
	if err := r.build(ctx); err != nil {
		return nil, err
	}
	data, err := os.MkdirTemp(r.folder, "data-")
	if err != nil {
		return nil, err
	}
	config := filepath.Join(data, "providers.json")
	if err := os.WriteFile(config, providers, 0o600); err != nil {
		return nil, err
	}
	env := append(os.Environ(), "BENCH_API_KEY=none", "GATEWAY_API_KEYS=bench:"+benchKey, "LLM_PROVIDER=auto", "LOG_LEVEL=info")
	args := append([]string{"serve", "--providers", config, "--addr", "127.0.0.1:0",
		"--data-dir", data, "--log-format", "json", "--ledger-sync", r.sync}, r.flags...)
	name, args := r.group.command(r.binary, args)
	return r.start(ctx, append(env, r.env...), name, args...)
}
