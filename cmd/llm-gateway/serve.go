package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/spf13/cobra"
)

// settings are what serve and demo start a gateway from.
type settings struct {
	providers    string // path of providers.json; "" is ./providers.json, else the shipped one
	addr         string
	dataDir      string
	ledgerSync   string // full or normal
	ledgerError  string // refuse or allow
	logFormat    string
	drainTimeout time.Duration
	drainDelay   time.Duration
	insecure     bool
	memory       string // auto, 0 or a size
	admin        adminSettings
	mostWait     time.Duration // to be read, while there is too much to do; 0: none
}

// defaultMostWait leaves half a second for the rest of the two by which an overload may make a
// call slower (`bench overload`).
const defaultMostWait = 1500 * time.Millisecond

func newServe(p *program) *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the gateway",
		Long: "Run the gateway until SIGTERM or Ctrl-C, then drain: /readyz fails, running requests end,\n" +
			"the ledger is flushed. A second signal does not wait for requests.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.serve(cmd.Context(), s) },
	}
	f := cmd.Flags()
	providersFlag(cmd, &s.providers)
	f.StringVar(&s.addr, "addr", "127.0.0.1", "where to listen: host, :port or host:port; the port is PORT or "+defaultPort)
	f.BoolVar(&s.insecure, "insecure-public-without-keys", false, "listen where others can reach it without asking for a key")
	dataFlag(cmd, &s.dataDir)
	adminFlags(cmd, &s.admin)
	f.StringVar(&s.ledgerSync, "ledger-sync", "normal", "what a ledger row survives: normal (a killed process) or full (a power loss too, at a disk flush per group)")
	f.StringVar(&s.ledgerError, "on-ledger-error", "allow", "while the books cannot be written: allow those without a budget, or refuse everybody")
	f.StringVar(&s.logFormat, "log-format", "json", "json or text")
	f.DurationVar(&s.drainTimeout, "drain-timeout", 30*time.Second, "how long running requests may take to end")
	f.StringVar(&s.memory, "memory-budget", "auto", "memory that requests may hold at once before more get 503: auto, 0 (no limit) or a size such as 512MiB")
	f.DurationVar(&s.mostWait, "overload-wait", defaultMostWait, "how long a request may wait to be read while the machine has too much to do; it gets 503 after that, when there is time for it; 0: none waits")
	f.DurationVar(&s.drainDelay, "drain-delay", 0, "time between failing /readyz and closing the port")
	return cmd
}

// serve runs a gateway until ctx ends.
func (p *program) serve(ctx context.Context, s settings) error {
	log, err := newLog(p.stderr, s.logFormat, p.env.or("LOG_LEVEL", "info"))
	if err != nil {
		return err
	}
	addr, err := address(s.addr, p.env.or("PORT", defaultPort))
	if err != nil {
		return err
	}
	config, err := p.configured(s.providers)
	if err != nil {
		return err
	}
	keys, err := clientKeys(p.env)
	if err != nil {
		return err
	}
	if s.ledgerError != "allow" && s.ledgerError != "refuse" {
		return fmt.Errorf("--on-ledger-error %q is not known: allow or refuse", s.ledgerError)
	}
	kept, err := keptKeys(ctx, s.dataDir, keys)
	if err != nil {
		return err
	}
	if err := mayBind(addr, keys.Asked(), s.insecure); err != nil {
		return errors.Join(err, kept.Close())
	}
	memory, err := memoryBudget(s.memory, memlimit.FromCgroup, log)
	if err != nil {
		return errors.Join(err, kept.Close())
	}
	paceCollector(p.env)
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return errors.Join(err, kept.Close())
	}
	adminListener, err := p.listenAdmin(ctx, s.admin, addr)
	if err != nil {
		listener.Close()
		return errors.Join(err, kept.Close())
	}
	gw, err := assemble(parts{config: config, keys: keys, kept: kept, env: p.env, log: log, dataDir: s.dataDir, sync: s.ledgerSync, refuseAll: s.ledgerError == "refuse", memory: memory, mostWait: s.mostWait})
	if err != nil {
		listener.Close()
		if adminListener != nil {
			adminListener.Close()
		}
		return err
	}
	for _, left := range config.leftOut {
		log.Info("provider left out", "provider", left.name, "why", left.why)
	}
	life := gw.lifecycle(log)
	life.timeout, life.delay = s.drainTimeout, s.drainDelay
	if adminListener != nil {
		server, where, err := p.admin(gw, kept, s.dataDir, s.admin, log)
		if err != nil {
			listener.Close()
			adminListener.Close()
			gw.system.Stop(ctx)
			return errors.Join(err, gw.close())
		}
		log.Info("administration listening", "at", "http://"+adminListener.Addr().String(), "token_in", where)
		life.beside, life.besideListener = server, adminListener
	}
	log.Info("listening", "url", "http://"+listener.Addr().String(), "providers", config.providers, "keys", keys.Asked(), "version", version())
	return life.serveUntil(ctx, p.hurry, listener)
}

// noProvider names every variable that would configure a provider.
func noProvider(variables []string) error {
	text := "no provider is configured. Set at least one of:"
	for _, v := range variables {
		text += "\n  " + v
	}
	return fmt.Errorf("%s\nor write them into a .env file; `llm-gateway demo` needs none", text)
}

// readProviders reads the configuration: the named file, ./providers.json, or the
// shipped one. It gives the name that errors shall call it by.
func readProviders(path string, shipped []byte) (name string, data []byte, err error) {
	if path != "" {
		data, err = os.ReadFile(path)
		return path, data, err
	}
	const local = "providers.json"
	data, err = os.ReadFile(local)
	if os.IsNotExist(err) {
		return "providers.json (shipped)", shipped, nil
	}
	return local, data, err
}
