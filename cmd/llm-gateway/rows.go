package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"gateway/ledger"
)

// rows are what ledger query and ledger export are told.
type rows struct {
	excerpt
	request, outcome, form string
	limit                  int
}

func (r *rows) rowFlags(cmd *cobra.Command, form string, limit int) {
	r.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&r.request, "request", "", "the attempts of this request only")
	f.StringVar(&r.outcome, "outcome", "", "attempts that came to this only: ok, timeout, rate_limited and so on")
	f.StringVar(&r.form, "form", form, "one of "+strings.Join(ledger.RowForms, ", ")+" (FOCUS 1.2)")
	f.IntVar(&r.limit, "limit", limit, "the newest so many; 0 for all, the oldest first")
}

func newQuery(p *program) *cobra.Command {
	r := &rows{excerpt: excerpt{program: p}}
	cmd := &cobra.Command{
		Use:   "query",
		Short: "Print rows: one for each attempt at a provider",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return r.print(cmd.Context()) },
	}
	r.rowFlags(cmd, "table", 50)
	cmd.Flags().BoolFunc("json", "the same as --form json", func(string) error { r.form = "json"; return nil })
	return cmd
}

func newExport(p *program) *cobra.Command {
	r := &rows{excerpt: excerpt{program: p}}
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write every chosen row for another program, the oldest first",
		Example: "  llm-gateway ledger export --last 30d > rows.csv\n" +
			"  llm-gateway ledger export --from 2026-11-01 --to 2026-11-30 --form focus > focus.csv",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return r.print(cmd.Context()) },
	}
	r.rowFlags(cmd, "csv", 0)
	return cmd
}

// print writes the rows as they are read: none of them is held.
func (r *rows) print(ctx context.Context) error {
	if err := r.read(ctx); err != nil {
		return err
	}
	w, err := ledger.WriteRows(r.stdout, r.form, r.names)
	if err != nil {
		return err
	}
	store, err := r.books()
	if err != nil {
		return err
	}
	if store != nil {
		q := ledger.RowQuery{SpendQuery: r.query, Request: r.request, Outcome: r.outcome, Limit: r.limit}
		if err := errors.Join(store.Rows(ctx, q, w.Row), store.Close()); err != nil {
			return err
		}
	}
	return w.End()
}
