package actors

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gateway"
)

// A short answer for a client that does not stream is asked for as one body; whatever
// may be long, or shall be raced by its first content, is streamed.
func TestWhoIsAskedPlainly(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*gateway.Request)
		choice  gateway.StreamChoice
		learned int // tokens of the answers before
		plain   bool
	}{
		"short by its limit":            {change: func(r *gateway.Request) { r.MaxTokens = 256 }, plain: true},
		"long by its limit":             {change: func(r *gateway.Request) { r.MaxTokens = 257 }},
		"nothing known":                 {},
		"short by habit":                {learned: 200, plain: true},
		"long by habit":                 {learned: 600},
		"long by its limit, not habit":  {learned: 20, change: func(r *gateway.Request) { r.MaxTokens = 4000 }},
		"thinks hard":                   {learned: 20, change: func(r *gateway.Request) { r.DeepEffort = true }},
		"raced by choice":               {learned: 20, change: func(r *gateway.Request) { r.Options.Hedge = "force" }},
		"raced after a while by choice": {learned: 20, change: func(r *gateway.Request) { r.Options.HedgeAfter = time.Second }},
		"a streaming client":            {learned: 20, change: func(r *gateway.Request) { r.Stream = true }},
		"always streamed":               {learned: 20, choice: gateway.StreamAlways},
		"never streamed":                {choice: gateway.StreamNever, change: func(r *gateway.Request) { r.MaxTokens = 9000 }, plain: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var plain atomic.Bool
				whole := &gateway.Completion{Usage: gateway.Usage{Fresh: 10, Output: max(c.learned, 1), Reported: true},
					Choices: []gateway.Choice{{Text: "hi", Finish: gateway.FinishStop}}}
				up := &fake{open: func(_ context.Context, call *gateway.Call) (gateway.Stream, error) {
					plain.Store(call.Plain)
					return whole.Replay(), nil
				}}
				s, _ := setup(t, func(cfg *Config) { cfg.Providers[0].Default.Upstream = c.choice }, up)
				send := func(r *gateway.Request) {
					answer, err := s.Route(t.Context(), r)
					if err != nil {
						t.Fatal(err)
					}
					text(t, answer)
				}
				for i := range lengthNeeds {
					if c.learned > 0 {
						send(ask(fmt.Sprint("before-", i), false))
					}
				}
				req := ask("r", false)
				if c.change != nil {
					c.change(req)
				}
				send(req)
				stopped(t, s)
				if plain.Load() != c.plain {
					t.Errorf("asked plainly: %v, want %v", plain.Load(), c.plain)
				}
			})
		})
	}
}

// Of a plain answer that was cut nothing was seen: it is booked as what it may have
// cost, and marked as a guess.
func TestCutPlainAnswerIsBookedAsWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := &fake{open: func(ctx context.Context, _ *gateway.Call) (gateway.Stream, error) {
			<-ctx.Done()
			return nil, gateway.Errorf(gateway.Canceled, "cut")
		}}
		s, b := setup(t, nil, up)
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		req := ask("r", false)
		req.MaxTokens = 120
		if _, err := s.Route(ctx, req); gateway.KindOf(err) != gateway.Canceled {
			t.Fatalf("err = %v, want canceled", err)
		}
		stopped(t, s)
		rows := b.all()
		if len(rows) != 1 || rows[0].Usage.Output != 120 || rows[0].Source != gateway.UsageEstimated {
			t.Errorf("rows = %+v; want one with 120 tokens, estimated", rows)
		}
	})
}
