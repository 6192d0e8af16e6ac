package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// comparison is what compare was told to do.
type comparison struct {
	shapes  []string
	rounds  int
	length  time.Duration
	latency bool
	also    []string
	against []string
	rig     rig
}

// side is one of the servers that are compared.
type side struct {
	name   string
	base   string
	key    string
	server *process // nil: its CPU is not ours to read
}

// measure is what one side did of one shape.
type measure struct {
	side    *side
	target  *target
	all     *report // closed loop
	open    *report // open loop at 70 % of what the gateway reaches
	cpu     time.Duration
	perCall []time.Duration // of each round
	rss     int64
}

func newCompare() *cobra.Command {
	c := comparison{}
	cmd := &cobra.Command{
		Use:   "compare",
		Short: "Compare the gateway with the floor, interleaved, as one table",
		Long: "Puts the same load on the gateway and on a bare handler by turns, each a process of its own with the same\n" +
			"provider behind it, and prints what a call costs. They take turns because a machine's other work changes\n" +
			"with time. The first turn of each is not counted.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd) },
	}
	f := cmd.Flags()
	f.StringSliceVar(&c.shapes, "shapes", nil, "only these kinds of call")
	f.IntVar(&c.rounds, "rounds", 5, "turns of each")
	f.DurationVar(&c.length, "for", 3*time.Second, "length of one turn")
	f.BoolVar(&c.latency, "latency", true, "also measure the latency that is added, at 70 % of what the gateway reaches")
	f.StringSliceVar(&c.also, "also", nil, "another gateway of the same upstream, as name=URL or name=URL@pid")
	f.StringSliceVar(&c.against, "against", nil, "another build of the gateway, as name=binary, that runs as this one does")
	f.BoolVar(&c.rig.tls, "tls", false, "call the provider over TLS, which offers HTTP/2")
	f.DurationVar(&c.rig.ttft, "ttft", 5*time.Millisecond, "the provider's time to first token")
	f.StringVar(&c.rig.binary, "gateway", "", "gateway binary; empty: build it")
	f.StringVar(&c.rig.sync, "ledger-sync", "normal", "what the gateway's ledger waits for: full or normal")
	return cmd
}

func (c *comparison) run(cmd *cobra.Command) error {
	list, err := chosen(c.shapes)
	if err != nil {
		return err
	}
	if c.rig.folder, err = os.MkdirTemp("", "bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(c.rig.folder)
	defer c.rig.stop()
	// What others do on the machine would be taken for load of its own, and refused.
	c.rig.flags = []string{"--overload-wait", "0"}
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	sides, err := c.sides(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s\n%d turns of %s each%s\n\n", machine(), c.rounds, c.length, c.rig.protocol())
	for i := range list {
		done, err := c.measure(ctx, &list[i], sides)
		if err != nil {
			return fmt.Errorf("%s: %w", list[i].name, err)
		}
		printShape(out, &list[i], done)
	}
	return nil
}

// sides starts what is compared: the provider itself, the floor and the gateway.
func (c *comparison) sides(ctx context.Context) ([]*side, error) {
	upstream, err := c.rig.upstream(ctx)
	if err != nil {
		return nil, err
	}
	floor, err := c.rig.floor(ctx, upstream)
	if err != nil {
		return nil, err
	}
	gateway, err := c.rig.gateway(ctx, upstream)
	if err != nil {
		return nil, err
	}
	sides := []*side{
		{name: "direct", base: upstream.base, server: upstream},
		{name: "floor", base: floor.base, server: floor},
		{name: "gateway", base: gateway.base, key: benchKey, server: gateway},
	}
	for _, text := range c.against {
		other, err := c.build(ctx, text, upstream)
		if err != nil {
			return nil, err
		}
		sides = append(sides, other)
	}
	for _, text := range c.also {
		other, err := parseSide(text)
		if err != nil {
			return nil, err
		}
		sides = append(sides, other)
	}
	return sides, nil
}

// build starts another build of the gateway, name=binary.
func (c *comparison) build(ctx context.Context, text string, upstream *process) (*side, error) {
	name, binary, found := strings.Cut(text, "=")
	if !found {
		return nil, fmt.Errorf("--against %q: want name=binary", text)
	}
	ours := c.rig.binary
	defer func() { c.rig.binary = ours }()
	c.rig.binary = binary
	p, err := c.rig.gateway(ctx, upstream)
	if err != nil {
		return nil, err
	}
	return &side{name: name, base: p.base, key: benchKey, server: p}, nil
}

// parseSide reads name=URL or name=URL@pid.
func parseSide(text string) (*side, error) {
	name, base, found := strings.Cut(text, "=")
	if !found {
		return nil, fmt.Errorf("--also %q: want name=URL or name=URL@pid", text)
	}
	s := &side{name: name}
	s.base, text, found = strings.Cut(base, "@")
	if found {
		var pid int
		if _, err := fmt.Sscanf(text, "%d", &pid); err != nil {
			return nil, fmt.Errorf("--also: %q is no pid", text)
		}
		s.server = running(pid)
	}
	return s, loopback(s.base)
}

// measure puts a shape's load on every side by turns.
func (c *comparison) measure(ctx context.Context, sh *shape, sides []*side) ([]*measure, error) {
	var all []*measure
	for _, s := range sides {
		m := &measure{side: s, all: newReport(), open: newReport()}
		var err error
		if m.target, err = sh.target(s.base, s.key); err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	for round := range c.rounds + 1 { // round 0 warms all up and is not counted
		for _, m := range all {
			if err := m.turn(ctx, plan{workers: sh.workers, length: c.length}, round > 0); err != nil {
				return nil, fmt.Errorf("%s: %w", m.side.name, err)
			}
		}
	}
	if !c.latency {
		return all, nil
	}
	rate := 0.7 * all[2].all.rate()
	for range c.rounds {
		for _, m := range all {
			m.open.merge(drive(ctx, m.target, plan{rate: rate, limit: 10_000, length: c.length}))
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// turn is one side's turn.
func (m *measure) turn(ctx context.Context, p plan, counts bool) error {
	before, err := m.side.cpu()
	if err != nil {
		return err
	}
	r := drive(ctx, m.target, p)
	after, err := m.side.cpu()
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
	m.cpu += after - before
	m.perCall = append(m.perCall, (after-before)/time.Duration(r.ok))
	m.all.merge(r)
	if m.side.server != nil {
		if rss, err := m.side.server.rss(); err == nil {
			m.rss = max(m.rss, rss)
		}
	}
	return nil
}

func (s *side) cpu() (time.Duration, error) {
	if s.server == nil {
		return 0, nil
	}
	return s.server.cpu()
}
