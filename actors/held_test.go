package actors

import (
	"testing"
	"testing/synctest"
	"time"

	"gateway"
)

// A process that does not get to run for a while blames none of its providers for that:
// nothing is raced, moved or given up.
func TestHeldUpRouterBlamesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		second := &fake{open: says("hedge", 0)}
		s, b := setup(t, func(c *Config) { c.HedgeAfter = time.Second }, &fake{open: says("primary", 3400*time.Millisecond)}, second)
		time.AfterFunc(500*time.Millisecond, func() {
			status := make(chan []gateway.ProviderStatus)
			go s.tell(askStatus{status}) // holds the router until somebody takes the answer
			time.Sleep(3 * time.Second)
			<-status
		})
		answer, err := s.Route(t.Context(), ask("r1", true))
		if err != nil || text(t, answer) != "primary" || answer.Hedged {
			t.Errorf("%+v, %v; the router was held up while the hedge was due", answer, err)
		}
		stopped(t, s)
		if rows := b.all(); len(rows) != 1 {
			t.Errorf("%+v", rows)
		}
	})
}
