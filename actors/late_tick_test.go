package actors

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"gateway"
)

// A tick that comes late puts off what was due once, not for as long as others are served.
func TestALateTickStopsNoDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{open: func(ctx context.Context, call *gateway.Call) (gateway.Stream, error) {
			if call.Request.ID == "x" {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return says("y", 0)(ctx, call)
		}}
		s, _ := setup(t, nil, f)
		req := ask("x", false)
		req.Options.Deadline = time.Second
		begun := time.Now()
		took := make(chan time.Duration, 1)
		go func() { s.Route(t.Context(), req); took <- time.Since(begun) }()
		time.AfterFunc(990*time.Millisecond, func() {
			st := make(chan []gateway.ProviderStatus)
			go s.tell(askStatus{st})
			time.Sleep(30 * time.Millisecond)
			<-st
		})
		for time.Since(begun) < 20*time.Second {
			time.Sleep(3 * time.Millisecond)
			go s.Route(t.Context(), ask("y", false))
		}
		d := <-took
		if d > 1200*time.Millisecond {
			t.Errorf("a deadline of 1 s ended after %v, while others were served", d)
		}
		synctest.Wait()
		stopped(t, s)
	})
}
