package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"gateway/internal/fakeupstream"
)

// killTest is what `bench kill` was told.
type killTest struct {
	cycles, torn int
	callers      int
	seed         uint64
	rig          rig
}

// The prices of the provider in picodollars per token, and the budget that all clients
// share: it is never at its end, but all that it holds must outlive the kills. No answer
// has more than 40 tokens.
const (
	killInput, killOutput = 1_000_000, 4_000_000
	killMax               = 64
	killRun               = "kill"
	killLimit             = 1_000_000_000_000
	killHold              = (1000*killInput + killMax*killOutput) / 10_000 // more than a call can be held for: its body has some 600 bytes
)

func newKill() *cobra.Command {
	k := killTest{}
	cmd := &cobra.Command{
		Use:   "kill",
		Short: "Kill the gateway with SIGKILL under load, again and again, and audit its books",
		Long: "Each cycle starts the real program on the same data, puts load on it and kills it at a random\n" +
			"moment. In the torn cycles the end of the last file of the journal is then cut off, as a power\n" +
			"loss may do. At the end the books, and what stands on the budget that all clients share, are\n" +
			"compared with what clients were told and with the provider's own bill.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return k.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	f := cmd.Flags()
	f.IntVar(&k.cycles, "cycles", 20, "kills; the whole proof is 200")
	f.IntVar(&k.torn, "torn", 5, "kills after which the journal is torn as well; the whole proof is 50")
	f.IntVar(&k.callers, "callers", 64, "callers at once")
	f.Uint64Var(&k.seed, "seed", 1, "of the moments")
	f.StringVar(&k.rig.binary, "binary", "", "gateway to test; built if not given")
	f.StringVar(&k.rig.sync, "ledger-sync", "normal", "what the gateway's rows survive: normal or full")
	return cmd
}

func (k *killTest) run(ctx context.Context, out io.Writer) (err error) {
	k.rig.folder, err = os.MkdirTemp("", "bench-kill")
	if err != nil {
		return err
	}
	defer os.RemoveAll(k.rig.folder)
	if err := k.rig.build(ctx); err != nil {
		return err
	}
	var broken error
	for _, part := range []struct {
		name   string
		cycles int
		torn   bool
	}{{"killed", k.cycles, false}, {"killed and torn", k.torn, true}} {
		if part.cycles == 0 {
			continue
		}
		a, err := k.part(ctx, part.name, part.cycles, part.torn)
		if err != nil {
			return err
		}
		a.print(out, part.name)
		broken = errors.Join(broken, a.verdict(part.torn))
	}
	return broken
}

// part runs cycles on one folder of books with one provider, and audits them.
func (k *killTest) part(ctx context.Context, name string, cycles int, torn bool) (*audit, error) {
	v, err := newVendor(fakeupstream.Config{First: fakeupstream.Delay{Median: 100 * time.Millisecond, Sigma: 0.5}, Gap: 10 * time.Millisecond, Plain: true},
		killInput, killOutput)
	if err != nil {
		return nil, err
	}
	defer v.close()
	data := filepath.Join(k.rig.folder, "data-"+name)
	config := filepath.Join(k.rig.folder, "providers.json")
	text, err := providersFile(v, v, "seen")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(config, text, 0o600); err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(k.seed, uint64(len(name))))
	told := newTold()
	for n := range cycles {
		if err := k.cycle(ctx, n, data, config, told, time.Duration(200+random.IntN(1200))*time.Millisecond); err != nil {
			return nil, fmt.Errorf("cycle %d: %w", n, err)
		}
		if torn {
			if err := tear(filepath.Join(data, "journal"), random); err != nil {
				return nil, err
			}
		}
		if err := v.quiet(ctx); err != nil {
			return nil, err
		}
	}
	return auditBooks(ctx, data, told, v, cycles)
}

// cycle starts the gateway, lets it work for a while and kills it.
func (k *killTest) cycle(ctx context.Context, n int, data, config string, told *told, after time.Duration) error {
	env := append(os.Environ(), "BENCH_API_KEY=none", "GATEWAY_API_KEYS=bench:"+benchKey, "LLM_PROVIDER=auto", "LOG_LEVEL=info")
	p, err := start(ctx, env, k.rig.binary, "serve", "--providers", config, "--addr", "127.0.0.1:0",
		"--data-dir", data, "--ledger-sync", k.rig.sync, "--admin-addr", "off", "--overload-wait", "0", "--memory-budget", "0")
	if err != nil {
		return err
	}
	end, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan struct{})
	go func() { // ends when the gateway is gone
		defer close(done)
		told.load(end, p.base, k.callers, n)
	}()
	time.Sleep(after)
	err = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	time.Sleep(10 * time.Millisecond) // what was on its way to clients has arrived
	stop()
	<-done
	return err
}

// tear cuts some bytes off the records of the last file of the journal.
func tear(folder string, random *rand.Rand) error {
	files, err := filepath.Glob(filepath.Join(folder, "*.journal"))
	if err != nil || len(files) == 0 {
		return err
	}
	last := slices.Max(files)
	data, err := os.ReadFile(last)
	if err != nil {
		return err
	}
	records := int64(len(bytes.TrimRight(data, "\x00"))) // zeros follow them in the file of a killed process
	info, err := os.Stat(last)
	if err != nil {
		return err
	}
	if err := os.Truncate(last, max(0, records-1-random.Int64N(300))); err != nil {
		return err
	}
	return os.Chtimes(last, time.Time{}, info.ModTime()) // the time of a file tells when its writer last lived
}
