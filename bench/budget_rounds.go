package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// budgetSum is what all rounds came to.
type budgetSum struct {
	rounds, requests, answered, left, refused, crowded, unwarranted, busy int
	attempts, fallback                                                    int
	over, unheld                                                          int
	used, charged, unsure                                                 float64 // of the limits, summed
	worst                                                                 int64   // overshoot in microcents
	slowest                                                               time.Duration

	roomy    int     // rounds that ended where a call would have fitted
	unproven int     // rounds with more unsure than cut calls can account for
	room     float64 // of the limit, left by the providers' side at the worst
	allowed  float64 // of the limit, that may be left so
	rooms    float64 // of the limits, summed
	holds    float64 // two of them, of the limits, summed
}

func (b *budgetTest) rounds(ctx context.Context, out io.Writer, f *funds, o *outside) (left int, err error) {
	begun := time.Now()
	var sum budgetSum
	said := begun
	for (sum.requests < b.requests || sum.rounds < b.least) && time.Since(begun) < b.within && ctx.Err() == nil {
		if err := errors.Join(o.first.anew(), o.second.anew()); err != nil {
			return 0, err
		}
		o.mayCut.Store(0)
		if err := b.round(ctx, &sum, f, o); err != nil {
			sum.print(out, time.Since(begun), b)
			return 0, err
		}
		if time.Since(said) > 30*time.Second {
			said = time.Now()
			fmt.Fprintf(out, "%d requests in %d rounds, %.0f s; overshoot %d, refused with room %d, ended with room %d, left held %d\n", sum.requests, sum.rounds,
				time.Since(begun).Seconds(), sum.worst, sum.unwarranted, sum.roomy, sum.unheld)
		}
	}
	sum.print(out, time.Since(begun), b)
	return sum.left, errors.Join(sum.verdict(), ctx.Err())
}

// verdict says which promise was broken. What is booked of all budgets is at most 1 %
// below what the providers charge and 4 % above: a fifth of the calls are cut, and what of
// them was charged is booked by estimate.
func (s *budgetSum) verdict() error {
	var broken error
	for _, p := range []struct {
		broken bool
		what   string
	}{
		{s.worst > 0, "the providers charged more than a budget"},
		{s.unheld > 0, "something was held a second after the end"},
		{s.unwarranted > 0, "calls were refused while there was room"},
		{s.roomy > 0, "rounds ended while there was room"},
		{s.rooms > s.holds+float64(s.rounds)/20, "the rounds left too much room in the mean"},
		{s.unproven > 0, "more was kept as unsure than calls that were cut may have cost"},
		{s.requests >= mixLeast && (s.used < s.charged*0.99 || s.used > s.charged*1.04), "what is booked is not what was charged, within 1 % below and 4 % above"},
	} {
		if p.broken {
			broken = errors.Join(broken, errors.New(p.what))
		}
	}
	return broken
}

func (s *budgetSum) print(out io.Writer, took time.Duration, b *budgetTest) {
	n := float64(max(1, s.rounds))
	fmt.Fprintf(out, "%d rounds of $%.2f with %d callers, %d requests beside those refused in %.0f s (%.0f/s)\n", s.rounds, float64(b.limit)/1e8, b.callers, s.requests, took.Seconds(), float64(s.requests)/took.Seconds())
	fmt.Fprintf(out, "answered %d, left before the end %d, refused %d, told to come back %d; %d attempts, %d of them at the second provider\n", s.answered, s.left, s.refused, s.busy, s.attempts, s.fallback)
	fmt.Fprintf(out, "overshoot against the providers' own bill: worst %d microcents, in %d rounds\n", s.worst, s.over)
	fmt.Fprintf(out, "refused while there was room: %d (for what others held, after a wait: %d); rounds with something held a second after the end: %d (longest wait for 0: %v)\n",
		s.unwarranted, s.crowded, s.unheld, s.slowest.Round(time.Millisecond))
	fmt.Fprintf(out, "rounds that ended with room: %d (by the providers' bill and what they saw cut, %.2f %% of the budget in the mean and %.2f %% at the worst; %.2f %% allowed)\n",
		s.roomy, 100*s.rooms/n, 100*s.room, 100*s.allowed)
	fmt.Fprintf(out, "of a budget, in the mean: %.2f %% booked, %.2f %% charged by the providers, %.2f %% unsure; rounds with more unsure than was cut: %d\n",
		100*s.used/n, 100*s.charged/n, 100*s.unsure/n, s.unproven)
	if s.requests < mixLeast {
		fmt.Fprintln(out, "these are too few requests to judge what is booked by estimate, and the mix")
	}
}

// round spends one budget to its end.
func (b *budgetTest) round(ctx context.Context, sum *budgetSum, f *funds, o *outside) error {
	sum.rounds++
	of, err := f.of(ctx, sum.rounds)
	if err != nil {
		return err
	}
	crowd := newSpenders(f.base, of, o)
	crowd.spend(ctx, b.callers, uint64(sum.rounds))
	held, state, err := crowd.untilFree(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(o.first.quiet(ctx), o.second.quiet(ctx)); err != nil {
		return err
	}
	p1, n1, _, _ := o.first.charged()
	p2, n2, _, _ := o.second.charged()
	const picosPerMicrocent = 10_000
	bill := (p1 + p2 + picosPerMicrocent - 1) / picosPerMicrocent
	if over := bill - of.limit; over > 0 {
		sum.over++
		sum.worst = max(sum.worst, over)
	}
	if held > 0 {
		sum.unheld++
	}
	sum.judge(of, state, o)
	limit := float64(of.limit)
	sum.slowest = max(sum.slowest, crowd.freed)
	sum.used += float64(state.Spent) / limit
	sum.unsure += float64(state.Unsure) / limit
	sum.charged += float64(bill) / limit
	sum.requests += int(crowd.answered.Load() + crowd.left.Load())
	sum.attempts += n1 + n2
	sum.fallback += n2
	sum.answered += int(crowd.answered.Load())
	sum.left += int(crowd.left.Load())
	sum.refused += int(crowd.refused.Load())
	sum.crowded += int(crowd.crowded.Load())
	sum.unwarranted += int(crowd.unwarranted.Load())
	sum.busy += int(crowd.busy.Load())
	return crowd.failure()
}

// judge asks, when everybody has been refused, whether one more call would have fitted:
// by what the gateway says that is left, and by what the providers charged and saw cut.
// The last to be refused may have been so for another that then ended: two holds. Calls that
// were cut on their way to a provider are on its side as if they had never been: they may
// account for a tenth of a budget, and for a twentieth in the mean.
func (s *budgetSum) judge(of *fund, state stands, o *outside) {
	c, limit := o.now(), float64(of.limit)
	room := of.limit - c.bill - c.unsure
	unseen := min(c.lag, of.limit/10)
	allowed := 2*o.hold() + unseen
	if of.limit-state.Spent-state.Unsure >= 2*o.hold() || room >= allowed {
		s.roomy++
	}
	if state.Unsure > c.unsure+unseen {
		s.unproven++
	}
	s.rooms += float64(room) / limit
	s.holds += float64(2*o.hold()) / limit
	if share := float64(room) / limit; s.rounds == 1 || share > s.room {
		s.room = share
	}
	s.allowed = max(s.allowed, float64(allowed)/limit)
}
