package actors

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gateway"
)

// A provider with a vocabulary of its own reports a while, then goes silent: what it
// leaves out is estimated by its own measure, within 5 %.
func TestEstimatesFollowTheProvidersMeasure(t *testing.T) {
	const prompt = "Please tell me, in a few plain sentences, how a ledger keeps its books, and why."
	const answer = "It writes down every attempt once, adds them up, and never changes what it wrote. "
	for _, factor := range []float64{0.8, 1, 1.35} {
		synctest.Test(t, func(t *testing.T) {
			silent := false
			chat := &gateway.Chat{Messages: []gateway.Message{{Speaker: gateway.User, Parts: []gateway.Part{{Text: strings.Repeat(prompt, 4)}}}}}
			var in, out gateway.TokenCount
			in.Add(strings.Repeat(prompt, 4))
			out.Add(strings.Repeat(answer, 3))
			theirs := gateway.Usage{Reported: true, Fresh: int(factor*float64(in.Tokens())) + 7, Output: int(factor * float64(out.Tokens()))}
			up := &fake{open: func(ctx context.Context, _ *gateway.Call) (gateway.Stream, error) {
				last := gateway.Chunk{Finish: gateway.FinishStop}
				if !silent {
					last.Usage = &theirs
				}
				return &steps{ctx: ctx, end: io.EOF, chunks: []gateway.Chunk{{Text: answer}, {Text: answer}, {Text: answer}, last}}, nil
			}}
			s, b := setup(t, nil, up)
			send := func(id string) {
				req := ask(id, true)
				req.Decode = func([]byte) (*gateway.Chat, error) { return chat, nil }
				a, err := s.Route(t.Context(), req)
				if err != nil {
					t.Fatal(err)
				}
				text(t, a)
				time.Sleep(2 * time.Second)
			}
			for i := range 30 {
				send(fmt.Sprint("a", i))
			}
			silent = true
			send("z")
			stopped(t, s)
			rows := b.all()
			row := rows[len(rows)-1]
			if row.Source != gateway.UsageEstimated || off(row.Usage.Fresh, theirs.Fresh) > 5 || off(row.Usage.Output, theirs.Output) > 5 {
				t.Errorf("factor %v: booked %d and %d as %s; the provider would have told %d and %d",
					factor, row.Usage.Fresh, row.Usage.Output, row.Source, theirs.Fresh, theirs.Output)
			}
		})
	}
}

// off is the difference in percent.
func off(got, want int) int {
	d := (got - want) * 100 / want
	return max(d, -d)
}
