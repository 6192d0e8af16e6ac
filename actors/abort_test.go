package actors

import (
	"testing"
	"testing/synctest"
	"time"

	"gateway"
	"gateway/route"
)

// A walk that panics ends with one error, and what still happens to its attempts starts
// nothing.
func TestAWalkThatPanicsIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := &fake{open: says("a", 0)}
		s, _ := setup(t, nil, up)
		req := ask("r1", false)
		cands, rules, refusal := s.plan(req, maker{}, time.Now())
		if refusal != nil {
			t.Fatal(refusal)
		}
		poisoned := append([]route.Candidate{{}}, cands...) // a candidate without a model
		j := &job{ctx: t.Context(), req: req, rules: rules, cands: poisoned, reply: make(chan struct{}, 1)}
		s.tell(begin{j})
		<-j.reply
		if r := j.told; r.err == nil || r.err.Kind != gateway.Internal {
			t.Errorf("%+v", r)
		}
		s.tell(refused{&attempt{job: j, n: 1}, gateway.Errorf(gateway.NoCapacity, "late")})
		s.Status() // a round trip
		if !j.walk.Done() || up.calls.Load() > 0 {
			t.Errorf("done %v, %d calls", j.walk.Done(), up.calls.Load())
		}
		if answer, err := s.Route(t.Context(), ask("r2", false)); err != nil || text(t, answer) != "a" {
			t.Error(err)
		}
		stopped(t, s)
	})
}
