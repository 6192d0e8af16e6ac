package breaker

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"gateway"
)

// However probes begin, show content, end or fall silent, none leaves a place of the
// half-open circuit taken: when all have ended, a provider that is well is closed again by
// as many good answers as that takes, and nobody is told to come back at once.
func TestNoProbeKeepsItsPlace(t *testing.T) {
	halfOpen := 0
	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 7))
			g := open(t, Config{})
			var out []*Permit
			for range 300 {
				pause := 300 * time.Millisecond
				if g.Status(time.Now()).State != Closed {
					pause = 3 * time.Second
				}
				time.Sleep(time.Duration(r.ExpFloat64() * float64(pause)))
				now := time.Now()
				if g.Status(now).State == HalfOpen {
					halfOpen++
				}
				if len(out) < 8 && r.IntN(3) > 0 {
					p, e := g.Admit(now, 1)
					if e == nil {
						out = append(out, p)
					} else if e.Kind != gateway.CircuitOpen || e.RetryAfter <= 0 {
						t.Fatalf("seed %d: %+v", seed, e)
					}
					continue
				}
				if len(out) == 0 {
					continue
				}
				i := r.IntN(len(out))
				if r.IntN(2) == 0 {
					out[i].Content(now)
					continue
				}
				o := Outcome{TTFT: time.Duration(r.IntN(2)) * time.Second}
				switch r.IntN(4) {
				case 0, 1:
					o.Err = broken()
				case 2:
					o.Err = canceled()
				}
				out[i].Done(now, o)
				out = append(out[:i], out[i+1:]...)
			}
			for _, p := range out {
				p.Done(time.Now(), Outcome{Err: canceled()})
			}
			time.Sleep(2 * openAtMost)
			for range probesClose {
				admit(t, g).Done(time.Now(), Outcome{TTFT: time.Second})
			}
			if s := g.Status(time.Now()); s.State != Closed || s.InFlight != 0 {
				t.Fatalf("seed %d: %+v after good answers alone", seed, s)
			}
		})
	}
	if halfOpen < 10_000 {
		t.Errorf("half-open in %d steps: this tests nothing", halfOpen)
	}
}
