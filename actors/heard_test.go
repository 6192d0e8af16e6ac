package actors

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"gateway"
)

// What the head of a long answer says of a limit holds back the next caller at once, and
// nobody when the answer ends.
func TestLimitsAreHeardWithTheHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := false
		up := &fake{open: func(ctx context.Context, call *gateway.Call) (gateway.Stream, error) {
			if told {
				return says("next", time.Second)(ctx, call)
			}
			told = true
			call.OnRate(gateway.RateInfo{Requests: gateway.RateWindow{Limit: 60, Reset: 6 * time.Second}})
			return says("long", time.Minute)(ctx, call)
		}}
		s, _ := setup(t, nil, up)
		took := func() time.Duration {
			begun := time.Now()
			if _, err := s.Route(t.Context(), ask("r", false)); err != nil {
				t.Error(err)
			}
			return time.Since(begun)
		}
		long := make(chan time.Duration)
		go func() { long <- took() }()
		synctest.Wait()
		if d := took(); d != 7*time.Second { // six of them at the door
			t.Errorf("beside the long answer it took %v, want 7s", d)
		}
		if d := <-long; d != time.Minute {
			t.Errorf("the long one took %v", d)
		}
		if d := took(); d != time.Second {
			t.Errorf("after the long answer it took %v, want 1s", d)
		}
		stopped(t, s)
	})
}
