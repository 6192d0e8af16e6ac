package actors

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"gateway"
)

// A request's goroutine makes the first call itself. When its client leaves it cannot say
// so before the call has ended: the end of the call starts no other for nobody.
func TestAClientThatLeavesDuringItsOwnCallStartsNothing(t *testing.T) {
	for _, stream := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			hangs := func(ctx context.Context, _ *gateway.Call) (gateway.Stream, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			next := &fake{open: says("nobody hears it", 0)}
			s, b := setup(t, func(c *Config) { c.Hedge = "off" }, &fake{open: hangs}, next)
			ctx, leave := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, leave)
			begun := time.Now()
			_, err := s.Route(ctx, ask("r1", stream))
			if gateway.KindOf(err) != gateway.Canceled || time.Since(begun) != time.Second {
				t.Errorf("%v after %v", err, time.Since(begun))
			}
			stopped(t, s)
			if rows := b.all(); next.calls.Load() != 0 || len(rows) != 1 || rows[0].Outcome != "canceled" {
				t.Errorf("%d calls for nobody, rows %+v", next.calls.Load(), rows)
			}
		})
	}
}

// The request's goroutine lets go of its own call when another answers, or when its time
// is over.
func TestOwnCallIsGivenUp(t *testing.T) {
	hangs := func(ctx context.Context, _ *gateway.Call) (gateway.Stream, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	for _, stream := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s, b := setup(t, func(c *Config) { c.HedgeAfter = time.Second }, &fake{open: hangs}, &fake{open: says("hedge", 200*time.Millisecond)})
			begun := time.Now()
			answer, err := s.Route(t.Context(), ask("r1", stream))
			if err != nil || text(t, answer) != "hedge" || time.Since(begun) != 1200*time.Millisecond {
				t.Errorf("%+v, %v after %v", answer, err, time.Since(begun))
			}
			stopped(t, s)
			if rows := b.all(); len(rows) != 2 {
				t.Errorf("%+v", rows)
			}
		})
		synctest.Test(t, func(t *testing.T) {
			s, _ := setup(t, nil, &fake{open: hangs})
			req := ask("r1", stream)
			req.Options.Deadline = 3 * time.Second
			begun := time.Now()
			if _, err := s.Route(t.Context(), req); gateway.KindOf(err) != gateway.Deadline || time.Since(begun) != 3*time.Second {
				t.Errorf("%v after %v", err, time.Since(begun))
			}
			stopped(t, s)
		})
	}
}

// stalledBooks never say that an attempt is known.
type stalledBooks struct{ books }

func (b *stalledBooks) Begin(ctx context.Context, _ *gateway.Outset) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// Books that do not answer hold nobody for longer than the request lasts.
func TestStalledBooksHoldNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := &fake{open: says("a", 0)}
		s, _ := setup(t, func(c *Config) { c.Books = &stalledBooks{} }, up)
		ctx, leave := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, leave)
		begun := time.Now()
		if _, err := s.Route(ctx, ask("r1", false)); gateway.KindOf(err) != gateway.Canceled || time.Since(begun) != time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		req := ask("r2", false)
		req.Options.Deadline = 2 * time.Second
		begun = time.Now()
		if _, err := s.Route(t.Context(), req); gateway.KindOf(err) != gateway.Deadline || time.Since(begun) != 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		stopped(t, s)
	})
}
