package actors

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"gateway"
)

// A second break is continued from all that the client has seen, not from the last piece.
func TestContinueAfterASecondBreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cut := &gateway.Error{Kind: gateway.Unavailable, Message: "cut", Sent: true}
		var got string
		third := &fake{open: func(ctx context.Context, call *gateway.Call) (gateway.Stream, error) {
			got = call.Prefill
			return parts(io.EOF, "four")(ctx, call)
		}}
		s, _ := setup(t, func(cfg *Config) {
			cfg.Providers[1].Default.Can.Prefill = true
			cfg.Providers[2].Default.Can.Prefill = true
		}, &fake{open: parts(cut, "one ", "two ")}, &fake{open: parts(cut, "three ")}, third)
		req := ask("r1", true)
		req.Options.OnBreak = "continue"
		answer, err := s.Route(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		_, err = gateway.Collect(answer.Stream)
		answer.Stream.Close()
		if err != nil || got != "one two three " {
			t.Errorf("%v; the third was given %q to continue", err, got)
		}
		stopped(t, s)
	})
}

// The limit on the first content was met long ago: it says nothing of who continues.
func TestContinueAfterTheLimitOnContent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cut := &gateway.Error{Kind: gateway.Unavailable, Message: "cut", Sent: true}
		second := &fake{open: func(ctx context.Context, call *gateway.Call) (gateway.Stream, error) {
			select {
			case <-time.After(50 * time.Millisecond):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			return parts(io.EOF, "one two three")(ctx, call)
		}}
		s, _ := setup(t, nil, &fake{open: parts(cut, "one ", "two ")}, second)
		req := ask("r1", true)
		req.Options.OnBreak = "continue"
		answer, err := s.Route(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Minute) // content_by is 2 minutes, deadline 10
		_, err = gateway.Collect(answer.Stream)
		answer.Stream.Close()
		if err != nil {
			t.Errorf("not continued: %v", err)
		}
		stopped(t, s)
	})
}
