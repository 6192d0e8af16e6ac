package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"gateway"
	"gateway/actors"
	"gateway/alerts"
	"gateway/api"
	"gateway/internal/http1"
	"gateway/ledger"
	"gateway/providers"
)

// models answers for what the configuration offers.
type models interface {
	actors.Catalog
	api.Catalog
}

// configuration is what providers.json and the environment come to.
type configuration struct {
	models    models
	routing   providers.Routing
	providers []string // names, in the order of the file's priority
	defaults  map[string]*gateway.Model
	leftOut   []leftOut
	// build makes the providers' adapters over one client and one memory of their state.
	build func(client *http.Client, state *providers.State) ([]actors.Provider, error)
}

// leftOut is a provider that is not used, and why.
type leftOut struct{ name, why string }

// parts are what a gateway is put together from.
type parts struct {
	config  *configuration
	keys    *api.Keys    // nil: nobody is asked for one
	kept    *ledger.Keys // where keys are looked for while the gateway runs; nil as keys is. assemble closes it
	env     environment  // where the webhook of budget alerts is named; nil with kept
	log     *slog.Logger
	dataDir string
	sync    string // full or normal
	// refuseAll: while the books cannot be written, nobody is served, and not only those
	// who have a budget.
	refuseAll bool

	memory   int64         // bytes that requests may hold at once; 0: any
	mostWait time.Duration // to be read, while there is too much to do; 0: none
}

// assembled is a gateway that is ready to serve.
type assembled struct {
	system *actors.System
	store  *ledger.Store
	books  *ledger.Committer
	client *http.Client
	edge   *api.Server
	watch  func() // ends the look-out for changed keys
	alerts *alerts.Notifier
}

// assemble opens the books and starts the actors. What it has opened is closed again
// when a later step does not work.
func assemble(p parts) (gw *assembled, err error) {
	gw = &assembled{client: providers.NewClient(), watch: closeKeys(p)}
	defer func() {
		if err != nil {
			gw.watch()
		}
	}()
	if p.sync != "full" && p.sync != "normal" {
		return nil, fmt.Errorf("--ledger-sync %q is not known: full or normal", p.sync)
	}
	if gw.store, err = ledger.Open(p.dataDir, ledger.Options{Full: p.sync == "full"}); err != nil {
		return nil, err
	}
	if err = gw.store.KeepTariffs(context.Background(), p.config.models.Models()); err != nil {
		return nil, errors.Join(err, gw.store.Close())
	}
	if gw.books, err = ledger.Start(gw.store, p.dataDir, p.sync == "full"); err != nil {
		return nil, errors.Join(err, gw.store.Close())
	}
	gw.store.ReadAfter(gw.books.Flush)
	if found := gw.books.Recovered(); found.Records > 0 {
		p.log.Warn("the last process did not end by itself", "records", found.Records, "rows_booked", found.Rows,
			"attempts_lost", found.Lost, "torn", found.Torn)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, gw.close())
		}
	}()
	all, err := p.config.build(gw.client, providers.NewState(100_000, time.Hour))
	if err != nil {
		return nil, err
	}
	if gw.alerts, err = startAlerts(p.env, p.kept, gw.books.Accounts, p.log); err != nil {
		return nil, err
	}
	system := actors.Config{
		Providers: all, Catalog: p.config.models, Books: gw.books, Holds: gw.books.Accounts, RefuseOnLedgerError: p.refuseAll, Log: p.log,
		Estimate: actors.Estimate{Prompt: ledger.EstimatePrompt},
		OnLedgerError: func(err error) {
			p.log.Error("a ledger row could not be written yet", "err", err)
		},
	}
	route(&system, p.config.routing)
	if gw.system, err = actors.Start(system); err != nil {
		return nil, err
	}
	gw.edge, err = api.New(api.Config{Keys: p.keys, Log: p.log, Memory: p.memory, MostWait: p.mostWait, Ledger: gw.books.Status,
		Runs: runs{ledger.NewRuns(gw.books, gw.store.Run), gw.system}, Repeats: ledger.NewRepeats(gw.books, gw.store),
		Account: gw.books.Accounts.State}, gw.system, p.config.models, gw.store)
	if err != nil {
		gw.system.Stop(context.Background())
		return nil, err
	}
	gw.edge.SetReady(false)
	gw.watch = watchKeys(p, gw)
	return gw, nil
}

// runs joins what the books know of runs with what runs of them now.
type runs struct {
	*ledger.Runs
	system *actors.System
}

// Stop ends a run and its requests in flight.
func (r runs) Stop(ctx context.Context, key, run string, err *gateway.Error) (bool, error) {
	known, failed := r.Runs.Stop(ctx, key, run)
	if known {
		r.system.EndRun(key, run, err)
	}
	return known, failed
}

// close writes the rows that are left and closes the books.
func (gw *assembled) close() error {
	err := gw.books.Stop()
	if gw.alerts != nil {
		gw.alerts.Stop()
	}
	gw.watch()
	gw.client.CloseIdleConnections()
	return errors.Join(err, gw.store.Close())
}

func (gw *assembled) lifecycle(log *slog.Logger) *lifecycle {
	server := newServer(gw.edge, log)
	server.Door = func(v http1.Visitor) (in, now bool) { return gw.edge.Enter(v) }
	server.Left = gw.edge.Left
	server.Refused = http.HandlerFunc(gw.edge.Refused)
	return &lifecycle{
		server: server, ready: gw.edge.SetReady, log: log,
		stopWaiting: gw.edge.Close,
		stopRouting: func(ctx context.Context) { gw.system.Stop(ctx) },
		closeBooks:  gw.close,
	}
}

// pins gives provider/model of each provider's default model.
func (c *configuration) pins() map[string]string {
	all := map[string]string{}
	for name, m := range c.defaults {
		all[name] = name + "/" + m.Name
	}
	return all
}
