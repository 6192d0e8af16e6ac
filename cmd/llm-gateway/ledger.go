package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gateway"
	"gateway/ledger"
)

// report is what ledger summary is told.
type report struct {
	dir      string
	by       []string
	from, to string
	query    gateway.SpendQuery
	json     bool
	csv      bool
}

func newLedger(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "ledger", Short: "Read the books", Args: cobra.NoArgs}
	cmd.AddCommand(newSummary(p), newVerify(p))
	return cmd
}

func newSummary(p *program) *cobra.Command {
	var r report
	cmd := &cobra.Command{
		Use:   "summary",
		Short: "Print what was spent; the gateway may be running",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return p.summary(cmd.Context(), r) },
	}
	f := cmd.Flags()
	dataFlag(cmd, &r.dir)
	f.StringSliceVar(&r.by, "by", []string{"provider", "model"}, "split by any of "+strings.Join(gateway.SpendGroups, ", ")+", tag:NAME; empty for one total")
	f.StringVar(&r.from, "from", "", "first day, YYYY-MM-DD in UTC")
	f.StringVar(&r.to, "to", "", "last day, YYYY-MM-DD in UTC")
	f.StringVar(&r.query.Provider, "provider", "", "this provider only")
	f.StringVar(&r.query.Model, "model", "", "this model only")
	f.StringVar(&r.query.Key, "key", "", "this client key's id only")
	f.StringVar(&r.query.Team, "team", "", "this team's id only")
	f.StringVar(&r.query.Run, "run", "", "this run only")
	f.StringVar(&r.query.Tag, "tag", "", "rows with this tag only: name=value")
	f.BoolVar(&r.json, "json", false, "print JSON, costs in microcents")
	f.BoolVar(&r.csv, "csv", false, "print CSV, costs in microcents")
	cmd.MarkFlagsMutuallyExclusive("json", "csv")
	return cmd
}

func (p *program) summary(ctx context.Context, r report) (err error) {
	by := slices.DeleteFunc(r.by, func(g string) bool { return g == "" })
	r.query.By = by
	if err := ledger.CheckSpend(r.query); err != nil {
		return err
	}
	if r.query.From, err = day(r.from, 0); err != nil {
		return err
	}
	if r.query.To, err = day(r.to, 24*time.Hour); err != nil { // the last day is part of it
		return err
	}
	lines, err := p.spent(ctx, r.dir, r.query)
	switch {
	case err != nil:
		return err
	case r.json:
		return ledger.JSON(p.stdout, lines)
	case r.csv:
		return ledger.CSV(p.stdout, lines, by)
	}
	return ledger.Table(p.stdout, lines, by)
}

// spent reads the books. A ledger that does not exist yet has nothing in it.
func (p *program) spent(ctx context.Context, dir string, q gateway.SpendQuery) ([]gateway.SpendLine, error) {
	store, err := ledger.Open(dir, ledger.Options{ReadOnly: true})
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(p.stderr, "there is no ledger in %s yet\n", dir)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	lines, err := store.Spend(ctx, q)
	return lines, errors.Join(err, store.Close())
}

// day reads a date and adds to it; "" is no date.
func day(text string, add time.Duration) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is not a day: YYYY-MM-DD is wanted", text)
	}
	return at.Add(add), nil
}
