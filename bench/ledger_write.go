package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"gateway"
	"gateway/ledger"
)

// beside puts load on the gateway, alone and while reports are read, by turns.
func (l *ledgerTest) beside(ctx context.Context, out io.Writer, p *process) error {
	t, err := newTarget(p.base, benchKey, "auto", true, 500)
	if err != nil {
		return err
	}
	for _, reading := range []bool{false, true, false, true} {
		readCtx, stop := context.WithCancel(ctx)
		var reader sync.WaitGroup
		reports := 0
		if reading {
			reader.Go(func() { // ends with readCtx
				for readCtx.Err() == nil {
					if get(readCtx, p.base+"/v1/spend?by=day&last=30d") == nil {
						reports++
					}
					sleepUntil(readCtx, time.Now().Add(100*time.Millisecond))
				}
			})
		}
		r := drive(ctx, t, plan{rate: 50, limit: 100, length: l.length})
		stop()
		reader.Wait()
		what := "alone"
		if reading {
			what = fmt.Sprintf("beside %d reports", reports)
		}
		fmt.Fprintf(out, "50 requests/s %s: first token p50 %s p99 %s, %d answered, %d failed\n", what,
			micros(r.first.ValueAtQuantile(50)), micros(r.first.ValueAtQuantile(99)), r.ok, len(r.failed))
	}
	return nil
}

// settles submits rows as finished attempts do, from many at once, and counts those that
// are durable; then waits until all are in SQLite too.
func (l *ledgerTest) settles(ctx context.Context, out io.Writer, folder string) error {
	for _, full := range []bool{false, true} {
		level := map[bool]string{false: "normal", true: "full"}[full]
		dir := filepath.Join(folder, "settles-"+level)
		store, err := ledger.Open(dir, ledger.Options{Full: full})
		if err != nil {
			return err
		}
		books, err := ledger.Start(store, dir, full)
		if err != nil {
			return err
		}
		rows, waits := submit(ctx, books, l.length)
		begun := time.Now()
		if err := books.Stop(); err != nil {
			return err
		}
		drain := time.Since(begun)
		fmt.Fprintf(out, "settles, --ledger-sync %s, 64 at once: %.0f rows/s, durable after p50 %s p99 %s; in SQLite %s after the last, %.0f rows/s all in all\n", level,
			float64(rows)/l.length.Seconds(), waits.at(0.5), waits.at(0.99), drain.Round(time.Millisecond), float64(rows)/(l.length+drain).Seconds())
		if err := store.Close(); err != nil {
			return err
		}
	}
	return nil
}

func submit(ctx context.Context, books *ledger.Committer, length time.Duration) (rows int, all timed) {
	var mu sync.Mutex
	var writers sync.WaitGroup
	end := time.Now().Add(length)
	for w := range 64 {
		writers.Go(func() {
			var mine timed
			for i := 0; time.Now().Before(end) && ctx.Err() == nil; i++ {
				e := rowAt(w*10_000_000+i, 1, time.Now())
				e.Begun = time.Now()
				done, begun := make(chan error, 1), time.Now()
				books.Submit(e, gateway.Hold{}, 0, func(err error) { done <- err })
				if <-done == nil {
					mine = append(mine, time.Since(begun))
				}
			}
			mu.Lock()
			defer mu.Unlock()
			rows, all = rows+len(mine), append(all, mine...)
		})
	}
	writers.Wait()
	return rows, all
}
