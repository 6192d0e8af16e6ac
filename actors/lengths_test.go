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
		adapts  bool
		passes  bool // client and provider speak the same format
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
		"long, of its own format":       {passes: true, change: func(r *gateway.Request) { r.MaxTokens = 32_000; r.DeepEffort = true }, plain: true},
		"unknown, of its own format":    {passes: true, plain: true},
		"that, with a learned limit":    {passes: true, adapts: true},
		"that, short, likewise":         {passes: true, adapts: true, change: func(r *gateway.Request) { r.MaxTokens = 9 }, plain: true},
		"that, streaming":               {passes: true, change: func(r *gateway.Request) { r.Stream = true }},
		"that, raced by choice":         {passes: true, change: func(r *gateway.Request) { r.Options.Hedge = "force" }},
		"that, always streamed":         {passes: true, choice: gateway.StreamAlways},
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
				s, _ := setup(t, func(cfg *Config) {
					cfg.Providers[0].Default.Upstream = c.choice
					cfg.Providers[0].Limits.Adaptive = c.adapts
					cfg.Providers[0].Default.Protocol = gateway.Protocol{Wire: "its own", Verbatim: c.passes}
				}, up)
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
				req.Wire = "its own"
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
		// and so it is if the process is killed meanwhile
		if o := b.begun; len(o) != 1 || o[0].Bills != gateway.BillsInFull || o[0].Entry.Usage.Output != 120 {
			t.Errorf("written down before it left: %+v; want 120 tokens, billed in full", o)
		}
	})
}

// A whole answer that may be long has the time that so many tokens may take, and one that
// is short the minute of any plain call.
func TestTimeOfLongAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := setup(t, nil, &fake{open: says("hi", 0)})
		defer stopped(t, s)
		passes := gateway.Protocol{Wire: "w", Verbatim: true}
		for name, c := range map[string]struct {
			asked, most int
			speaks      gateway.Protocol
			long        time.Duration
		}{
			"short":                    {asked: 256, speaks: passes},
			"a few words more":         {asked: 1000, speaks: passes, long: time.Minute + 28125*time.Millisecond},
			"as long as may be":        {asked: 100_000, speaks: passes, long: 10 * time.Minute},
			"up to the model":          {most: 8000, speaks: passes, long: time.Minute + 225*time.Second},
			"up to anybody":            {speaks: passes, long: 10 * time.Minute},
			"of another format, known": {asked: 1000, long: time.Minute + 28125*time.Millisecond},
		} {
			req := ask("r", false)
			req.Wire, req.MaxTokens = "w", c.asked
			long, usual := s.long(req, &gateway.Model{Provider: "p", Name: name, MaxOutput: c.most, Protocol: c.speaks})
			if long != c.long || usual > long || long > 0 && usual == 0 {
				t.Errorf("%s: %v, as a rule %v; want %v", name, long, usual, c.long)
			}
		}
	})
}

// A provider that takes the request and says nothing costs a client of its format the time of
// such an answer at most, and as a rule that of a race; the next one is asked as a stream
// if it is of another format. Nobody waits for ten minutes.
func TestABlackHoleOfItsOwnFormat(t *testing.T) {
	for name, c := range map[string]struct {
		hedge  string
		second bool
		after  time.Duration
	}{
		"with a race":        {"auto", true, 20 * time.Second},
		"without":            {"off", true, time.Minute + 112500*time.Millisecond},
		"with nobody beside": {"auto", false, 2 * (time.Minute + 112500*time.Millisecond)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var plain atomic.Bool
				hole := &fake{open: func(ctx context.Context, _ *gateway.Call) (gateway.Stream, error) {
					<-ctx.Done()
					return nil, gateway.Errorf(gateway.Canceled, "cut")
				}}
				other := &fake{open: func(ctx context.Context, call *gateway.Call) (gateway.Stream, error) {
					plain.Store(call.Plain)
					return says("hi", 0)(ctx, call)
				}}
				ups := []*fake{hole, other}
				if !c.second {
					ups = ups[:1]
				}
				s, _ := setup(t, func(cfg *Config) {
					cfg.Hedge = c.hedge
					cfg.Providers[0].Default.Protocol = gateway.Protocol{Wire: "w", Verbatim: true}
				}, ups...)
				defer stopped(t, s)
				req, begun := ask("r", false), time.Now()
				req.Wire, req.MaxTokens = "w", 4000
				_, err := s.Route(t.Context(), req)
				took := time.Since(begun)
				if (err == nil) != c.second || err != nil && gateway.KindOf(err) != gateway.Timeout {
					t.Errorf("%v", err)
				}
				if took < c.after || took > c.after+time.Second || plain.Load() {
					t.Errorf("after %v, want %v; the other was asked plainly: %v", took, c.after, plain.Load())
				}
			})
		})
	}
}
