package actors

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"gateway"
)

// calls answers with a signed tool call of this id.
func calls(id string) func(context.Context, *gateway.Call) (gateway.Stream, error) {
	return func(ctx context.Context, _ *gateway.Call) (gateway.Stream, error) {
		return &steps{ctx: ctx, end: io.EOF, chunks: []gateway.Chunk{
			{Tools: []gateway.ToolDelta{{ID: id, Name: "f", Arguments: "{}", Signature: "s"}}},
			{Finish: gateway.FinishToolCalls, Usage: &gateway.Usage{Fresh: 10, Output: 3, Reported: true}}}}, nil
	}
}

// A tool loop that runs on opaque state stays with its maker, though another is cheaper,
// and is not raced. When the maker cannot, another answers and the receipt says what it
// had to do without.
func TestLoopStaysWithTheMakerOfItsState(t *testing.T) {
	for name, loop := range map[string]gateway.Loop{
		"by the call":   {Calls: []string{"old", "call-b"}},
		"by the client": {Calls: []string{"unknown"}, Maker: "fake", Model: "b-1"},
		"by both":       {Calls: []string{"old", "call-b"}, Maker: "fake"}, // whose state names no model
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cheap, maker := &fake{open: says("a", 0)}, &fake{open: calls("call-b")}
				s, _ := setup(t, func(c *Config) { c.HedgeAfter = time.Millisecond }, cheap, maker)
				first := ask("r1", false)
				first.Model = "b/b-1"
				if _, err := s.Route(t.Context(), first); err != nil {
					t.Fatal(err)
				}
				step := func(id string) *gateway.Answer {
					req := ask(id, false)
					req.Loop = loop
					answer, err := s.Route(t.Context(), req)
					if err != nil {
						t.Fatal(err)
					}
					return answer
				}
				maker.open = says("b", time.Second) // a hedge would be due long before
				if got := step("r2"); got.Provider != "b" || got.Attempts != 1 || got.Receipt()[0].Downgrade != "" {
					t.Errorf("answered by %s in %d attempts: %+v", got.Provider, got.Attempts, got.Receipt())
				}
				maker.open = fails(gateway.Unavailable, 503)
				cheap.open = func(ctx context.Context, call *gateway.Call) (gateway.Stream, error) {
					for _, what := range []string{"a tool was left out", "a tool was left out", "no effort"} {
						call.Downgraded(what)
					}
					return says("a", 0)(ctx, call)
				}
				got := step("r3")
				if notes := got.Receipt(); got.Provider != "a" ||
					notes[len(notes)-1].Downgrade != "a tool was left out; no effort; the reasoning state made by b-1 was left out" {
					t.Errorf("answered by %s: %+v", got.Provider, notes)
				}
				other := ask("r4", false)
				other.Key, other.Loop.Calls = "another", []string{"call-b"}
				if got, err := s.Route(t.Context(), other); err != nil || got.Provider != "a" {
					t.Errorf("another client's call of the same id: %+v, %v", got, err)
				}
				other = ask("r4b", false)
				other.Prefix, other.Loop.Calls = 7, []string{"call-b"}
				if got, err := s.Route(t.Context(), other); err != nil || got.Provider != "a" || got.Receipt()[0].Downgrade != "a tool was left out; no effort" {
					t.Errorf("another conversation's call of the same id: %+v, %v", got, err)
				}
				time.Sleep(loopLife)
				if got := step("r5"); loop.Model == "" && got.Provider != "a" {
					t.Errorf("a forgotten loop went to %s", got.Provider)
				}
				stopped(t, s)
			})
		})
	}
}

// State may be bound to an account: of two providers of one kind that have the same model
// the one that made it goes on. The other is next, and then it is the adapter that says
// whether the state was of use.
func TestLoopStaysWithItsProviderAmongEqualModels(t *testing.T) {
	for name, loop := range map[string]gateway.Loop{
		"by the call": {Calls: []string{"call-b"}},
		"by both":     {Calls: []string{"call-b"}, Maker: "fake", Model: "same"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cheap, maker := &fake{open: says("a", 0)}, &fake{open: calls("call-b")}
				s, _ := setup(t, func(c *Config) {
					for i := range c.Providers {
						c.Providers[i].Default.Name = "same"
					}
				}, cheap, maker)
				first := ask("r1", false)
				first.Model = "b/same"
				if _, err := s.Route(t.Context(), first); err != nil {
					t.Fatal(err)
				}
				for _, want := range []string{"b", "a"} {
					maker.open = says("b", 0)
					if want == "a" {
						maker.open = fails(gateway.Unavailable, 503)
					}
					req := ask("r2", false)
					req.Loop = loop
					got, err := s.Route(t.Context(), req)
					if err != nil {
						t.Fatal(err)
					}
					if notes := got.Receipt(); got.Provider != want || notes[len(notes)-1].Downgrade != "" {
						t.Errorf("answered by %s, not %s: %+v", got.Provider, want, notes)
					}
				}
				stopped(t, s)
			})
		})
	}
}
