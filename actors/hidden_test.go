package actors

import (
	"context"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gateway"
)

// A provider takes 32 calls at once, says so nowhere and answers 429 to each above. Ten
// seconds after 500 agents began, under 1 % of the calls are refused, and it serves at
// least 90 % of what 32 places could: calls, not time in which a place was taken. The
// clock is the bubble's, so that no other work of the machine counts.
func TestHiddenLimitServesNinetyPerCent(t *testing.T) {
	for name, draw := range map[string]func() time.Duration{
		"all alike":   func() time.Duration { return 200 * time.Millisecond },
		"100 to 300":  func() time.Duration { return 100*time.Millisecond + rand.N(200*time.Millisecond) },
		"exponential": func() time.Duration { return time.Duration(rand.ExpFloat64() * float64(200*time.Millisecond)) },
		"long":        func() time.Duration { return time.Second + rand.N(4*time.Second) },
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { hiddenLimit(t, draw) }) })
	}
}

func hiddenLimit(t *testing.T, draw func() time.Duration) {
	const places, agents = 32, 500
	const learning, measured, oneWay = 10 * time.Second, 60 * time.Second, 2 * time.Millisecond
	var inFlight, refused, served, work atomic.Int64
	up := &fake{open: func(ctx context.Context, _ *gateway.Call) (gateway.Stream, error) {
		time.Sleep(oneWay)
		defer time.Sleep(oneWay)
		defer inFlight.Add(-1)
		if inFlight.Add(1) > places {
			refused.Add(1)
			return nil, &gateway.Error{Kind: gateway.RateLimited, Status: 429, Sent: true}
		}
		d := draw()
		time.Sleep(d)
		served.Add(1)
		work.Add(int64(d))
		usage := &gateway.Usage{Fresh: 10, Output: 3, Reported: true}
		return &steps{ctx: ctx, end: io.EOF, chunks: []gateway.Chunk{{Text: "x"}, {Finish: gateway.FinishStop, Usage: usage}}}, nil
	}}
	s, _ := setup(t, nil, up)
	ctx, leave := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range agents {
		all.Go(func() {
			for ctx.Err() == nil {
				if _, err := s.Route(ctx, ask("r", false)); err != nil && ctx.Err() == nil {
					time.Sleep(500 * time.Millisecond) // as a client does that was refused
				}
			}
		})
	}
	time.Sleep(learning)
	no, yes, had := refused.Load(), served.Load(), work.Load()
	t.Logf("while learning: %d served, %d refused", yes, no)
	time.Sleep(measured)
	no, yes, had = refused.Load()-no, served.Load()-yes, work.Load()-had
	mean := time.Duration(had / yes)
	ideal := places * measured.Seconds() / mean.Seconds()
	t.Logf("afterwards: %d served in %v, %.1f %% of the ideal %.0f; %d refused (%.2f %%)", yes, mean, 100*float64(yes)/ideal, ideal, no, 100*float64(no)/float64(no+yes))
	if float64(yes) < 0.9*ideal {
		t.Errorf("%d calls served of the ideal %.0f; want 90 %%", yes, ideal)
	}
	if float64(no) >= 0.01*float64(no+yes) {
		t.Errorf("%d of %d calls refused; want under 1 %%", no, no+yes)
	}
	leave()
	all.Wait()
	stopped(t, s)
}
