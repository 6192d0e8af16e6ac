package actors

import (
	"testing"
	"testing/synctest"
	"time"
)

// x-gateway-hedge: force asks for a race at once; it does not allow one.
func TestARaceThatIsForbiddenIsNotForced(t *testing.T) {
	for _, how := range []string{"nofallback", "stateful", "seeded", "many"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := &fake{open: says("a", 500*time.Millisecond)}, &fake{open: says("b", 100*time.Millisecond)}
				s, _ := setup(t, nil, a, b)
				req := ask("r1", false)
				req.Options.Hedge = "force"
				switch how {
				case "nofallback":
					req.Options.NoFallback = true
				case "stateful":
					req.Stateful = true
				case "seeded":
					req.Seeded = true
				case "many":
					req.Needs.Many = true
				}
				if _, err := s.Route(t.Context(), req); err != nil && how != "many" { // the fakes cannot give many
					t.Error(err)
				}
				if b.calls.Load() > 0 {
					t.Errorf("%s raced", how)
				}
				stopped(t, s)
			})
		})
	}
}
