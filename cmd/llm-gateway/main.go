// Command llm-gateway puts one OpenAI-compatible endpoint in front of many LLM
// providers. This folder reads flags and environment, joins the rooms and starts and
// stops them; what they do is in their own packages.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // budgets begin in time zones, and the image holds no files of them

	"github.com/spf13/cobra"

	"gateway"
)

func main() {
	ctx, hurry := signals()
	os.Exit(run(ctx, hurry, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr))
}

// signals gives a context that ends with the first SIGINT or SIGTERM, and one that
// ends with the second. The third ends the process the hard way.
func signals() (ctx, hurry context.Context) {
	ctx, first := context.WithCancel(context.Background())
	hurry, second := context.WithCancel(context.Background())
	received := make(chan os.Signal, 2)
	signal.Notify(received, os.Interrupt, syscall.SIGTERM)
	go func() { // ends with the process, or after the second signal
		<-received
		first()
		<-received
		second()
		signal.Stop(received)
	}()
	return ctx, hurry
}

// program is what every command needs of the world outside.
type program struct {
	hurry  context.Context // ends when running requests shall not be waited for any longer
	env    environment
	stdout io.Writer
	stderr io.Writer
}

// errSilent ends a command with status 1 when it has already said why.
var errSilent = errors.New("")

// run is the whole program: ctx ends it in good order, hurry without waiting for
// requests. It returns the exit status.
func run(ctx, hurry context.Context, args []string, lookup func(string) (string, bool), stdout, stderr io.Writer) int {
	env, err := withDotenv(lookup, ".env")
	if err != nil {
		fmt.Fprintln(stderr, "llm-gateway:", err)
		return 1
	}
	root := newRoot(&program{hurry: hurry, env: env, stdout: stdout, stderr: stderr})
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	if err := root.ExecuteContext(ctx); err != nil {
		if !errors.Is(err, errSilent) {
			fmt.Fprintln(stderr, "llm-gateway:", forPeople(err))
		}
		return 1
	}
	return 0
}

// forPeople leaves the kind out of an error that already says what is wrong.
func forPeople(err error) string {
	if own, ok := err.(*gateway.Error); ok && own.Message != "" && own.Err == nil {
		return own.Message
	}
	return err.Error()
}

func newRoot(p *program) *cobra.Command {
	root := &cobra.Command{
		Use:           "llm-gateway",
		Short:         "One OpenAI-compatible endpoint in front of many LLM providers, cheapest first",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version(),
	}
	root.AddCommand(newServe(p), newDemo(p), newCheck(p), newKeys(p), newLedger(p), newSchema(p), newVersion(p), newHealthcheck(p))
	return root
}
