package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"
)

// side is one of the two servers that are compared, and what was measured of it.
type side struct {
	name    string
	server  *process
	target  *target
	all     *report
	cpu     time.Duration
	perCall []time.Duration // of each round
	rss     int64
}

// comparison is what compare was told to do.
type comparison struct {
	stream  bool
	workers int
	size    int
	tokens  int
	rounds  int
	length  time.Duration
	ttft    time.Duration
	binary  string
	sync    string
}

// runCompare puts the same load on the gateway and on the floor by turns, each a
// process of its own with the same upstream behind it, and prints what a call costs.
// They take turns because the machine's other work changes with time.
func runCompare(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("bench compare", flag.ContinueOnError)
	c := comparison{}
	flags.BoolVar(&c.stream, "stream", true, "ask for streams")
	flags.IntVar(&c.workers, "c", 16, "calls in flight")
	flags.IntVar(&c.size, "body", 500, "bytes of the prompt")
	flags.IntVar(&c.tokens, "tokens", 40, "tokens of an answer")
	flags.IntVar(&c.rounds, "rounds", 5, "turns of each")
	flags.DurationVar(&c.length, "for", 3*time.Second, "length of one turn")
	flags.DurationVar(&c.ttft, "ttft", 5*time.Millisecond, "the provider's time to first token")
	flags.StringVar(&c.binary, "gateway", "", "gateway binary; empty: build it")
	flags.StringVar(&c.sync, "ledger-sync", "normal", "what the gateway's ledger waits for: full, normal or off")
	if err := flags.Parse(args); err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	return c.run(ctx, folder, out)
}

func (c *comparison) run(ctx context.Context, folder string, out io.Writer) error {
	sides, stop, err := c.start(ctx, folder)
	if err != nil {
		return err
	}
	defer stop()
	for round := range c.rounds + 1 { // round 0 warms both up and is not counted
		for _, s := range sides {
			if err := c.turn(ctx, s, round > 0); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
	}
	c.print(out, sides)
	return nil
}

func (c *comparison) start(ctx context.Context, folder string) (sides []*side, stop func(), err error) {
	var servers []*process
	stop = func() {
		for i := len(servers) - 1; i >= 0; i-- {
			servers[i].stop()
		}
	}
	defer func() {
		if err != nil {
			stop()
		}
	}()
	keep := func(p *process, err error) (*process, error) {
		if err == nil {
			servers = append(servers, p)
		}
		return p, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	upstream, err := keep(start(ctx, os.Environ(), self, "upstream",
		"-ttft", c.ttft.String(), "-tokens", fmt.Sprint(c.tokens)))
	if err != nil {
		return nil, nil, err
	}
	floor, err := keep(start(ctx, os.Environ(), self, "floor", "-upstream", upstream.base))
	if err != nil {
		return nil, nil, err
	}
	gateway, err := keep(c.startGateway(ctx, folder, upstream.base))
	if err != nil {
		return nil, nil, err
	}
	for _, s := range []*side{{name: "floor", server: floor}, {name: "gateway", server: gateway}} {
		s.all = newReport()
		if s.target, err = newTarget(s.server.base, "", "bench-model", c.stream, c.size); err != nil {
			return nil, nil, err
		}
		sides = append(sides, s)
	}
	return sides, stop, nil
}

const benchProviders = `{
  "providers": {
    "bench": {
      "kind": "openai_compatible",
      "env_key": "BENCH_API_KEY",
      "base_url": %q,
      "default_model": "bench-model",
      "pricing": {"input_usd_per_mtok": 0.1, "output_usd_per_mtok": 0.4}
    }
  },
  "auto_priority": ["bench"]
}
`

func (c *comparison) startGateway(ctx context.Context, folder, upstream string) (*process, error) {
	binary := c.binary
	if binary == "" {
		binary = filepath.Join(folder, "llm-gateway")
		build := exec.CommandContext(ctx, "go", "build", "-tags", "nomsgpack", "-o", binary, "gateway/cmd/llm-gateway")
		if text, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("building the gateway: %w\n%s", err, text)
		}
	}
	config := filepath.Join(folder, "providers.json")
	if err := os.WriteFile(config, fmt.Appendf(nil, benchProviders, upstream+"/v1"), 0o600); err != nil {
		return nil, err
	}
	env := append(os.Environ(), "BENCH_API_KEY=none", "GATEWAY_API_KEYS=", "LLM_PROVIDER=auto", "LOG_LEVEL=info")
	return start(ctx, env, binary, "serve", "--providers", config, "--addr", "127.0.0.1:0",
		"--data-dir", filepath.Join(folder, "data"), "--log-format", "json", "--ledger-sync", c.sync)
}

func (c *comparison) turn(ctx context.Context, s *side, counts bool) error {
	before, err := s.server.cpu()
	if err != nil {
		return err
	}
	r := drive(ctx, s.target, plan{workers: c.workers, length: c.length})
	after, err := s.server.cpu()
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.ok == 0 {
		var said strings.Builder
		r.printFailures(&said)
		return errors.New("no call was answered:\n" + said.String())
	}
	if !counts {
		return nil
	}
	s.cpu += after - before
	s.perCall = append(s.perCall, (after-before)/time.Duration(r.ok))
	s.all.merge(r)
	if rss, err := s.server.rss(); err == nil {
		s.rss = max(s.rss, rss)
	}
	return nil
}

func (c *comparison) print(out io.Writer, sides []*side) {
	what := "whole answers"
	if c.stream {
		what = "streams"
	}
	fmt.Fprintf(out, "%s of %d tokens, prompt %d bytes, %d in flight, %d turns of %s each, provider's first token after %s\n",
		what, c.tokens, c.size, c.workers, c.rounds, c.length, c.ttft)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tcalls/s\tfailed\tCPU/call\tfirst p50\tfirst p99\twhole p50\twhole p99\tRSS MB\t")
	for _, s := range sides {
		fmt.Fprintf(table, "%s\t%.0f\t%d\t%s\t%s\t%s\t%s\t%s\t%.0f\t\n", s.name, s.all.rate(), s.all.failures(),
			s.mean().Round(time.Microsecond), at(s.all.first, 50), at(s.all.first, 99),
			at(s.all.whole, 50), at(s.all.whole, 99), float64(s.rss)/1e6)
	}
	table.Flush()
	floor, gateway := sides[0], sides[1]
	low, high := spread(floor.perCall, gateway.perCall)
	fmt.Fprintf(out, "CPU per call: %.2fx the floor (turns: %.2fx to %.2fx)\n",
		float64(gateway.mean())/float64(floor.mean()), low, high)
	for _, s := range sides {
		s.all.printFailures(out)
	}
}

func (s *side) mean() time.Duration { return s.cpu / time.Duration(s.all.ok) }

// spread is the least and the greatest ratio over the turns.
func spread(floor, gateway []time.Duration) (low, high float64) {
	for i := range floor {
		ratio := float64(gateway[i]) / float64(max(floor[i], 1))
		if i == 0 || ratio < low {
			low = ratio
		}
		high = max(high, ratio)
	}
	return low, high
}
