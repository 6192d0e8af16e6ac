package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"

	"gateway"
)

// demoSettings are what demo is told.
type demoSettings struct {
	addr   string
	length time.Duration // 0: until ctx ends
	gap    time.Duration // between requests, in the mean
	quiet  bool
}

func newDemo(p *program) *cobra.Command {
	var d demoSettings
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run the gateway with five simulated providers, no key needed",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return p.demo(cmd.Context(), d) },
	}
	f := cmd.Flags()
	f.StringVar(&d.addr, "addr", "127.0.0.1", "where to listen: host, :port or host:port")
	f.DurationVar(&d.length, "for", 0, "stop by itself after this long")
	f.DurationVar(&d.gap, "every", 700*time.Millisecond, "mean time between requests")
	f.BoolVar(&d.quiet, "no-traffic", false, "send no requests, only serve")
	return cmd
}

// demo runs simulated providers, the gateway with the shipped configuration in front
// of them, and a client. Its environment is its own, so that no real key is ever used.
func (p *program) demo(ctx context.Context, d demoSettings) error {
	if d.length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.length)
		defer cancel()
	}
	fakes, err := startSimulated()
	if err != nil {
		return err
	}
	defer fakes.stop()
	config, err := load("providers.json (shipped)", gateway.ShippedProviders, fakes.env)
	if err != nil {
		return err
	}
	addr, err := address(d.addr, p.env.or("PORT", defaultPort))
	if err != nil {
		return err
	}
	if err := mayBind(addr, false, false); err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "llm-gateway-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("%w (choose another with --addr :port)", err)
	}
	log, err := newLog(p.stderr, "text", "error") // the table is the log here
	if err != nil {
		return err
	}
	gw, err := assemble(parts{config: config, log: log, dataDir: folder, sync: "normal"})
	if err != nil {
		listener.Close()
		return err
	}
	life := gw.lifecycle(log)
	life.timeout = 2 * time.Second
	served := make(chan error, 1)
	showing, stopShowing := context.WithCancel(ctx)
	defer stopShowing()
	go func() { // ends when ctx does
		served <- life.serveUntil(ctx, p.hurry, listener)
		stopShowing()
	}()
	p.show(showing, "http://"+listener.Addr().String(), d, config.pins(), gw.system.Status)
	return <-served
}

// show sends the traffic and draws what came of it, until ctx ends.
func (p *program) show(ctx context.Context, url string, d demoSettings, pinned map[string]string, status func() []gateway.ProviderStatus) {
	hint := fmt.Sprintf(`curl -sS %s/v1/chat/completions -H 'content-type: application/json' `+
		`-d '{"model":"auto","messages":[{"role":"user","content":"Hello"}]}'`, url)
	seen := make(chan answered)
	go func() { // ends with ctx
		defer close(seen)
		if !d.quiet {
			trickle(ctx, url, d.gap, pinned, func(a answered) { seen <- a })
		}
		<-ctx.Done()
	}()
	if isTerminal(p.stdout) {
		showBoard(p.stdout, newBoard(url, hint, status), seen)
		return
	}
	fmt.Fprintf(p.stdout, "llm-gateway demo on %s with five simulated providers; try:\n  %s\n", url, hint)
	for a := range seen {
		fmt.Fprintln(p.stdout, a.line())
	}
}

func showBoard(out io.Writer, b *board, seen <-chan answered) {
	redraw := time.NewTicker(250 * time.Millisecond)
	defer redraw.Stop()
	for {
		select {
		case a, more := <-seen:
			if !more {
				b.draw(out, time.Now())
				return
			}
			b.add(a)
		case now := <-redraw.C:
			b.draw(out, now)
		}
	}
}

// isTerminal says whether a person looks at out.
func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
