package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"gateway"
	"gateway/ledger"
)

// ledgerTest fills books with rows and measures how they are written and read. It is the
// one bench that writes without the HTTP port, which would take hours.
type ledgerTest struct {
	rows   int
	dir    string // "": a folder that is removed at the end
	binary string
	reads  int
	length time.Duration
}

func newLedgerBench() *cobra.Command {
	var l ledgerTest
	cmd := &cobra.Command{
		Use:   "ledger",
		Short: "Fill the books, then time their reading beside requests, and their writing at each level of durability",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return l.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	f := cmd.Flags()
	f.IntVar(&l.rows, "rows", 10_000_000, "rows to fill the books with")
	f.StringVar(&l.dir, "dir", "", "keep the books in this folder, and use those that are there; without it they are made and removed")
	f.StringVar(&l.binary, "binary", "", "path of the gateway; without it, it is built")
	f.IntVar(&l.reads, "reads", 200, "how often each report is read")
	f.DurationVar(&l.length, "for", 5*time.Second, "length of each run of load")
	return cmd
}

func (l *ledgerTest) run(ctx context.Context, out io.Writer) (err error) {
	folder, err := os.MkdirTemp("", "bench-ledger-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if l.dir == "" {
		l.dir = folder + "/data"
	}
	fmt.Fprintln(out, machine())
	if err := l.fill(ctx, out); err != nil {
		return err
	}
	r := &rig{folder: folder, binary: l.binary, sync: "normal", flags: []string{"--data-dir", l.dir, "--admin-addr", "off"}}
	defer r.stop()
	upstream, err := r.upstream(ctx)
	if err != nil {
		return err
	}
	gateway, err := r.gateway(ctx, upstream)
	if err != nil {
		return err
	}
	missed, err := l.read(ctx, out, r, gateway)
	if err != nil {
		return err
	}
	if err := l.beside(ctx, out, gateway); err != nil {
		return err
	}
	r.stop()
	if err := l.settles(ctx, out, folder); err != nil {
		return err
	}
	if missed > 0 {
		return fmt.Errorf("%d reports that are promised within %s at p99 miss it", missed, aim)
	}
	return nil
}

// span of time that the rows lie in, and between how many of each thing they are divided.
const (
	spanOfRows = 90 * 24 * time.Hour
	manyKeys   = 100
	manyTeams  = 10
)

var benchModels = [][2]string{{"deepseek", "deepseek-flash"}, {"deepseek", "deepseek-pro"}, {"gemini", "gemini-flash"}, {"gemini", "gemini-pro"}, {"openai", "gpt-luna"},
	{"openai", "gpt-mini"}, {"anthropic", "claude-haiku"}, {"anthropic", "claude-opus"}, {"groq", "llama"}, {"ollama", "qwen"}}

// rowAt is the i-th of n rows, the same each time.
func rowAt(i, n int, begin time.Time) gateway.Entry {
	random := rand.New(rand.NewPCG(uint64(i), 7))
	model, key := benchModels[random.IntN(len(benchModels))], random.IntN(manyKeys)
	if i%10 == 0 {
		key = i / 1000 % manyKeys // a run is one key's
	}
	e := gateway.Entry{Request: fmt.Sprintf("0193-%012d", i), Attempt: 1, Key: fmt.Sprintf("key_%02d", key), Team: fmt.Sprintf("team_%d", key%manyTeams), Op: "chat",
		Role: gateway.Primary, Provider: model[0], Model: model[1], Asked: "auto", Begun: begin.Add(time.Duration(float64(spanOfRows) * float64(i) / float64(n))),
		FirstContent: 400 * time.Millisecond, Took: 2 * time.Second, Outcome: "ok", Status: 200, Finish: "stop", Winner: true, Stream: true,
		Usage:  gateway.Usage{Fresh: 100 + random.IntN(4000), CachedRead: random.IntN(1000), Output: random.IntN(800), Reported: true},
		Source: gateway.UsageReported, Cost: gateway.Microcents(random.IntN(1_000_000)), Priced: true, PriceDate: "2026-11-10",
		Tags: map[string]string{"env": []string{"prod", "test", "dev"}[key%3]}}
	if key == 0 {
		e.Key = "bench" // the key that asks for its own spending
	}
	if i%10 == 0 {
		e.Run = fmt.Sprintf("run-%d", i/1000) // a hundred calls each
	}
	return e
}

// fill appends the rows, unless as many are there already.
func (l *ledgerTest) fill(ctx context.Context, out io.Writer) error {
	store, err := ledger.Open(l.dir, ledger.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	if lines, err := store.Spend(ctx, gateway.SpendQuery{}); err != nil || len(lines) == 1 && lines[0].Attempts >= int64(l.rows) {
		fmt.Fprintf(out, "%d rows are there\n", lines[0].Attempts)
		return err
	}
	begin, begun := time.Now().UTC().Add(-spanOfRows), time.Now()
	const group = 20_000
	for i := 0; i < l.rows; i += group {
		batch := make([]gateway.Entry, 0, group)
		for j := i; j < min(i+group, l.rows); j++ {
			batch = append(batch, rowAt(j, l.rows, begin))
		}
		if _, err := store.Append(ctx, batch); err != nil {
			return err
		}
	}
	took := time.Since(begun)
	fmt.Fprintf(out, "%d rows appended in %s, %.0f rows/s\n", l.rows, took.Round(time.Second), float64(l.rows)/took.Seconds())
	if info, err := os.Stat(l.dir + "/ledger.db"); err == nil {
		fmt.Fprintf(out, "the file has %s\n", mib(info.Size()))
	}
	return nil
}

// timed is how long something took, many times.
type timed []time.Duration

func (t timed) at(q float64) time.Duration {
	slices.Sort(t)
	return t[min(len(t)-1, int(q*float64(len(t))))].Round(10 * time.Microsecond)
}

func times(n int, do func() error) (timed, error) {
	var all timed
	for range n {
		begun := time.Now()
		if err := do(); err != nil {
			return nil, err
		}
		all = append(all, time.Since(begun))
	}
	return all, nil
}

func get(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+benchKey)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: HTTP %d", url, res.StatusCode)
	}
	return nil
}
