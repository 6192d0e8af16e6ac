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
