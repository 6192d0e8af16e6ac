package actors

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gateway"
)

// thinker answers after a time with so many bytes, and bills them and its reasoning.
func thinker(reasoning int, shown string, after time.Duration) func(context.Context, *gateway.Call) (gateway.Stream, error) {
	return func(ctx context.Context, _ *gateway.Call) (gateway.Stream, error) {
		words := strings.Repeat("word", 500)
		usage := &gateway.Usage{Fresh: 100, Output: 500 + reasoning, Reasoning: reasoning, Reported: true}
		return &steps{ctx: ctx, end: io.EOF, pause: []time.Duration{0, after},
			chunks: []gateway.Chunk{{Reasoning: shown, Text: words}, {Finish: gateway.FinishStop, Usage: usage}}}, nil
	}
}

// What a cut call may have cost is the rest of its hold wherever a model may have thought
// unseen: 256 tokens are under way where it shows all that it bills.
func TestWhatWasThoughtUnseenStaysHeld(t *testing.T) {
	wants := func(chat gateway.Chat) func([]byte) (*gateway.Chat, error) {
		return func([]byte) (*gateway.Chat, error) { return &chat, nil }
	}
	for name, c := range map[string]struct {
		hides     bool // as the kind declares
		reasoning int
		shown     string
		answers   int
		decode    func([]byte) (*gateway.Chat, error)
		whole     bool // the rest of the hold stays
	}{
		"says all":                    {answers: 1},
		"shows its reasoning":         {reasoning: 700, shown: strings.Repeat("mind", 700), answers: 1},
		"hides it behind a long text": {reasoning: 300, answers: 1, whole: true}, // fewer than the bytes that are shown
		"tells a summary of it":       {hides: true, reasoning: 700, shown: strings.Repeat("mind", 200), answers: 9, whole: true},
		"nothing is known":            {whole: true},
		"little is known":             {hides: true, answers: 2, whole: true},
		"has never thought":           {hides: true, answers: 8},
		"is asked to think this time": {hides: true, answers: 8, decode: wants(gateway.Chat{Effort: "low"}), whole: true},
		"is asked for its thoughts":   {hides: true, answers: 8, decode: wants(gateway.Chat{Thoughts: true}), whole: true},
		"is asked not to":             {hides: true, answers: 8, decode: wants(gateway.Chat{Effort: "none"})},
		"would show it, and is to":    {answers: 1, decode: wants(gateway.Chat{Effort: "high"})},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cut := time.Duration(0)
				s, b := purse(t, func(cfg *Config) {
					cfg.Providers[0].Default.Protocol.Hides, cfg.Providers[0].Default.MaxOutput = c.hides, 30_000
				}, &fake{open: func(ctx context.Context, call *gateway.Call) (gateway.Stream, error) {
					return thinker(c.reasoning, c.shown, cut)(ctx, call)
				}})
				ask := func(id string) *gateway.Request {
					r := spending(id, limited("k", 1e12))
					r.MaxTokens = 20_000
					return r
				}
				for range c.answers {
					answer, err := s.Route(t.Context(), ask("whole"))
					if err != nil {
						t.Fatal(err)
					}
					text(t, answer)
				}
				cut = time.Hour
				r := ask("cut")
				r.Decode = c.decode
				answer, err := s.Route(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := answer.Stream.Next(); err != nil {
					t.Fatal(err)
				}
				before := state(t, b, "k")
				answer.Stream.Close()
				synctest.Wait()
				st := state(t, b, "k")
				rest := before.Held - (st.Spent - before.Spent)
				if got := st.Unsure > rest/2; got != c.whole || st.Unsure > rest || st.Unsure == 0 {
					t.Errorf("%d are unsure, the rest of the hold is %d", st.Unsure, rest)
				}
				stopped(t, s)
			})
		})
	}
}

// The row of a cut call has what such a model makes in the time, and no more than it was
// allowed to make.
func TestThoughtThatWasCutIsEstimatedByItsTime(t *testing.T) {
	for name, c := range map[string]struct {
		most  int
		after time.Duration
		want  int // tokens; the typical answer has 1500 in 30 s
	}{
		"before anything was said": {8000, 10 * time.Second, 500},
		"longer than most":         {8000, time.Minute, 3000},
		"as long as it may be":     {600, time.Minute, 600},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				silent := false
				s, b := purse(t, nil, &fake{open: func(ctx context.Context, call *gateway.Call) (gateway.Stream, error) {
					if !silent {
						return thinker(1000, "", 30*time.Second)(ctx, call)
					}
					return &steps{ctx: ctx, end: io.EOF, pause: []time.Duration{time.Hour}, chunks: []gateway.Chunk{{Text: "late"}}}, nil
				}})
				for range 3 {
					r := spending("whole", limited("k", 1e12))
					r.MaxTokens = 8000
					answer, err := s.Route(t.Context(), r)
					if err != nil {
						t.Fatal(err)
					}
					text(t, answer)
				}
				silent = true
				ctx, leave := context.WithCancel(t.Context())
				time.AfterFunc(c.after, leave)
				r := spending("zcut", limited("k", 1e12))
				r.MaxTokens = c.most
				r.Options.Hedge, r.Options.NoFallback = "off", true
				if _, err := s.Route(ctx, r); gateway.KindOf(err) != gateway.Canceled {
					t.Fatal(err)
				}
				synctest.Wait()
				rows := b.all()
				row := rows[len(rows)-1]
				if got := row.Usage.Output; row.Source != gateway.UsageEstimated || got < c.want*99/100 || got > c.want*101/100 {
					t.Errorf("booked %+v as %s, want %d tokens of output estimated", row.Usage, row.Source, c.want)
				}
				stopped(t, s)
			})
		})
	}
}
