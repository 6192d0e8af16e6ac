package actors

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// Who waited too long, or left, takes no place in the queue any more.
func TestTheQueueForgetsWhoDoesNotWait(t *testing.T) {
	for _, gone := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s, _ := setup(t, func(c *Config) { c.Providers = c.Providers[:1]; c.Providers[0].Limits.MaxInFlight = 1 }, &fake{open: says("x", 60*time.Second)})
			go s.Route(t.Context(), ask("long", false))
			synctest.Wait()
			ctx, cancel := context.WithCancel(t.Context())
			for range 64 {
				go func() {
					req := ask("r", false)
					req.Key = "k"
					s.Route(ctx, req)
				}()
			}
			synctest.Wait()
			if gone {
				time.Sleep(time.Second)
				cancel()
			} else {
				time.Sleep(12 * time.Second)
			}
			synctest.Wait()
			begun := time.Now()
			req := ask("new", false)
			req.Key = "k"
			_, _ = s.Route(t.Context(), req)
			if time.Since(begun) < time.Second {
				t.Errorf("gone=%v: refused at once although nobody waits", gone)
			}
			cancel()
			time.Sleep(time.Minute)
			stopped(t, s)
		})
	}
}

// Who waits behind one that wants more than there is gets what there is when that one leaves.
func TestTheNextInTurnIsServedWhenTheFirstLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := &fake{open: says("x", 60*time.Second)}
		s, _ := setup(t, func(c *Config) { c.Providers[0].Limits.TPM = 6000 }, up) // 100 a second
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		first, leave := context.WithCancel(ctx)
		for _, r := range []struct {
			ctx    context.Context
			tokens int
		}{{ctx, 5800}, {first, 800}, {ctx, 50}} { // and 100 for each prompt
			req := ask("r", false)
			req.MaxTokens = r.tokens
			go s.Route(r.ctx, req)
			synctest.Wait()
		}
		time.Sleep(time.Second)
		if n := up.calls.Load(); n != 1 {
			t.Fatalf("%d calls before the first in turn left", n)
		}
		leave()
		synctest.Wait()
		if n := up.calls.Load(); n != 2 {
			t.Errorf("%d calls after it left", n)
		}
		cancel()
		time.Sleep(time.Minute)
		stopped(t, s)
	})
}
