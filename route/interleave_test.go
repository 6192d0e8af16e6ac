package route

import (
	"fmt"
	"testing"
	"time"

	"gateway"
)

// TestInterleavings plays every order of what two racing attempts and their request
// can go through: each attempt has content, fails, is rate limited or times out; the
// client may leave, the deadline may pass. However they interleave there is one end.
func TestInterleavings(t *testing.T) {
	ends := []string{"content", "failed", "limited", "timeout"}
	n := 0
	for _, first := range ends {
		for _, second := range ends {
			for _, extra := range []string{"", "gone", "deadline"} {
				for _, whole := range []bool{false, true} {
					for _, order := range orders(first, second, extra) {
						n++
						if err := interleave(order, whole); err != nil {
							t.Fatalf("%v whole=%v: %v", order, whole, err)
						}
					}
				}
			}
		}
	}
	if n < 1000 {
		t.Errorf("only %d interleavings", n)
	}
}

// orders are all orders in which the first attempt leaves and ends, the hedge leaves
// and ends, and the extra thing happens; each attempt's own steps stay in order.
func orders(first, second, extra string) [][]string {
	lanes := [][]string{{"left1", first + "1"}, {"hedge", "left2", second + "2"}}
	if extra != "" {
		lanes = append(lanes, []string{extra})
	}
	var out [][]string
	var weave func(lanes [][]string, done []string)
	weave = func(lanes [][]string, done []string) {
		empty := true
		for i, l := range lanes {
			if len(l) == 0 {
				continue
			}
			empty = false
			next := append([][]string(nil), lanes...)
			next[i] = l[1:]
			weave(next, append(done[:len(done):len(done)], l[0]))
		}
		if empty {
			out = append(out, done)
		}
	}
	weave(lanes, nil)
	return out
}

func interleave(order []string, whole bool) error {
	now := time.Unix(1_800_000_000, 0)
	f := NewFleet(Default(), func(*gateway.Model) GateView { return GateView{Closed: true} })
	var cands []Candidate
	for i := range 2 {
		m := &gateway.Model{Provider: string(rune('a' + i)), Name: "m"}
		cands = append(cands, Candidate{Model: m, Prompt: 50, Expected: 100, Priced: true})
	}
	w := New(Rules{Hedge: "auto", HedgeAfter: time.Second, MaxHedges: 1, Hedgeable: true, Whole: whole,
		Deadline: now.Add(time.Minute), ContentBy: now.Add(time.Minute)}, cands, f)
	ends, out := 0, map[int]bool{}
	take := func(acts []Action) error {
		for _, a := range acts {
			switch a.Kind {
			case Start:
				out[a.Attempt] = true
			case Cancel:
				delete(out, a.Attempt)
			case Commit, GiveUp:
				ends++
				delete(out, a.Attempt)
			}
			if ends > 0 && a.Kind == Start {
				return fmt.Errorf("starts after the end")
			}
		}
		return nil
	}
	if err := take(w.Step(Event{Kind: Begin}, now)); err != nil {
		return err
	}
	for _, step := range order {
		attempt := int(step[len(step)-1] - '0')
		ev := Event{Attempt: attempt}
		if (attempt == 1 || attempt == 2) && !out[attempt] {
			continue // it never left, or was stopped: its call says nothing any more
		}
		switch step[:len(step)-1] {
		case "left":
			ev.Kind = Left
		case "content":
			ev.Kind = Content
		case "failed", "limited", "timeout":
			ev.Kind = Failed
			kind := map[string]gateway.Kind{"failed": gateway.Unavailable, "limited": gateway.RateLimited, "timeout": gateway.Timeout}
			ev.Err = &gateway.Error{Kind: kind[step[:len(step)-1]], Status: 500, Sent: true}
			delete(out, attempt)
		default:
			ev.Attempt = 0
			switch step {
			case "hedge":
				ev.Kind = Tick
				now = now.Add(time.Second)
			case "gone":
				ev.Kind = Gone
			case "deadline":
				ev.Kind = Tick
				now = now.Add(time.Hour)
			}
		}
		if err := take(w.Step(ev, now)); err != nil {
			return err
		}
	}
	for n := range out { // whatever is still out ends now
		err := take(w.Step(Event{Kind: Whole, Attempt: n}, now))
		if err != nil {
			return err
		}
	}
	take(w.Step(Event{Kind: Tick}, now.Add(2*time.Hour)))
	if ends != 1 || !w.Done() {
		return fmt.Errorf("%d ends, done %v", ends, w.Done())
	}
	return nil
}
