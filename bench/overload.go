package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// overload is what the command was told.
type overload struct {
	outputs
	only    []string
	bodies  int
	limit   int64 // MiB
	length  time.Duration
	rounds  int
	times   float64
	readers int
	slow    int
	cpu     float64
	shape   string
	conns   int
	rig     rig

	log io.Writer
}

// trials are the parts of overload, in their order.
var trials = []struct {
	name string
	run  func(*overload, context.Context, *verdict) error
}{
	{"bodies", (*overload).crowd},
	{"saturation", (*overload).saturation},
	{"readers", (*overload).slowReaders},
	{"slowloris", (*overload).slowloris},
}

func newOverload() *cobra.Command {
	var o overload
	cmd := &cobra.Command{
		Use:   "overload",
		Short: "Push the gateway over its edges: memory, rate, slow readers, slow senders",
		Long: "Starts a gateway of its own before a provider of its own, all on loopback, and does to it:\n" +
			"  bodies      a crowd of 1 MiB bodies at once under a memory limit\n" +
			"  saturation  several times the rate that it sustains\n" +
			"  readers     clients that read one byte per second\n" +
			"  slowloris   connections that never finish their header or body, beside healthy ones",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	o.outputs.flags(cmd)
	f := cmd.Flags()
	f.StringSliceVar(&o.only, "only", nil, "only these parts: bodies, saturation, readers, slowloris")
	f.IntVar(&o.bodies, "bodies", 17_500, "bodies: how many at once (each needs a file descriptor here and there)")
	f.Int64Var(&o.limit, "limit", 1024, "bodies: memory of the gateway, MiB")
	f.DurationVar(&o.length, "for", 10*time.Second, "saturation, slowloris: length of a round")
	f.IntVar(&o.rounds, "rounds", 3, "saturation, slowloris: rounds of each")
	f.Float64Var(&o.times, "times", 3, "saturation: how many times the sustained rate")
	f.Float64Var(&o.cpu, "cpu", 0.5, "saturation: processors that the gateway may use, so that who sends has enough; 0: any")
	f.IntVar(&o.conns, "conns", 6000, "saturation: connections of the flood; where all of them wait for an answer, the rest of the rate is not sent")
	f.StringVar(&o.shape, "shape", "", "saturation: only the load whose name begins so: whole answers or streams; empty: both")
	f.IntVar(&o.readers, "readers", 2000, "readers: how many")
	f.IntVar(&o.slow, "slow", 1000, "slowloris: connections, half of them in the header and half in the body")
	f.BoolVar(&o.rig.tls, "tls", false, "call the provider over TLS, which offers HTTP/2")
	f.StringVar(&o.rig.binary, "gateway", "", "gateway binary; empty: build it")
	f.StringVar(&o.rig.sync, "ledger-sync", "full", "what the gateway's ledger waits for: full or normal")
	return cmd
}

func (o *overload) run(ctx context.Context, out, log io.Writer) (err error) {
	for _, name := range o.only {
		if !slices.ContainsFunc(trials, func(t struct {
			name string
			run  func(*overload, context.Context, *verdict) error
		}) bool {
			return t.name == name
		}) {
			return fmt.Errorf("--only %q is not known", name)
		}
	}
	if o.bodies < 1 || o.rounds < 1 || o.length <= 0 || o.limit < 128 || o.times < 1 || o.conns < 1 || o.readers < 1 || o.slow < 2 {
		return errors.New("the numbers must be above 0, and --limit at least 128")
	}
	o.log = log
	if o.rig.folder, err = os.MkdirTemp("", "bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(o.rig.folder)
	if err := o.rig.build(ctx); err != nil {
		return err
	}
	v := newVerdict("overload")
	for _, t := range trials {
		if len(o.only) > 0 && !slices.Contains(o.only, t.name) {
			continue
		}
		fmt.Fprintln(log, "overload:", t.name)
		err := t.run(o, ctx, v)
		o.rig.stop()
		if err != nil {
			err = fmt.Errorf("%s: %w", t.name, err)
			return errors.Join(err, v.write(out, o.outputs))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return v.write(out, o.outputs)
}

// servers starts the provider and the gateway.
func (o *overload) servers(ctx context.Context) (upstream, gateway *process, err error) {
	if upstream, err = o.rig.upstream(ctx); err != nil {
		return nil, nil, err
	}
	gateway, err = o.rig.gateway(ctx, upstream)
	return upstream, gateway, err
}

func (o *overload) say(format string, args ...any) { fmt.Fprintf(o.log, "  "+format+"\n", args...) }

// hostPort is the address in a base URL.
func hostPort(base string) string { return strings.TrimPrefix(base, "http://") }

func mib(n int64) string { return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20)) }
