package actors

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"gateway"
)

func parts(end error, texts ...string) func(context.Context, *gateway.Call) (gateway.Stream, error) {
	return func(ctx context.Context, _ *gateway.Call) (gateway.Stream, error) {
		var chunks []gateway.Chunk
		for _, s := range texts {
			chunks = append(chunks, gateway.Chunk{Text: s})
		}
		if end == io.EOF {
			chunks = append(chunks, gateway.Chunk{Finish: gateway.FinishStop})
		}
		return &steps{ctx: ctx, chunks: chunks, end: end}, nil
	}
}

func TestContinue(t *testing.T) {
	cut := &gateway.Error{Kind: gateway.Unavailable, Message: "cut", Sent: true}
	cases := []struct {
		name    string
		second  func(context.Context, *gateway.Call) (gateway.Stream, error)
		prefill bool
		want    string
		err     gateway.Kind
	}{
		{name: "repeats and goes on", second: parts(io.EOF, "one tw", "o three", " four"), want: "one two three four"},
		{name: "differs", second: parts(io.EOF, "one TWO"), want: "one two ", err: gateway.Unavailable},
		{name: "ends before it has repeated all", second: parts(io.EOF, "one"), want: "one two ", err: gateway.Unavailable},
		{name: "takes the prefill", prefill: true, second: parts(io.EOF, "three four"), want: "one two three four"},
		{name: "refuses the prefill", prefill: true, second: fails(gateway.Invalid, 400), want: "one two ", err: gateway.Unavailable},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got string
				second := &fake{open: func(ctx context.Context, call *gateway.Call) (gateway.Stream, error) {
					got = call.Prefill
					return c.second(ctx, call)
				}}
				s, b := setup(t, func(cfg *Config) {
					cfg.Providers[1].Default.Can.Prefill = c.prefill
				}, &fake{open: parts(cut, "one ", "two ")}, second)
				req := ask("r1", true)
				req.Options.OnBreak = "continue"
				answer, err := s.Route(t.Context(), req)
				if err != nil {
					t.Fatal(err)
				}
				whole, err := gateway.Collect(answer.Stream)
				answer.Stream.Close()
				if text := whole.Choices[0].Text; text != c.want {
					t.Errorf("text %q, want %q", text, c.want)
				}
				if (err != nil) != (c.err != gateway.Internal) || err != nil && gateway.KindOf(err) != c.err {
					t.Errorf("err %v, want %v", err, c.err)
				}
				if c.prefill != (got == "one two ") {
					t.Errorf("prefill %q", got)
				}
				stopped(t, s)
				seen := map[int]bool{}
				for _, row := range b.all() {
					if seen[row.Attempt] {
						t.Errorf("two rows for attempt %d", row.Attempt)
					}
					seen[row.Attempt] = true
				}
			})
		})
	}
}

// One 429 with Retry-After cools the provider for every caller.
func TestCoolingUnderManyCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limited := func(context.Context, *gateway.Call) (gateway.Stream, error) {
			return nil, &gateway.Error{Kind: gateway.RateLimited, Status: 429, RetryAfter: 2 * time.Second}
		}
		first := &fake{open: limited}
		s, _ := setup(t, nil, first, &fake{open: says("second", 10*time.Millisecond)})
		if _, err := s.Route(t.Context(), ask("r0", false)); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 500)
		for range 500 {
			go func() {
				_, err := s.Route(t.Context(), ask("r", false))
				done <- err
			}()
		}
		for range 500 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if n := first.calls.Load(); n != 1 {
			t.Errorf("%d calls to the cooling provider, want the one that was told to wait", n)
		}
		time.Sleep(2 * time.Second)
		s.Route(t.Context(), ask("r1", false))
		if n := first.calls.Load(); n != 2 {
			t.Errorf("%d calls after its time, want 2", n)
		}
		stopped(t, s)
	})
}

// With all places taken the requests wait in turn, and a key with hundreds waiting does
// not delay another's few.
func TestQueueIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := setup(t, func(c *Config) { c.Providers[0].Limits.MaxInFlight = 4 }, &fake{open: says("x", 100*time.Millisecond)})
		var light []time.Duration
		done := make(chan struct{}, 100)
		send := func(key string, took *time.Duration) {
			begun := time.Now()
			req := ask("r", false)
			req.Key = key
			if _, err := s.Route(t.Context(), req); err != nil {
				t.Errorf("%s: %v", key, err)
			}
			if took != nil {
				*took = time.Since(begun)
			}
			done <- struct{}{}
		}
		for range 60 {
			go send("noisy", nil)
		}
		synctest.Wait()
		light = make([]time.Duration, 5)
		for i := range light {
			go send("light", &light[i])
		}
		for range 65 {
			<-done
		}
		for _, d := range light {
			if d > 700*time.Millisecond {
				t.Errorf("a light request took %v beside a noisy key, want its turn soon", d)
			}
		}
		stopped(t, s)
	})
}
