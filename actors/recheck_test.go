package actors

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"gateway"
)

// Two models of one provider at their limits of requests, with others waiting: each look at a
// queue arms no more than one other, and all are served when their limit has room.
func TestRechecksDoNotMultiply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const each, most = 60, 600
		one, two := model("a", 100_000), model("a", 100_000)
		one.Name, two.Name = "one", "two"
		s, _ := setup(t, func(c *Config) {
			c.Catalog = catalog{one, two}
			c.Providers[0].Models = []*gateway.Model{one, two}
			c.Providers[0].Limits.RPM = 600 // 10 a second, each
		}, &fake{open: says("x", 10*time.Millisecond)})
		var looks atomic.Int64
		s.root.WithSenderMiddleware(func(next actor.SenderFunc) actor.SenderFunc {
			return func(c actor.SenderContext, to *actor.PID, e *actor.MessageEnvelope) {
				if _, is := e.Message.(recheck); is && looks.Add(1) > 10*most {
					return // or the test would not end
				}
				next(c, to, e)
			}
		})
		begun := time.Now()
		var all sync.WaitGroup
		for range each {
			for _, m := range []string{"a/one", "a/two"} {
				all.Go(func() {
					req := ask("r", false)
					req.Model = m
					if _, err := s.Route(t.Context(), req); err != nil {
						t.Errorf("%s after %v: %v", m, time.Since(begun), err)
					}
				})
			}
		}
		all.Wait()
		t.Logf("%d requests in %v, %d rechecks", 2*each, time.Since(begun), looks.Load())
		if took := time.Since(begun); took < time.Second || took > 7*time.Second {
			t.Errorf("all were served after %v", took)
		}
		if n := looks.Load(); n < each || n > most {
			t.Errorf("%d rechecks for %d requests", n, 2*each)
		}
		s.Stop(t.Context())
		before := looks.Load()
		time.Sleep(time.Hour)
		if n := looks.Load() - before; n > 0 {
			t.Errorf("%d rechecks after the end", n)
		}
	})
}

// Who is still waiting when the system ends leaves no timer behind.
func TestStopTakesTheTimersBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := setup(t, func(c *Config) { c.Providers[0].Limits.RPM = 60 }, &fake{open: says("x", 10*time.Millisecond)})
		var looks atomic.Int64
		s.root.WithSenderMiddleware(func(next actor.SenderFunc) actor.SenderFunc {
			return func(c actor.SenderContext, to *actor.PID, e *actor.MessageEnvelope) {
				if _, is := e.Message.(recheck); is {
					looks.Add(1)
				}
				next(c, to, e)
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		for range 4 {
			go s.Route(ctx, ask("r", false))
		}
		time.Sleep(1500 * time.Millisecond)
		before := looks.Load()
		s.Stop(t.Context())
		time.Sleep(time.Hour)
		cancel()
		time.Sleep(2 * time.Second) // the actor library's throttle keeps a ticker; fake time
		if n := looks.Load() - before; before == 0 || n > 0 {
			t.Errorf("%d rechecks before the end and %d after it", before, n)
		}
	})
}
