// Command bench puts load on an OpenAI-compatible URL and reports what it saw. It
// knows the gateway by its HTTP port only (its books are read once it is dead), and everything it does is bounded in time
// and count. `bench help` lists what it can measure.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// commands are the words that may follow bench. A new bench adds its line.
var commands = []func() *cobra.Command{
	newLoad,
	newSaturate,
	newOverload,
	newSoak,
	newSwarm,
	newCompare,
	newMemory,
	newFormats,
	newBudget,
	newKill,
	newLedgerBench,
	newSettle,
	classic("routing", "Compare the gateway's routing with simpler ones through incidents", runRouting),
	classic("floor", "Serve a bare handler that copies a call, to compare with", runFloor),
	classic("upstream", "Serve a provider that answers at once, to put behind either", runUpstream),
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is the whole program; what is measured goes to out.
func run(ctx context.Context, args []string, out io.Writer) error {
	root := &cobra.Command{
		Use:           "bench",
		Short:         "Measure an LLM gateway: load, overload, cost, and what it does when things go wrong",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, command := range commands {
		root.AddCommand(command())
	}
	root.SetArgs(args)
	root.SetOut(out)
	return root.ExecuteContext(ctx)
}

// classic is a command that reads its own flags, with package flag.
func classic(name, short string, run func(ctx context.Context, args []string, out io.Writer) error) func() *cobra.Command {
	return func() *cobra.Command {
		return &cobra.Command{
			Use: name, Short: short, DisableFlagParsing: true,
			RunE: func(cmd *cobra.Command, args []string) error { return run(cmd.Context(), args, cmd.OutOrStdout()) },
		}
	}
}
