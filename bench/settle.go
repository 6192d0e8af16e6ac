package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/spf13/cobra"

	"gateway"
	"gateway/ledger"
)

// settleTest is what `bench settle` was told.
type settleTest struct {
	writers int
	length  time.Duration
	folder  string
}

func newSettle() *cobra.Command {
	s := settleTest{}
	cmd := &cobra.Command{
		Use:   "settle",
		Short: "Measure how many rows a second the books make durable, at each level",
		Long: "Each writer does what an attempt does: it puts down that it leaves, then settles, and waits for\n" +
			"both. In the store is the rate at which SQLite had the rows as well.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	f := cmd.Flags()
	f.IntVar(&s.writers, "c", 64, "writers at once")
	f.DurationVar(&s.length, "for", 3*time.Second, "how long, at each level")
	f.StringVar(&s.folder, "dir", "", "where the books are made; empty for the temporary folder")
	return cmd
}

func (s *settleTest) run(ctx context.Context, out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "level\trows/s\tin the store\tsettle p50\tsettle p99\t")
	for _, full := range []bool{false, true} {
		if err := s.level(ctx, table, full); err != nil {
			return err
		}
	}
	return table.Flush()
}

func (s *settleTest) level(ctx context.Context, out io.Writer, full bool) (err error) {
	dir, err := os.MkdirTemp(s.folder, "bench-settle")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	store, err := ledger.Open(dir, ledger.Options{Full: full})
	if err != nil {
		return err
	}
	books, err := ledger.Start(store, dir, full)
	if err != nil {
		return errors.Join(err, store.Close())
	}
	waits := hdrhistogram.New(1, 60_000_000, 3)
	var mu sync.Mutex
	var rows atomic.Int64
	var all sync.WaitGroup
	begun := time.Now()
	for w := range s.writers {
		all.Go(func() {
			mine := hdrhistogram.New(1, 60_000_000, 3)
			for n := 0; time.Since(begun) < s.length && ctx.Err() == nil; n++ {
				took, err := settleOne(books, fmt.Sprintf("%d-%d", w, n))
				if err != nil {
					break // the books say why at the end
				}
				_ = mine.RecordValue(max(1, took.Microseconds()))
				rows.Add(1)
			}
			mu.Lock()
			defer mu.Unlock()
			waits.Merge(mine)
		})
	}
	all.Wait()
	took := time.Since(begun)
	err = books.Flush(ctx)
	stored := time.Since(begun)
	level := map[bool]string{false: "normal", true: "full"}[full]
	fmt.Fprintf(out, "%s\t%.0f\t%.0f\t%v\t%v\t\n", level, float64(rows.Load())/took.Seconds(), float64(rows.Load())/stored.Seconds(),
		time.Duration(waits.ValueAtQuantile(50))*time.Microsecond, time.Duration(waits.ValueAtQuantile(99))*time.Microsecond)
	return errors.Join(err, books.Stop(), store.Close())
}

// settleOne puts an attempt down and settles it; took is of the settlement.
func settleOne(books *ledger.Committer, id string) (took time.Duration, err error) {
	e := gateway.Entry{Request: id, Attempt: 1, Key: "bench", Op: "chat", Role: gateway.Primary, Provider: "first", Model: "bench-model", Asked: "auto",
		Begun: time.Now(), FirstContent: time.Millisecond, Took: time.Second, Outcome: "ok", Finish: "stop", Winner: true, Stream: true,
		Usage: gateway.Usage{Fresh: 100, Output: 40, Reported: true}, Source: gateway.UsageReported, Cost: 1234, Priced: true, PriceDate: "2026-11-10"}
	if err := books.Begin(context.Background(), &gateway.Outset{Entry: e}); err != nil {
		return 0, err
	}
	done := make(chan error, 1)
	begun := time.Now()
	books.Submit(e, gateway.Hold{}, 0, func(err error) { done <- err })
	err = <-done
	return time.Since(begun), err
}
