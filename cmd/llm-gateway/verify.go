package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"gateway/ledger"
)

func newVerify(p *program) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Compute every cost and every total again, and name what differs",
		Long: "Compute every row's cost again from its usage and the price list it was booked with, and every\n" +
			"total again from the rows. The gateway may be running.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.verify(cmd.Context(), dir) },
	}
	dataFlag(cmd, &dir)
	return cmd
}

func (p *program) verify(ctx context.Context, dir string) error {
	store, err := ledger.Open(dir, ledger.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	v, err := store.Verify(ctx)
	if err := errors.Join(err, store.Close()); err != nil {
		return err
	}
	if len(v.Wrong) > 0 {
		more := ""
		if v.More > 0 {
			more = fmt.Sprintf("\n  and %d more", v.More)
		}
		return fmt.Errorf("the books do not agree with themselves:\n  %s%s", strings.Join(v.Wrong, "\n  "), more)
	}
	fmt.Fprintf(p.stdout, "%d rows: %d priced again from usage and price list, %d billed by the provider's own figure", v.Rows, v.Repriced, v.Billed)
	if v.Unnamed > 0 {
		fmt.Fprintf(p.stdout, ", %d of before price lists were kept", v.Unnamed)
	}
	_, err = fmt.Fprintf(p.stdout, "\n%d totals are the sums of their rows, and %d packs of them say the same\n"+
		"%d accounts of keys, teams and runs stand at what their rows cost\n", v.Cells, v.Packs, v.Accounts)
	return err
}
