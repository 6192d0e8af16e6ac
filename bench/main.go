// Command bench puts load on an OpenAI-compatible URL and reports what it saw. It
// knows the gateway by its HTTP port only, runs on loopback and stops by itself.
//
//	bench load     load on any URL, closed or open loop
//	bench floor    a bare handler that copies a call, to compare with
//	bench upstream a provider that answers at once, to put behind either
//	bench compare  all of it: the gateway beside the floor, interleaved, as one table
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
)

// commands are the words that may follow bench.
var commands = map[string]func(ctx context.Context, args []string, out io.Writer) error{
	"load":     runLoad,
	"floor":    runFloor,
	"upstream": runUpstream,
	"compare":  runCompare,
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

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return errors.New("say what to run: load, floor, upstream or compare")
	}
	command, known := commands[args[0]]
	if !known {
		return fmt.Errorf("%q is not a command: load, floor, upstream or compare", args[0])
	}
	return command(ctx, args[1:], out)
}
