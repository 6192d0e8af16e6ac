package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"sync"
	"time"
)

// plan is one run of load.
type plan struct {
	workers int           // closed loop: calls in flight at any time
	rate    float64       // open loop: calls per second; 0 for a closed loop
	limit   int           // open loop: most calls in flight; those over it are counted, not sent
	length  time.Duration // of the run
	calls   int           // end after so many; 0: only length ends it
}

func runLoad(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("bench load", flag.ContinueOnError)
	base := flags.String("url", "http://127.0.0.1:8090", "what to call")
	key := flags.String("key", "", "client key")
	model := flags.String("model", "auto", "model to ask for")
	stream := flags.Bool("stream", false, "ask for a stream")
	size := flags.Int("body", 500, "bytes of the prompt")
	p := plan{}
	flags.IntVar(&p.workers, "c", 16, "closed loop: calls in flight")
	flags.Float64Var(&p.rate, "rate", 0, "open loop: calls per second, whatever the answers do")
	flags.IntVar(&p.limit, "max", 10_000, "open loop: most calls in flight")
	flags.DurationVar(&p.length, "for", 10*time.Second, "how long")
	flags.IntVar(&p.calls, "n", 0, "end after so many calls")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := loopback(*base); err != nil {
		return err
	}
	t, err := newTarget(*base, *key, *model, *stream, *size)
	if err != nil {
		return err
	}
	r := drive(ctx, t, p)
	r.print(out)
	if r.ok == 0 {
		return errors.New("no call was answered")
	}
	return nil
}

// loopback refuses any other host: this program is not for putting load on others.
func loopback(base string) error {
	u, err := url.Parse(base)
	if err != nil {
		return fmt.Errorf("reading -url: %w", err)
	}
	host := u.Hostname()
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%s is not on loopback", base)
	}
	return nil
}

// drive runs the plan and gathers what came of it. Calls that are under way when the
// time is over are waited for, so that slow ones are not left out.
func drive(ctx context.Context, t *target, p plan) *report {
	r := newReport()
	begun := time.Now()
	if p.rate > 0 {
		open(ctx, t, p, r)
	} else {
		closed(ctx, t, p, r)
	}
	r.took = time.Since(begun)
	t.client.CloseIdleConnections()
	return r
}

func closed(ctx context.Context, t *target, p plan, r *report) {
	end := time.Now().Add(p.length)
	tickets := make(chan struct{}, p.workers)
	go func() { // ends when all tickets are out, the time is over or ctx ends
		defer close(tickets)
		for n := 0; (p.calls == 0 || n < p.calls) && time.Now().Before(end); n++ {
			select {
			case tickets <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
	}()
	var workers sync.WaitGroup
	for range p.workers {
		workers.Go(func() {
			for range tickets {
				if !time.Now().Before(end) {
					return
				}
				r.add(t.do(ctx, time.Now()))
			}
		})
	}
	workers.Wait()
	for range tickets { // what no worker took, so that the giver ends
	}
}

// open starts calls at random moments of the given rate (a Poisson process), however
// slow the answers are, and counts a call's time from the moment it was due. So a
// stall is seen by every call that it would have met (no coordinated omission).
func open(ctx context.Context, t *target, p plan, r *report) {
	random := rand.New(rand.NewPCG(1, 2)) // the same arrivals in each run
	places := make(chan struct{}, p.limit)
	var calls sync.WaitGroup
	defer calls.Wait()
	due := time.Now()
	end := due.Add(p.length)
	for n := 0; p.calls == 0 || n < p.calls; n++ {
		due = due.Add(time.Duration(random.ExpFloat64() / p.rate * float64(time.Second)))
		if due.After(end) {
			return
		}
		if !sleepUntil(ctx, due) {
			return
		}
		select {
		case places <- struct{}{}:
		default:
			r.add(sample{err: errors.New("not sent: too many calls in flight")})
			continue
		}
		at := due
		calls.Go(func() {
			r.add(t.do(ctx, at))
			<-places
		})
	}
}

func sleepUntil(ctx context.Context, at time.Time) bool {
	wait := time.Until(at)
	if wait <= 0 {
		return ctx.Err() == nil
	}
	select {
	case <-time.After(wait):
		return true
	case <-ctx.Done():
		return false
	}
}
