package actors

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"gateway"
)

// Under a budget what no price bounds is refused by name where a provider would be sent
// it; without one it goes on, and its row does not claim to be exact.
func TestWhatNoPriceBoundsIsRefusedUnderABudget(t *testing.T) {
	for name, c := range map[string]struct {
		other      bool // of another format
		fees, kept string
		context    int
		audio      bool
		refused    string // the field; "": served
		source     gateway.UsageSource
	}{
		"a fee":                      {fees: "web_search_options", refused: `"web_search_options"`, source: gateway.UsageEstimated},
		"a fee, another format":      {other: true, fees: "web_search_options", source: gateway.UsageReported},
		"kept, of an unknown length": {kept: "conversation", refused: `"conversation"`, source: gateway.UsageReported},
		"kept, in a known context":   {kept: "conversation", context: 50_000, source: gateway.UsageReported},
		"audio":                      {audio: true, refused: "audio", source: gateway.UsageReported},
		"nothing but tokens":         {source: gateway.UsageReported},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				up := &fake{open: bills(0, 5)}
				s, b := purse(t, func(cfg *Config) {
					m := cfg.Providers[0].Default
					m.Context, m.Can.Audio = c.context, true
					if m.Protocol.Wire = "ours"; c.other {
						m.Protocol.Wire = "another"
					}
				}, up)
				ask := func(id string, accounts ...gateway.Account) *gateway.Request {
					r := spending(id, accounts...)
					r.Wire, r.Fees, r.Kept, r.Needs.Audio = "ours", c.fees, c.kept, c.audio
					return r
				}
				answer, err := s.Route(t.Context(), ask("budget", limited("k", 1e9)))
				switch {
				case c.refused == "":
					if err != nil {
						t.Fatal(err)
					}
					if held := state(t, b, "k").Held; held < gateway.RoundUp(int64(c.context)*100_000) {
						t.Errorf("%d held for a context of %d tokens", held, c.context)
					}
					text(t, answer)
				default:
					var e *gateway.Error
					if !errors.As(err, &e) || e.Kind != gateway.BudgetExceeded || !strings.Contains(e.Message, c.refused) || up.calls.Load() != 0 {
						t.Errorf("%v after %d calls", err, up.calls.Load())
					}
				}
				if answer, err = s.Route(t.Context(), ask("zfree")); err != nil {
					t.Fatal(err)
				}
				text(t, answer)
				synctest.Wait()
				rows := b.all()
				if row := rows[len(rows)-1]; row.Source != c.source || row.Cost == 0 {
					t.Errorf("booked as %s at %d, want %s", row.Source, row.Cost, c.source)
				}
				stopped(t, s)
			})
		})
	}
}

// A provider that says it served a call at a dearer tier has billed more than its list, but
// for what it reported: no more than the tier may add is unsure, and the tokens are learned.
func TestADearTierIsNotExact(t *testing.T) {
	for name, c := range map[string]struct {
		prepaid bool
		tier    string
		source  gateway.UsageSource
		more    gateway.Microcents // times the cost
	}{
		"priority":              {false, "priority", gateway.UsageEstimated, 1},
		"fast":                  {false, "fast", gateway.UsageEstimated, 5},
		"default":               {false, "default", gateway.UsageReported, 0},
		"priority, paid before": {true, "priority", gateway.UsageReported, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, b := purse(t, func(cfg *Config) { cfg.Providers[0].Default.Protocol.Prepaid = c.prepaid }, &fake{open: func(ctx context.Context, _ *gateway.Call) (gateway.Stream, error) {
					usage := &gateway.Usage{Fresh: 10, Output: 3, Reported: true}
					return &steps{ctx: ctx, end: io.EOF, chunks: []gateway.Chunk{{Text: "hi", Meta: &gateway.Meta{Tier: c.tier}}, {Finish: gateway.FinishStop, Usage: usage}}}, nil
				}})
				r := spending("r", limited("k", 1e9))
				r.MaxTokens = 8000
				answer, err := s.Route(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				held := state(t, b, "k").Held
				text(t, answer)
				synctest.Wait()
				row, st := b.all()[0], state(t, b, "k")
				if row.Source != c.source || row.Cost == 0 || st.Spent != row.Cost {
					t.Errorf("booked as %s at %d, want %s", row.Source, row.Cost, c.source)
				}
				if st.Held != 0 || st.Unsure != c.more*row.Cost || held < 7*row.Cost {
					t.Errorf("%+v of a hold of %d, want %d times the cost unsure", st, held, c.more)
				}
				if output, _, _ := s.habits.typical(s.cfg.Providers[0].Default); output != 3 {
					t.Errorf("an answer is thought to have %d tokens", output)
				}
				stopped(t, s)
			})
		})
	}
}
