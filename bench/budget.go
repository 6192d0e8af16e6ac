package main

import (
	"context"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"gateway/internal/fakeupstream"
)

// budgetTest is what `bench budget` was told.
type budgetTest struct {
	requests int
	least    int // rounds
	callers  int
	limit    int64 // microcents of each round
	within   time.Duration
	rig      rig
	admin    string // address
}

func newBudget() *cobra.Command {
	b := budgetTest{}
	cmd := &cobra.Command{
		Use:   "budget",
		Short: "Spend budgets to their end with many callers, and compare with the provider's own bill",
		Long: "Rounds, each with a budget of its own that hundreds of callers spend at once: half of them\n" +
			"stream, a fifth leave before the end, a tenth of the calls fail at the first provider, and one\n" +
			"in twenty is raced. Two budgets of three are a run's, the others a key's and a team's for a\n" +
			"day. A round ends when everybody has been refused. What the providers then charge, cut calls\n" +
			"and lost races included, must not be a microcent over the budget, and no call may be left that\n" +
			"would have fitted, by what the providers charged and saw cut.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return b.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	f := cmd.Flags()
	f.IntVar(&b.requests, "n", 20_000, "rounds are begun until so many requests were made; the whole proof is 1000000")
	f.IntVar(&b.least, "rounds", 0, "and until there were so many rounds; of the whole proof 1000")
	f.IntVar(&b.callers, "callers", 500, "callers at once")
	f.Int64Var(&b.limit, "limit", 1_000_000_000, "budget of a round in microcents; the default is $10")
	f.DurationVar(&b.within, "for", time.Hour, "begin no round after this long")
	f.StringVar(&b.rig.binary, "binary", "", "gateway to test; built if not given")
	f.StringVar(&b.rig.sync, "ledger-sync", "normal", "what the gateway's rows survive: normal or full")
	return cmd
}

// What is simulated: prices of $4 and $800 per million tokens, so that some 1,000
// requests spend $10, and a hold is about twice what an answer costs. The second provider
// bills in full what is cut.
const (
	purseInput, purseOutput = 4_000_000, 800_000_000
	purseTokens             = 10
	purseMax                = 16
	purseFirst              = 30 * time.Millisecond
	purseGap                = 2 * time.Millisecond
	purseSpread             = 100 * time.Millisecond // over which the callers of a round begin
)

// What is meant to come of all requests: the shares that stream, that their callers
// leave, that fall back, and that are raced. Some calls wait in vain for room in the budget,
// and those that do not leave meanwhile are refused and count as none; a race or a fallback
// does not leave where there is no room. So what the callers and the first provider are
// told to do differs from what comes of it.
const (
	shareStream, shareLeft, shareFallback, shareHedged = 0.50, 0.20, 0.10, 0.05

	drawLeft, drawHedged = 0.16, 0.075
	failsOf100           = 20 // of a hundred calls fail at the first provider; most of those that are refused do not count
)

func (b *budgetTest) run(ctx context.Context, out io.Writer) (err error) {
	b.rig.folder, err = os.MkdirTemp("", "bench-budget")
	if err != nil {
		return err
	}
	defer os.RemoveAll(b.rig.folder)
	common := fakeupstream.Config{Tokens: purseTokens, First: fakeupstream.Delay{Median: purseFirst, Sigma: 0.3}, Gap: purseGap, Plain: true}
	flaky, full := common, common
	flaky.Script = func(s fakeupstream.Seen) fakeupstream.Step {
		if crc32.ChecksumIEEE([]byte(s.Prompt))%100 < failsOf100 { // a second try there fails as well
			return fakeupstream.Step{Fault: fakeupstream.Overloaded}
		}
		return fakeupstream.Step{}
	}
	full.BillsInFull = true
	first, err := newVendor(flaky, purseInput, purseOutput)
	if err != nil {
		return err
	}
	defer first.close()
	second, err := newVendor(full, purseInput*5/4, purseOutput*5/4)
	if err != nil {
		return err
	}
	defer second.close()
	gw, err := b.start(ctx, first, second)
	if err != nil {
		return err
	}
	defer b.rig.stop()
	left, err := b.rounds(ctx, out, newFunds(gw.base, "http://"+b.admin, b.limit, time.Now()), &outside{first: first, second: second})
	if err != nil {
		return err
	}
	b.rig.stop() // the books have one owner at a time
	made, err := readMix(ctx, b.data())
	if err != nil {
		return err
	}
	return made.print(out, left)
}

func (b *budgetTest) data() string { return filepath.Join(b.rig.folder, "data") }

func (b *budgetTest) start(ctx context.Context, first, second *vendor) (*process, error) {
	if err := b.rig.build(ctx); err != nil {
		return nil, err
	}
	config := filepath.Join(b.rig.folder, "providers.json")
	text, err := providersFile(first, second, "full")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(config, text, 0o600); err != nil {
		return nil, err
	}
	if b.admin, err = freeAddress(ctx); err != nil {
		return nil, err
	}
	env := append(os.Environ(), "BENCH_API_KEY=none", "GATEWAY_API_KEYS=bench:"+benchKey, "LLM_PROVIDER=auto", "LOG_LEVEL=info", adminVariable+"="+adminToken)
	return b.rig.start(ctx, env, b.rig.binary, "serve", "--providers", config, "--addr", "127.0.0.1:0",
		"--data-dir", b.data(), "--ledger-sync", b.rig.sync, "--admin-addr", b.admin, "--overload-wait", "0", "--memory-budget", "0")
}

// untilFree waits for held to be 0, a second at most, and says what is left of it.
func (c *spenders) untilFree(ctx context.Context) (held int64, s stands, err error) {
	begun := time.Now()
	for {
		if s, err = c.fund.read(ctx); err != nil || s.Held == 0 || time.Since(begun) > time.Second {
			c.freed = time.Since(begun)
			return s.Held, s, err
		}
		time.Sleep(5 * time.Millisecond)
	}
}
