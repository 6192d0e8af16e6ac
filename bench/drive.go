package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// plan is one run of load.
type plan struct {
	workers  int           // closed loop: calls in flight at any time
	rate     float64       // open loop: calls per second; 0 for a closed loop
	even     bool          // open loop: at equal distances instead of at random
	limit    int           // open loop: most calls in flight; those over it are counted, not sent
	length   time.Duration // of the run
	calls    int           // end after so many; 0: only length ends it
	timeline bool          // keep what happened when
	watch    func(*report) // called once with the report that fills; may be nil
}

// drive runs the plan and gathers what came of it. Calls that are under way when the
// time is over are waited for, so that slow ones are not left out.
func drive(ctx context.Context, t *target, p plan) *report {
	r := newReport()
	if p.timeline {
		r.line = newTimeline(p.length)
	}
	if p.watch != nil {
		p.watch(r)
	}
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
				if !time.Now().Before(end) || ctx.Err() != nil {
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

var errNotSent = errors.New("not sent: too many calls in flight")

// open starts calls at random moments of the given rate (a Poisson process) or at even
// ones, however slow the answers are, and counts a call's time from the moment it was
// due. So a stall is seen by every call that it would have met (no coordinated omission).
func open(ctx context.Context, t *target, p plan, r *report) {
	places := make(chan struct{}, p.limit)
	var calls sync.WaitGroup
	defer calls.Wait()
	next := arrivals(p)
	due := time.Now()
	end := due.Add(p.length)
	for n := 0; p.calls == 0 || n < p.calls; n++ {
		due = due.Add(next())
		if due.After(end) || !sleepUntil(ctx, due) {
			return
		}
		select {
		case places <- struct{}{}:
		default:
			r.add(sample{err: errNotSent})
			continue
		}
		at := due
		calls.Go(func() {
			r.add(t.do(ctx, at))
			<-places
		})
	}
}

// arrivals gives the time from one call to the next. Each run has the same ones.
func arrivals(p plan) func() time.Duration {
	mean := float64(time.Second) / p.rate
	if p.even {
		return func() time.Duration { return time.Duration(mean) }
	}
	random := rand.New(rand.NewPCG(1, 2))
	return func() time.Duration { return time.Duration(random.ExpFloat64() * mean) }
}

// sleepUntil is false when ctx ends first.
func sleepUntil(ctx context.Context, at time.Time) bool {
	wait := time.Until(at)
	if wait <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
