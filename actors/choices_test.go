package actors

import (
	"context"
	"io"
	"testing"
	"testing/synctest"

	"gateway"
)

// choosing is spending that asks for several choices.
func choosing(id string, n int, accounts ...gateway.Account) *gateway.Request {
	r := spending(id, accounts...)
	r.Raw, r.Needs.Many = []byte(`{}`), true
	r.Decode = func([]byte) (*gateway.Chat, error) { return &gateway.Chat{N: n, MaxTokens: r.MaxTokens}, nil }
	return r
}

// A provider takes the limit for each choice and bills them all. So the hold counts the
// choices and the limit does not, however short a clamp makes it.
func TestChoicesAreHeldAndNotAskedTwice(t *testing.T) {
	const n = 5
	for name, c := range map[string]struct {
		asked int
		clamp bool
	}{"as asked": {100, false}, "clamped": {4000, true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				limit := 0
				s, b := purse(t, func(c *Config) {
					c.Providers[0].Default.Can.Many = true
				}, &fake{open: func(ctx context.Context, call *gateway.Call) (gateway.Stream, error) {
					limit = call.MaxTokens
					usage := &gateway.Usage{Fresh: 100, Output: n * limit, Reported: true} // each at its longest
					return &steps{ctx: ctx, end: io.EOF, chunks: []gateway.Chunk{{Text: "word"}, {Finish: gateway.FinishStop, Usage: usage}}}, nil
				}})
				account := limited("k", holdOf(t, s, "x")*n)
				if c.clamp { // room for some two thousand tokens of each
					account.Clamp = true
					account.Budget.Limit *= 10
				}
				r := choosing("r", n, account)
				r.MaxTokens = c.asked
				answer, err := s.Route(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				text(t, answer)
				synctest.Wait()
				switch {
				case limit > c.asked || limit < 1:
					t.Errorf("each choice was asked for %d tokens; the client wants at most %d", limit, c.asked)
				case c.clamp && (limit >= c.asked || limit < leastAnswer):
					t.Errorf("clamped to %d", limit)
				case !c.clamp && limit != c.asked:
					t.Errorf("asked for %d, not for %d", limit, c.asked)
				}
				if st := state(t, b, "k"); st.Spent > account.Budget.Limit || st.Spent == 0 || st.Held != 0 {
					t.Errorf("%+v of %d", st, account.Budget.Limit)
				}
				stopped(t, s)
			})
		})
	}
}

// An amount pays for as many tokens of each choice as it was computed with.
func TestWhatAnAmountPaysFor(t *testing.T) {
	b := bound{prompt: 10, answer: 1000, choices: 3, input: 10_000, output: 10_000}
	if got := b.cost(400); got != 10+3*400 {
		t.Errorf("three choices of 400 tokens are held with %d", got)
	}
	if got := b.pays(b.cost(400)); got != 400 {
		t.Errorf("what holds 400 tokens of each pays for %d", got)
	}
}
