package actors

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"gateway"
)

// What a provider does not tell of an answer's usage is told as it is booked: all of it, or
// the prompt alone. What it tells stays as it is.
func TestUntoldUsageIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			told *gateway.Usage
			want func(u gateway.Usage) bool
		}{
			"nothing": {nil, func(u gateway.Usage) bool { return !u.Reported && u.Fresh > 0 && u.Output > 0 }},
			"no prompt": {&gateway.Usage{Output: 70, Reported: true, PromptUnknown: true},
				func(u gateway.Usage) bool { return !u.Reported && u.Fresh > 0 && u.Output == 70 }},
			"all": {&gateway.Usage{Fresh: 10, Output: 3, Reported: true},
				func(u gateway.Usage) bool { return u == gateway.Usage{Fresh: 10, Output: 3, Reported: true} }},
		} {
			for _, stream := range []bool{false, true} {
				up := &fake{open: func(ctx context.Context, _ *gateway.Call) (gateway.Stream, error) {
					return &steps{ctx: ctx, end: io.EOF, pause: []time.Duration{time.Millisecond},
						chunks: []gateway.Chunk{{Text: "Good morning to you."}, {Finish: gateway.FinishStop, Usage: c.told}}}, nil
				}}
				s, b := setup(t, nil, up)
				answer, err := s.Route(t.Context(), ask("r", stream))
				if err != nil {
					t.Fatal(err)
				}
				got := answer.Completion
				if got == nil {
					if got, err = gateway.Collect(answer.Stream); err != nil {
						t.Fatal(err)
					}
				}
				if !c.want(got.Usage) {
					t.Errorf("%s, streamed %v: %+v", name, stream, got.Usage)
				}
				stopped(t, s)
				if row := b.all()[0].Usage; row != got.Usage {
					t.Errorf("%s, streamed %v: told %+v, booked %+v", name, stream, got.Usage, row)
				}
			}
		}
	})
}

// A provider that counts an answer of which nothing is shown has answered, also where it did
// not count the prompt.
func TestSilenceIsAnAnswerWithoutACountOfThePrompt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, stream := range []bool{false, true} {
			up := &fake{open: func(ctx context.Context, _ *gateway.Call) (gateway.Stream, error) {
				return &steps{ctx: ctx, end: io.EOF, pause: []time.Duration{time.Millisecond},
					chunks: []gateway.Chunk{{Finish: gateway.FinishStop, Usage: &gateway.Usage{Output: 2, Reported: true, PromptUnknown: true}}}}, nil
			}}
			s, _ := setup(t, nil, up)
			answer, err := s.Route(t.Context(), ask("r", stream))
			if err != nil {
				t.Errorf("streamed %v: %v", stream, err)
			} else if stream {
				answer.Stream.Close()
			}
			stopped(t, s)
		}
	})
}
