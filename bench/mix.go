package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"gateway"
	"gateway/ledger"
)

// mix is what the calls of `bench budget` really were, from the gateway's own books:
// requests of which at least one attempt left.
type mix struct {
	requests, streamed, fallback, hedged, moved int
	attempts                                    map[string]int // by provider and outcome
}

// readMix reads the books of a gateway that has ended.
func readMix(ctx context.Context, data string) (m *mix, err error) {
	store, err := ledger.Open(data, ledger.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	const streamed, fallback, hedged, moved = 1, 2, 4, 8
	all := map[string]uint8{}
	m = &mix{attempts: map[string]int{}}
	err = store.Rows(ctx, ledger.RowQuery{}, func(e *gateway.Entry) error {
		m.attempts[e.Provider+" "+e.Outcome]++
		what := all[e.Request]
		if e.Stream {
			what |= streamed
		}
		switch e.Role {
		case gateway.Fallback:
			what |= fallback
		case gateway.Hedge:
			what |= hedged
		case gateway.Moved:
			what |= moved
		}
		all[e.Request] = what
		return nil
	})
	for _, what := range all {
		m.requests++
		m.streamed += int(what & streamed)
		m.fallback += int(what & fallback / fallback)
		m.hedged += int(what & hedged / hedged)
		m.moved += int(what & moved / moved)
	}
	return m, err
}

// mixLeast is the number of requests from which the shares are meant to be met.
const mixLeast = 10_000

// print says what the mix was, and gives an error if it is not the one that the promise
// is about: more than a tenth of it, and a point, away.
func (m *mix) print(out io.Writer, left int) error {
	n := float64(max(1, m.requests))
	var off error
	fmt.Fprintf(out, "the mix:")
	for _, part := range []struct {
		name  string
		count int
		want  float64
	}{{"streamed", m.streamed, shareStream}, {"left by the caller", left, shareLeft}, {"fallback", m.fallback, shareFallback}, {"hedged", m.hedged, shareHedged}} {
		share := float64(part.count) / n
		fmt.Fprintf(out, " %.2f %% %s;", 100*share, part.name)
		if m.requests >= mixLeast && math.Abs(share-part.want) > part.want/10+0.01 {
			off = errors.Join(off, fmt.Errorf("%.1f %% %s, not %.0f %%: the mix is another than meant", 100*share, part.name, 100*part.want))
		}
	}
	fmt.Fprintf(out, " %.2f %% moved\nattempts: %v\n", 100*float64(m.moved)/n, m.attempts)
	return off
}
