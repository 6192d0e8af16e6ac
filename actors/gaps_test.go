package actors

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"gateway"
)

// plays is an upstream whose chunks come after their pauses.
func plays(pauses []time.Duration, chunks ...gateway.Chunk) *fake {
	return &fake{open: func(ctx context.Context, _ *gateway.Call) (gateway.Stream, error) {
		return &steps{ctx: ctx, end: io.EOF, pause: pauses, chunks: chunks}, nil
	}}
}

// readOut reads a stream to its end and says when it ended and how.
func readOut(t *testing.T, s *System, id string) (took time.Duration, err error) {
	t.Helper()
	begun := time.Now()
	answer, err := s.Route(t.Context(), ask(id, true))
	if err != nil {
		t.Fatal(err)
	}
	_, err = gateway.Collect(answer.Stream)
	return time.Since(begun), err
}

var done = gateway.Chunk{Finish: gateway.FinishStop, Usage: &gateway.Usage{Fresh: 10, Output: 3, Reported: true}}

// What brings no answer forward does not put the limit on silence off, however often it
// comes; content, the finish and usage do.
func TestOnlyProgressEndsASilence(t *testing.T) {
	const s = time.Second
	word := gateway.Chunk{Text: "word"}
	for name, c := range map[string]struct {
		pauses []time.Duration
		chunks []gateway.Chunk
		cut    time.Duration // 0: it ends well
	}{
		"content":               {[]time.Duration{0, 20 * s, 20 * s, 20 * s}, []gateway.Chunk{word, word, word, done}, 0},
		"reasoning":             {[]time.Duration{0, 20 * s, 20 * s}, []gateway.Chunk{word, {Reasoning: "hm"}, done}, 0},
		"usage":                 {[]time.Duration{0, 20 * s, 20 * s}, []gateway.Chunk{word, {Usage: done.Usage}, done}, 0},
		"finish":                {[]time.Duration{0, 20 * s, 20 * s}, []gateway.Chunk{word, {Finish: gateway.FinishStop}, done}, 0},
		"nothing":               {[]time.Duration{0, time.Hour}, []gateway.Chunk{word, done}, 30 * s},
		"empty deltas":          {[]time.Duration{0, 20 * s, 20 * s}, []gateway.Chunk{word, {}, done}, 30 * s},
		"many empty deltas":     {[]time.Duration{0, 9 * s, 9 * s, 9 * s, 9 * s}, []gateway.Chunk{word, {}, {}, {}, done}, 30 * s},
		"empty, then a word":    {[]time.Duration{0, 20 * s, 9 * s, 20 * s}, []gateway.Chunk{word, {}, word, done}, 0},
		"a word, then silences": {[]time.Duration{0, 20 * s, 20 * s, 20 * s}, []gateway.Chunk{word, word, {}, done}, 50 * s},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sys, _ := setup(t, nil, plays(c.pauses, c.chunks...))
				took, err := readOut(t, sys, "r1")
				if c.cut == 0 && err != nil || c.cut > 0 && (gateway.KindOf(err) != gateway.Timeout || took.Round(time.Millisecond) != c.cut) {
					t.Errorf("ended after %v with %v; want the cut at %v", took, err, c.cut)
				}
				stopped(t, sys)
			})
		})
	}
}

// A client that reads slowly is no silence of the provider's.
func TestSlowReaderIsNoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		word := gateway.Chunk{Text: "word"}
		sys, _ := setup(t, nil, plays([]time.Duration{0, 20 * time.Second, 5 * time.Second, 4 * time.Second}, word, gateway.Chunk{}, gateway.Chunk{}, done))
		answer, err := sys.Route(t.Context(), ask("r1", true))
		for err == nil {
			time.Sleep(25 * time.Second)
			_, err = answer.Stream.Next()
		}
		if err != io.EOF {
			t.Errorf("%v; the provider was silent for 29 s in all", err)
		}
		stopped(t, sys)
	})
}

// After some thousands of gaps a model that is never silent is given up sooner, and one
// that pauses is given its time.
func TestLimitOnSilenceIsLearned(t *testing.T) {
	for name, c := range map[string]struct {
		pause time.Duration // one in fifty
		cut   time.Duration
	}{"never silent": {0, 10 * time.Second}, "pauses": {6 * time.Second, 18 * time.Second}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chunks, pauses := []gateway.Chunk{}, []time.Duration{}
				for i := range 1000 {
					chunks, pauses = append(chunks, gateway.Chunk{Text: "w"}), append(pauses, 10*time.Millisecond)
					if i%50 == 25 {
						pauses[i] += c.pause
					}
				}
				stalls := false
				up := &fake{open: func(ctx context.Context, _ *gateway.Call) (gateway.Stream, error) {
					if stalls {
						return &steps{ctx: ctx, end: io.EOF, pause: []time.Duration{0, time.Hour}, chunks: []gateway.Chunk{{Text: "w"}, done}}, nil
					}
					return &steps{ctx: ctx, end: io.EOF, pause: pauses, chunks: append(chunks, done)}, nil
				}}
				sys, _ := setup(t, nil, up)
				for _, id := range []string{"r1", "r2", "r3"} {
					if _, err := readOut(t, sys, id); err != nil {
						t.Fatal(err)
					}
				}
				stalls = true
				took, err := readOut(t, sys, "r4")
				if gateway.KindOf(err) != gateway.Timeout || took < c.cut*97/100 || took > c.cut*103/100 {
					t.Errorf("cut after %v with %v, want about %v", took, err, c.cut)
				}
				stopped(t, sys)
			})
		})
	}
}

// A receipt lists attempts in the order in which they were made.
func TestReceiptIsInOrderOfAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := &fake{open: func(ctx context.Context, _ *gateway.Call) (gateway.Stream, error) {
			<-ctx.Done()
			time.Sleep(10 * time.Millisecond) // it takes a moment to hear that it lost
			return nil, gateway.Errorf(gateway.Canceled, "cut")
		}}
		sys, _ := setup(t, func(c *Config) { c.HedgeAfter = time.Second; c.MaxHedges = 2 }, late,
			&fake{open: fails(gateway.Overloaded, 529)}, &fake{open: says("quick", time.Second)})
		answer, err := sys.Route(t.Context(), ask("r1", false))
		if err != nil {
			t.Fatal(err)
		}
		notes := answer.Receipt()
		for i, n := range notes {
			if n.Attempt != i+1 {
				t.Errorf("place %d holds attempt %d", i+1, n.Attempt)
			}
		}
		if len(notes) < 3 || notes[0].Provider != "a" {
			t.Errorf("%+v", notes)
		}
		stopped(t, sys)
	})
}
