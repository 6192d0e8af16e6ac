package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
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
	turn    time.Duration
	rig     rig

	log   io.Writer
	calls atomic.Int64
	ends  ends
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
	f.DurationVar(&s.turn, "turn", time.Minute, "how long each provider's turn at being ill comes to; shorter ones bring all faults into a shorter run")
	f.DurationVar(&s.settle, "settle", 150*time.Second, "quiet time after the warm-up and the end; idle connections to providers close after 90 to 135 s, so with less their files are still open")
	f.StringVar(&s.rig.binary, "gateway", "", "gateway binary; empty: build it")
	f.StringVar(&s.rig.sync, "ledger-sync", "full", "what the gateway's ledger waits for: full or normal")
	return cmd
}

func (s *soak) run(ctx context.Context, out, log io.Writer) (err error) {
	if s.length <= 0 || s.turn <= 0 || s.streams < 1 || s.aborts < 0 || s.aborts > 1 {
		return errors.New("--for, --turn and --streams must be above 0, --aborts between 0 and 1")
	}
	s.log = log
	if s.rig.folder, err = os.MkdirTemp("", "bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(s.rig.folder)
	defer s.rig.stop()
	fakes, err := startProviders(s.turn)
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
	s.ends.begin(fakes)
	r := s.load(ctx, t, s.length)
	fakes.misbehave(time.Time{})
	after, err := s.quiet(ctx, gateway, admin, before)
	if err != nil {
		return err
	}
	s.say("after: %s", after)
	v.add(gateway.alive(), fmt.Sprintf("%s with %d streams, incidents and aborts", s.length, s.streams), "the gateway lives",
		"%d answered whole, %d left by their clients, first content p50 %s p99 %s", r.ok, r.cut, at(r.first, 50), at(r.first, 99))
	s.ends.judge(v, r.ok, fakes)
	for _, one := range before.against(after) {
		v.add(one.ok, one.name, one.want, "%d, before %d", one.after, one.before)
	}
	spend, err := spendBy(ctx, t, "provider")
	if err != nil {
		return err
	}
	s.rig.stop() // the books have one owner at a time
	return s.bills(ctx, v, spend, fakes)
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
				due := time.Now()
				answer := s.numbered(t).do(one, due)
				leave()
				r.add(answer)
				s.ends.add(answer, due)
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

// numbered is a target whose call can be found again in the books and in the bills.
func (s *soak) numbered(t *target) *target {
	one := *t
	id := fmt.Sprintf("s%d", s.calls.Add(1))
	one.body = fmt.Appendf(nil, `{"model":"auto","stream":true,"messages":[{"role":"user","content":"[[id:%s]] %s"}]}`, id, prompt(400))
	one.header = http.Header{"X-Gateway-Tags": {"id=" + id}}
	return &one
}

func (s *soak) say(format string, args ...any) { fmt.Fprintf(s.log, "  "+format+"\n", args...) }
