package actors

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"gateway"
)

// slow says a word a second for a minute.
func slow(ctx context.Context, _ *gateway.Call) (gateway.Stream, error) {
	s := &steps{ctx: ctx, end: io.EOF}
	for range 60 {
		s.chunks, s.pause = append(s.chunks, gateway.Chunk{Text: "word "}), append(s.pause, time.Second)
	}
	return s, nil
}

// A key that is revoked, or a run that is stopped, ends its streams at once and those
// of nobody else; the client hears why.
func TestEndKeyAndRunEndStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sys, rows := setup(t, nil, &fake{open: slow})
		open := func(key, run string) gateway.Stream {
			answer, err := sys.Route(t.Context(), &gateway.Request{ID: "r-" + key + run, Key: key, Run: run, Stream: true, Begun: time.Now()})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := answer.Stream.Next(); err != nil {
				t.Fatal(err)
			}
			return answer.Stream
		}
		a, b, other := open("a", ""), open("b", "one"), open("b", "two")
		if n := sys.EndKey("a", gateway.Errorf(gateway.Unauthorized, "the key was revoked")); n != 1 {
			t.Errorf("%d requests ended, want 1", n)
		}
		if n := sys.EndRun("b", "one", gateway.Errorf(gateway.BudgetExceeded, "the run was stopped")); n != 1 {
			t.Errorf("%d requests ended, want 1", n)
		}
		begun := time.Now()
		for _, c := range []struct {
			stream gateway.Stream
			kind   gateway.Kind
		}{{a, gateway.Unauthorized}, {b, gateway.BudgetExceeded}} {
			_, err := c.stream.Next()
			if gateway.KindOf(err) != c.kind || time.Since(begun) > 0 {
				t.Errorf("after %v: %v, want %v", time.Since(begun), err, c.kind)
			}
			c.stream.Close()
		}
		if _, err := other.Next(); err != nil {
			t.Errorf("another run of the same key ended too: %v", err)
		}
		other.Close()
		synctest.Wait()
		if len(rows.all()) != 3 {
			t.Errorf("rows %+v", rows.all())
		}
		stopped(t, sys)
		if n := sys.EndKey("a", gateway.Errorf(gateway.Unauthorized, "")) + sys.EndKey("b", gateway.Errorf(gateway.Unauthorized, "")); n != 0 {
			t.Errorf("%d requests are still known", n)
		}
	})
}
