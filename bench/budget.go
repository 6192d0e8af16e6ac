package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
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
}

func newBudget() *cobra.Command {
	b := budgetTest{}
	cmd := &cobra.Command{
		Use:   "budget",
		Short: "Spend budgets to their end with many callers, and compare with the provider's own bill",
		Long: "Rounds, each with a budget of its own that hundreds of callers spend at once: half of them\n" +
			"stream, a fifth leave before the end, a tenth of the calls fail at the first provider, and one\n" +
			"in twenty is raced. A round ends when everybody has been refused. What the providers then\n" +
			"charge, cut calls and lost races included, must not be a microcent over the budget.",
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
	failsEach            = 7 // every so many calls fail at the first provider
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
		if s.Number%failsEach == 0 { // in a way that is not worth a second try there
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
	left, err := b.rounds(ctx, out, gw.base, first, second)
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
	env := append(os.Environ(), "BENCH_API_KEY=none", "GATEWAY_API_KEYS=bench:"+benchKey, "LLM_PROVIDER=auto", "LOG_LEVEL=info")
	return b.rig.start(ctx, env, b.rig.binary, "serve", "--providers", config, "--addr", "127.0.0.1:0",
		"--data-dir", b.data(), "--ledger-sync", b.rig.sync, "--admin-addr", "off", "--overload-wait", "0", "--memory-budget", "0")
}

// budgetSum is what all rounds came to.
type budgetSum struct {
	rounds, requests, answered, left, refused, unwarranted, busy int
	attempts, fallback                                           int
	over, unheld                                                 int
	used, charged                                                float64 // of the limits, summed
	worst                                                        int64   // overshoot in microcents
	slowest                                                      time.Duration
}

func (b *budgetTest) rounds(ctx context.Context, out io.Writer, base string, first, second *vendor) (left int, err error) {
	begun := time.Now()
	var sum budgetSum
	said := begun
	for (sum.requests < b.requests || sum.rounds < b.least) && time.Since(begun) < b.within && ctx.Err() == nil {
		if err := errors.Join(first.anew(), second.anew()); err != nil {
			return 0, err
		}
		if err := b.round(ctx, &sum, base, first, second); err != nil {
			sum.print(out, time.Since(begun), b)
			return 0, err
		}
		if time.Since(said) > 30*time.Second {
			said = time.Now()
			fmt.Fprintf(out, "%d requests in %d rounds, %.0f s; overshoot %d, refused with room %d, left held %d\n", sum.requests, sum.rounds,
				time.Since(begun).Seconds(), sum.worst, sum.unwarranted, sum.unheld)
		}
	}
	sum.print(out, time.Since(begun), b)
	if sum.worst > 0 || sum.unheld > 0 || sum.unwarranted > 0 {
		return 0, errors.New("the promise was broken")
	}
	return sum.left, ctx.Err()
}

func (s *budgetSum) print(out io.Writer, took time.Duration, b *budgetTest) {
	n := float64(max(1, s.rounds))
	fmt.Fprintf(out, "%d rounds of $%.2f with %d callers, %d requests beside those refused in %.0f s (%.0f/s)\n", s.rounds, float64(b.limit)/1e8, b.callers, s.requests, took.Seconds(), float64(s.requests)/took.Seconds())
	fmt.Fprintf(out, "answered %d, left before the end %d, refused %d, told to come back %d; %d attempts, %d of them at the second provider\n", s.answered, s.left, s.refused, s.busy, s.attempts, s.fallback)
	fmt.Fprintf(out, "overshoot against the providers' own bill: worst %d microcents, in %d rounds\n", s.worst, s.over)
	fmt.Fprintf(out, "refused while there was room: %d; rounds with something held a second after the end: %d (longest wait for 0: %v)\n", s.unwarranted, s.unheld, s.slowest.Round(time.Millisecond))
	fmt.Fprintf(out, "of a budget, in the mean: %.2f %% booked, %.2f %% charged by the providers\n", 100*s.used/n, 100*s.charged/n)
}

// round spends one budget to its end.
func (b *budgetTest) round(ctx context.Context, sum *budgetSum, base string, first, second *vendor) error {
	sum.rounds++
	name := fmt.Sprintf("round-%d", sum.rounds)
	crowd := newSpenders(base, name, b.limit)
	crowd.spend(ctx, b.callers, uint64(sum.rounds))
	held, state, err := crowd.untilFree(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(first.quiet(ctx), second.quiet(ctx)); err != nil {
		return err
	}
	p1, n1, _, _ := first.charged()
	p2, n2, _, _ := second.charged()
	const picosPerMicrocent = 10_000
	bill := (p1 + p2 + picosPerMicrocent - 1) / picosPerMicrocent
	if over := bill - b.limit; over > 0 {
		sum.over++
		sum.worst = max(sum.worst, over)
	}
	if held > 0 {
		sum.unheld++
	}
	sum.slowest = max(sum.slowest, crowd.freed)
	sum.used += float64(state.Spent) / float64(b.limit)
	sum.charged += float64(bill) / float64(b.limit)
	sum.requests += int(crowd.answered.Load() + crowd.left.Load())
	sum.attempts += n1 + n2
	sum.fallback += n2
	sum.answered += int(crowd.answered.Load())
	sum.left += int(crowd.left.Load())
	sum.refused += int(crowd.refused.Load())
	sum.unwarranted += int(crowd.unwarranted.Load())
	sum.busy += int(crowd.busy.Load())
	return crowd.failure()
}

// runState is what GET /v1/runs/{id} says.
type runState struct {
	Calls  int   `json:"calls"`
	Spent  int64 `json:"spent_microcents"`
	Held   int64 `json:"held_microcents"`
	Unsure int64 `json:"unsure_microcents"`
}

func (c *spenders) state(ctx context.Context) (s runState, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/v1/runs/"+c.run, nil)
	if err != nil {
		return s, err
	}
	req.Header.Set("Authorization", "Bearer "+benchKey)
	res, err := c.client.Do(req)
	if err != nil {
		return s, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 300))
		return s, fmt.Errorf("the run's state: HTTP %d %s", res.StatusCode, strings.TrimSpace(string(text)))
	}
	return s, json.NewDecoder(res.Body).Decode(&s)
}

// untilFree waits for held to be 0, a second at most, and says what is left of it.
func (c *spenders) untilFree(ctx context.Context) (held int64, s runState, err error) {
	begun := time.Now()
	for {
		if s, err = c.state(ctx); err != nil || s.Held == 0 || time.Since(begun) > time.Second {
			c.freed = time.Since(begun)
			return s.Held, s, err
		}
		time.Sleep(5 * time.Millisecond)
	}
}
