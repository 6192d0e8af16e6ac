package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
)

// climb finds the highest rate that a server sustains: it answers nearly all that is
// offered, and its slowest percentile stays within a limit.
type climb struct {
	from, factor float64
	most         int // rates tried going up
	halvings     int // rates tried between the last good and the first bad one
	share        float64
	p99          time.Duration
}

// try is what one rate gave.
type try struct {
	rate float64
	r    *report
}

func (c *climb) sustained(t try) bool {
	total := float64(t.r.ok + t.r.failures())
	return total > 0 && float64(t.r.ok) >= c.share*total && at(t.r.whole, 99) <= c.p99
}

// find tries rates until it knows the highest good one; 0: not even the first was.
func (c *climb) find(ctx context.Context, run func(rate float64) (*report, error)) (best float64, err error) {
	rate, bad := c.from, 0.0
	for range c.most + c.halvings {
		r, err := run(rate)
		if err != nil || ctx.Err() != nil {
			return best, err
		}
		if c.sustained(try{rate, r}) {
			best = rate
		} else {
			bad = rate
		}
		switch {
		case bad == 0:
			rate *= c.factor
		case best == 0 || bad/best < 1.06: // nearer than that is noise
			return best, nil
		default:
			rate = (best + bad) / 2
		}
	}
	return best, nil
}

type saturateSettings struct {
	where
	outputs
	climb
	stream bool
	size   string
	length time.Duration
	limit  int
}

func newSaturate() *cobra.Command {
	var s saturateSettings
	cmd := &cobra.Command{
		Use:   "saturate",
		Short: "Raise the rate of an open loop until the server no longer keeps up",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return s.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	s.where.flags(cmd)
	s.outputs.flags(cmd)
	s.climb.flags(cmd)
	f := cmd.Flags()
	f.BoolVar(&s.stream, "stream", false, "ask for streams")
	f.StringVar(&s.size, "body", "300", "bytes of the prompt, such as 300, 10k or 100k")
	f.DurationVar(&s.length, "for", 5*time.Second, "how long each rate lasts")
	f.IntVar(&s.limit, "max", 10_000, "most calls in flight; more are counted as not sent")
	return cmd
}

func (c *climb) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.Float64Var(&c.from, "from", 100, "first rate, calls per second")
	f.Float64Var(&c.factor, "factor", 1.5, "from one rate to the next")
	f.IntVar(&c.most, "steps", 12, "most rates going up")
	f.IntVar(&c.halvings, "halvings", 3, "rates between the last good and the first bad one")
	f.Float64Var(&c.share, "share", 0.99, "part of what is offered that must be answered")
	f.DurationVar(&c.p99, "p99", time.Second, "most that the slowest percentile may take")
}

func (s *saturateSettings) run(ctx context.Context, out io.Writer) error {
	if err := s.check(); err != nil {
		return err
	}
	if s.from <= 0 || s.factor <= 1 || s.length <= 0 || s.limit < 1 {
		return errors.New("--from, --for and --max must be above 0 and --factor above 1")
	}
	size, err := bytesOf(s.size)
	if err != nil {
		return fmt.Errorf("--body: %w", err)
	}
	t, err := s.target(s.stream, size)
	if err != nil {
		return err
	}
	result := newResult("saturate", s.url, s.model)
	best, err := s.find(ctx, func(rate float64) (*report, error) {
		p := plan{rate: rate, limit: s.limit, length: s.length, timeline: true}
		name := fmt.Sprintf("%.0f/s", rate)
		stop := watch(name, &p)
		r := drive(ctx, t, p)
		stop()
		result.add(name, rate, r)
		return r, nil
	})
	if err = errors.Join(err, s.write(out, result)); err != nil {
		return err
	}
	if best == 0 {
		return fmt.Errorf("not even %.0f/s is sustained", s.from)
	}
	fmt.Fprintf(out, "sustained: %.0f/s (at least %.0f %% answered, p99 within %s)\n", best, 100*s.share, s.p99)
	return nil
}
