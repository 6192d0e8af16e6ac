package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"
)

// soak is what the command was told.
type soak struct {
	outputs
	length  time.Duration
	streams int
	aborts  float64
	settle  time.Duration
	rig     rig

	log io.Writer
}

func newSoak() *cobra.Command {
	var s soak
	cmd := &cobra.Command{
		Use:   "soak",
		Short: "Run long with incidents and aborts, then look for what is left over and compare the bills",
		Long: "Keeps so many streams open through a gateway of its own, before three simulated providers that have\n" +
			"incidents, with clients that leave at random. Afterwards goroutines, file descriptors and memory must\n" +
			"be back where they were after the warm-up, and the ledger must say what the providers charge.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	s.outputs.flags(cmd)
	f := cmd.Flags()
	f.DurationVar(&s.length, "for", 30*time.Minute, "how long")
	f.IntVar(&s.streams, "streams", 500, "streams open at any time")
	f.Float64Var(&s.aborts, "aborts", 0.1, "part of the streams whose client leaves before the end")
	f.DurationVar(&s.settle, "settle", 100*time.Second, "quiet time after the warm-up and the end, for idle connections to close")
	f.StringVar(&s.rig.binary, "gateway", "", "gateway binary; empty: build it")
	f.StringVar(&s.rig.sync, "ledger-sync", "full", "what the gateway's ledger waits for: full or normal")
	return cmd
}

func (s *soak) run(ctx context.Context, out, log io.Writer) (err error) {
	if s.length <= 0 || s.streams < 1 || s.aborts < 0 || s.aborts > 1 {
		return errors.New("--for and --streams must be above 0, --aborts between 0 and 1")
	}
	s.log = log
	if s.rig.folder, err = os.MkdirTemp("", "bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(s.rig.folder)
	defer s.rig.stop()
	fakes, err := startProviders()
	if err != nil {
		return err
	}
	defer fakes.stop()
	admin, err := s.rig.administered(ctx)
	if err != nil {
		return err
	}
	gateway, err := s.rig.gatewayWith(ctx, fakes.config())
	if err != nil {
		return err
	}
	v := newVerdict("soak")
	if err := s.measure(ctx, v, gateway, admin, fakes); err != nil {
		return errors.Join(err, v.write(out, s.outputs))
	}
	return v.write(out, s.outputs)
}

func (s *soak) measure(ctx context.Context, v *verdict, gateway *process, admin *admin, fakes *providersAtHand) error {
	t, err := newTarget(gateway.base, benchKey, "auto", true, 400)
	if err != nil {
		return err
	}
	t.timeout = 2 * time.Minute
	s.say("warm-up with %d streams", s.streams)
	s.load(ctx, t, min(30*time.Second, s.length))
	before, err := s.quiet(ctx, gateway, admin, nil)
	if err != nil {
		return err
	}
	s.say("before: %s", before)
	fakes.misbehave(time.Now())
	r := s.load(ctx, t, s.length)
	fakes.misbehave(time.Time{})
	after, err := s.quiet(ctx, gateway, admin, before)
	if err != nil {
		return err
	}
	s.say("after: %s", after)
	share := float64(r.ok) / float64(max(r.ok+r.failures(), 1))
	v.add(gateway.alive() && share > 0.98, fmt.Sprintf("%s with %d streams, incidents and aborts", s.length, s.streams), "98 % of what is not left is answered whole",
		"%.2f %%: %d answered whole, %d left by their clients, %d failed, first content p50 %s p99 %s", 100*share, r.ok, r.cut, r.failures(), at(r.first, 50), at(r.first, 99))
	for text, n := range r.failed {
		s.say("%d x %s", n, text)
	}
	for _, one := range before.against(after) {
		v.add(one.ok, one.name, one.want, "%d, before %d", one.after, one.before)
	}
	return s.bills(ctx, v, t, fakes)
}

// load keeps the streams open for a while. A client leaves by its own choice, at any
// moment of its stream.
func (s *soak) load(ctx context.Context, t *target, length time.Duration) *report {
	r := newReport()
	end := time.Now().Add(length)
	var clients sync.WaitGroup
	for i := range s.streams {
		clients.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 7))
			time.Sleep(time.Duration(random.Int64N(int64(5 * time.Second)))) // not all at once
			for time.Now().Before(end) && ctx.Err() == nil {
				one, leave := context.WithCancel(ctx)
				if random.Float64() < s.aborts {
					at := time.AfterFunc(time.Duration(random.Int64N(int64(8*time.Second))), leave)
					defer at.Stop()
				}
				answer := t.do(one, time.Now())
				leave()
				r.add(answer)
				if answer.err != nil { // as a client that tries again after a while
					sleepUntil(ctx, time.Now().Add(time.Duration(random.Int64N(int64(time.Second)))))
				}
			}
		})
	}
	done := make(chan struct{})
	watching := sync.WaitGroup{}
	watching.Go(func() { show("soak", length, r.counts, done) })
	clients.Wait()
	close(done)
	watching.Wait()
	r.took = length
	t.client.CloseIdleConnections()
	return r
}

func (s *soak) say(format string, args ...any) { fmt.Fprintf(s.log, "  "+format+"\n", args...) }

// bills compares what the ledger says with what the providers charge.
func (s *soak) bills(ctx context.Context, v *verdict, t *target, fakes *providersAtHand) error {
	lines, err := spendBy(ctx, t, "provider")
	if err != nil {
		return err
	}
	for i, name := range providerNames {
		at := slices.IndexFunc(lines, func(l spendLine) bool { return l.Group["provider"] == name })
		if at < 0 {
			lines, at = append(lines, spendLine{}), len(lines)
		}
		l := lines[at]
		bill := fakes.charged(i)
		// An attempt may be cancelled before it arrives, and one that dies on a kept
		// connection without an answer is sent again on another.
		few := bill.requests/100 + 5
		v.add(l.Attempts >= bill.requests-few && l.Attempts <= bill.requests+few, name+": attempts in the ledger",
			"what the provider saw, within 1 % and 5", "%d, it saw %d", l.Attempts, bill.requests)
		exact := l.Cost - l.Estimated
		off := 100 * float64(exact-bill.whole) / float64(max(bill.whole, 1))
		v.add(off > -0.1 && off < 0.1, name+": cost of whole answers, microcents", "what the provider charges (0.1 % for those cut in their last moment)",
			"%d, charged %d: %+.4f %%", exact, bill.whole, off)
		off = 100 * float64(l.Cost-bill.whole-bill.cut) / float64(max(bill.whole+bill.cut, 1))
		v.add(off > -1 && off < 10, name+": cost with the estimates for cut answers", "at most 1 % below the bill and 10 % above",
			"%d of it estimated, charged %d: %+.3f %% of all", l.Estimated, bill.cut, off)
	}
	return nil
}
