package actors

import (
	"testing"
	"testing/synctest"
	"time"

	"gateway"
)

// A provider that sends a role, pings or empty deltas and never a word of the answer is
// given up at its limit on the first content, as one that is silent is.
func TestADripIsNoContent(t *testing.T) {
	for _, stream := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			var pauses []time.Duration
			var chunks []gateway.Chunk
			for range 100 {
				pauses, chunks = append(pauses, time.Second), append(chunks, gateway.Chunk{})
			}
			s, b := setup(t, func(c *Config) { c.Limit, c.Hedge = 3500*time.Millisecond, "off" },
				plays(pauses, chunks...), &fake{open: says("whole", 0)})
			begun := time.Now()
			answer, err := s.Route(t.Context(), ask("r1", stream))
			if err != nil || text(t, answer) != "whole" || answer.Provider != "b" {
				t.Errorf("%+v, %v", answer, err)
			}
			if took := time.Since(begun); took != 3500*time.Millisecond {
				t.Errorf("answered after %v, want the limit of 3.5s", took)
			}
			stopped(t, s)
			if rows := b.all(); len(rows) != 2 || rows[0].Outcome != gateway.Timeout.String() {
				t.Errorf("%+v", rows)
			}
		})
	}
}
