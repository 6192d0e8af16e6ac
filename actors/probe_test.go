package actors

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"gateway"
)

// ill is an upstream that fails while it is told to, and says something else then.
func ill(n int, then func(context.Context, *gateway.Call) (gateway.Stream, error)) *fake {
	var f *fake
	f = &fake{open: func(ctx context.Context, call *gateway.Call) (gateway.Stream, error) {
		if f.calls.Load() <= int64(n) {
			return fails(gateway.Unavailable, 500)(ctx, call)
		}
		return then(ctx, call)
	}}
	return f
}

// shut asks until the circuit of the only provider is open, and waits until it may be tested.
func shut(t *testing.T, s *System) {
	t.Helper()
	for i := range 30 {
		if _, err := s.Route(t.Context(), ask(fmt.Sprint("ill", i), true)); gateway.KindOf(err) == gateway.CircuitOpen {
			time.Sleep(5*time.Second + time.Millisecond)
			return
		}
	}
	t.Fatal("the circuit does not open")
}

// A probe that is never answered, as one that has no other provider to go to is let wait
// for, does not keep everybody else from a provider that is well again.
func TestASilentProbeKeepsNobodyAwayForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		healed := 0
		s, _ := setup(t, nil, ill(20, func(ctx context.Context, call *gateway.Call) (gateway.Stream, error) {
			if healed++; healed == 1 {
				<-ctx.Done()
				return nil, gateway.Errorf(gateway.Canceled, "cut")
			}
			return says("hello", 200*time.Millisecond)(ctx, call)
		}))
		shut(t, s)
		silent, leave := context.WithCancel(t.Context())
		go s.Route(silent, ask("silent", true))
		synctest.Wait()
		time.Sleep(11 * time.Second)
		answer, err := s.Route(t.Context(), ask("next", true))
		if err != nil {
			t.Fatalf("11 s after a probe that says nothing: %v", err)
		}
		text(t, answer)
		leave()
		stopped(t, s)
	})
}

// A provider that is well serves everybody although its first probes' answers take minutes.
func TestLongProbesKeepNobodyAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := setup(t, nil, ill(20, func(ctx context.Context, _ *gateway.Call) (gateway.Stream, error) {
			return &steps{ctx: ctx, chunks: []gateway.Chunk{{Text: "long "}, {Text: "answer"}}, pause: []time.Duration{time.Second, 5 * time.Minute}}, nil
		}))
		shut(t, s)
		var open []*gateway.Answer
		for i := range 10 {
			answer, err := s.Route(t.Context(), ask(fmt.Sprint(i), true))
			if err != nil {
				t.Fatalf("request %d, after the first content of those before: %v", i, err)
			}
			open = append(open, answer)
		}
		for _, answer := range open {
			answer.Stream.Close()
		}
		stopped(t, s)
	})
}
