package actors

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"gateway"
	"gateway/breaker"
)

// mute ends its answer in order, without a word, and counts so many tokens for it.
func mute(counted int) func(context.Context, *gateway.Call) (gateway.Stream, error) {
	return func(ctx context.Context, _ *gateway.Call) (gateway.Stream, error) {
		usage := &gateway.Usage{Fresh: 10, Output: counted, Reported: true}
		return &steps{ctx: ctx, end: io.EOF, pause: []time.Duration{10 * time.Millisecond},
			chunks: []gateway.Chunk{{Finish: gateway.FinishStop}, {Usage: usage}}}, nil
	}
}

// A caller whose check no answer passes, and one whose answers a server cannot read back from
// its model, find no provider worse for the others: neither shut nor demoted.
func TestReadableAnswersBlameNobody(t *testing.T) {
	for name, c := range map[string]struct {
		open  func(context.Context, *gateway.Call) (gateway.Stream, error)
		check func(*gateway.Completion) error
		text  string // what the error shows
	}{
		"the caller's check": {says("no object", time.Millisecond), func(*gateway.Completion) error { return errors.New("not an object") }, "no object"},
		"nothing, counted":   {mute(800), nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := setup(t, nil, &fake{open: c.open})
				for range 100 {
					req := ask("r", false)
					req.Check = c.check
					_, err := s.Route(t.Context(), req)
					var e *gateway.Error
					if !errors.As(err, &e) || e.Kind != gateway.BadAnswer || e.Text != c.text {
						t.Fatalf("%v", err)
					}
				}
				p := s.Status()[0]
				if p.State != breaker.Closed || p.Models[0].Skip != "" {
					t.Errorf("%s, skipped for %q", p.State, p.Models[0].Skip)
				}
				stopped(t, s)
			})
		})
	}
}

// An answer without a word that the provider counts tokens for is the model's own: the
// client gets it, as from the provider itself, and nobody else is asked.
func TestACountedSilenceIsAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		second := &fake{open: says("second", time.Millisecond)}
		s, b := setup(t, nil, &fake{open: mute(1)}, second)
		for _, stream := range []bool{false, true} {
			a, err := s.Route(t.Context(), ask("r", stream))
			if err != nil || a.Provider != "a" {
				t.Fatalf("stream %v: %+v, %v", stream, a, err)
			}
			if got := text(t, a); got != "" {
				t.Errorf("stream %v: %q", stream, got)
			}
		}
		if n := second.calls.Load(); n != 0 {
			t.Errorf("the second was asked %d times", n)
		}
		for _, row := range b.all() {
			if row.Usage.Output != 1 || row.Cost == 0 {
				t.Errorf("booked as %+v", row)
			}
		}
		stopped(t, s)
	})
}

// More tokens counted than a silence takes are an answer that the server lost: the next one
// answers, and the lost one is booked as billed.
func TestALostAnswerFallsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, b := setup(t, nil, &fake{open: mute(800)}, &fake{open: says("second", time.Millisecond)})
		for _, stream := range []bool{false, true} {
			a, err := s.Route(t.Context(), ask("r", stream))
			if err != nil || a.Provider != "b" {
				t.Fatalf("stream %v: %+v, %v", stream, a, err)
			}
			if got := text(t, a); got != "second" {
				t.Errorf("stream %v: %q", stream, got)
			}
		}
		stopped(t, s)
		lost := 0
		for _, row := range b.all() {
			if row.Usage.Output == 800 {
				lost++
			}
		}
		if lost != 2 {
			t.Errorf("%d of 2 lost answers booked: %+v", lost, b.all())
		}
	})
}

// A server that answers everything with nothing, and counts nothing for it, is broken: it is
// shut, and a probe that finds it so again leaves it shut.
func TestUncountedSilenceShutsAServer(t *testing.T) {
	for _, stream := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			up := &fake{open: mute(0)}
			s, _ := setup(t, nil, up)
			for range 100 {
				if _, err := s.Route(t.Context(), ask("r", stream)); err == nil {
					t.Fatal("an answer")
				}
			}
			if state := s.Status()[0].State; state != breaker.Open {
				t.Errorf("stream %v: %s", stream, state)
			}
			before := up.calls.Load()
			time.Sleep(2 * time.Minute) // until it is tried again
			if _, err := s.Route(t.Context(), ask("r", stream)); err == nil {
				t.Fatal("an answer")
			}
			synctest.Wait()
			if state := s.Status()[0].State; state != breaker.Open || up.calls.Load() == before {
				t.Errorf("stream %v: %s after a probe, %d calls", stream, state, up.calls.Load()-before)
			}
			stopped(t, s)
		})
	}
}
