package actors

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gateway"
)

// Everybody of a swarm that shares one key is answered after the second for which its only
// provider asks: the time comes for all of them at once, so that there is no queue that one
// of them could make long for others.
func TestASwarmWaitsOutASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var up *fake
		up = &fake{open: func(ctx context.Context, call *gateway.Call) (gateway.Stream, error) {
			if up.calls.Load() == 1 {
				return nil, &gateway.Error{Kind: gateway.RateLimited, Status: 429, RetryAfter: time.Second, Sent: true}
			}
			return says("hello", 100*time.Millisecond)(ctx, call)
		}}
		s, _ := setup(t, nil, up)
		var all sync.WaitGroup
		for i := range 500 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				req := ask(fmt.Sprint(i), true)
				req.Key = "swarm"
				answer, err := s.Route(t.Context(), req)
				if err != nil {
					t.Errorf("request %d: %v", i, err)
					return
				}
				text(t, answer)
			})
		}
		begun := time.Now()
		all.Wait()
		if took := time.Since(begun); took > 1500*time.Millisecond {
			t.Errorf("took %v", took)
		}
		stopped(t, s)
	})
}
