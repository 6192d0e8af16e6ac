package route

import (
	"fmt"
	"math"

	"gateway"
)

// books are the buckets of hedges, as a step of one request changes them: what is in them
// afterwards is what was there before and has come in, less what races cost, plus what
// races gave back that did not leave.
type books struct {
	before price // in the buckets
	races  []race
	back   price
	cut    *call // cancelled last
}

// race is one that was started in a step.
type race struct {
	price
	attempt, target int
}

// one microcent is nothing; what floats lose is far less.
const grain = 0.01

func (b *books) open(f *Fleet) { b.before = price{f.hedges, f.money} }

func (r *run) giveBack(p price) {
	if p == (price{}) {
		return
	}
	r.back.hedges += p.hedges
	r.back.money += p.money
	r.w.races--
	r.w.seen[sawRefund]++
}

// close holds the buckets against what happened in the step.
func (r *run) close(ev Event) error {
	f, before, back := r.w.fleet, r.before, r.back
	races := r.races
	r.races, r.back, r.cut = r.races[:0], price{}, nil
	var paid price
	for _, p := range races {
		paid.hedges += p.hedges
		paid.money += p.money
	}
	earned := price{f.hedges - before.hedges + paid.hedges - back.hedges, f.money - before.money + paid.money - back.money}
	least, most := r.income(ev, before)
	if earned.money < least.money-grain || earned.money > most.money+grain {
		return fmt.Errorf("%.2f microcents came into the bucket, want %.2f to %.2f", earned.money, least.money, most.money)
	}
	full := before.hedges+back.hedges+f.Times.HedgeShare >= f.Times.HedgeBurst // it takes no more
	if earned.hedges < least.hedges-grain/100 && !full || earned.hedges > most.hedges+grain/100 {
		return fmt.Errorf("%.3f hedges came into the bucket, want %.3f to %.3f", earned.hedges, least.hedges, most.hedges)
	}
	if f.hedges < 0 || f.hedges > f.Times.HedgeBurst {
		return fmt.Errorf("%v hedges in the bucket", f.hedges)
	}
	there := price{before.hedges + earned.hedges + back.hedges, before.money + earned.money + back.money}
	for _, p := range races {
		if err := r.mayRace(p, there); err != nil {
			return err
		}
		there.hedges -= p.hedges
		there.money -= p.money
	}
	return nil
}

// income bounds what a step brings: a beginning request a twentieth of a hedge and of its
// own price, the first of them a full bucket besides, all others nothing. A bucket of money
// that is too full for small requests loses a thousandth.
func (r *run) income(ev Event, before price) (least, most price) {
	if ev.Kind != Begin {
		return price{}, price{}
	}
	t, expected := &r.w.fleet.Times, float64(r.cands[0].Expected)
	most = price{t.HedgeShare, t.HedgeShare * expected}
	if r.w.begun == 1 {
		most.money += t.HedgeBurst * expected
	}
	return price{t.HedgeShare, -max(0, before.money) / 1000}, most
}

// mayRace: a race was paid for in full out of what was there. One of a test is free; one
// of a call that has waited for 1.9 times its delay may have been made on credit, and the
// last fifth of the hedges is for those that have waited 1.4 times theirs.
func (r *run) mayRace(p race, there price) error {
	for i := range r.walk.flying {
		f := &r.walk.flying[i]
		waited := f.waited(r.w.now)
		cost := r.costOfRace(f.cand, p.target)
		switch {
		case f.attempt == p.attempt || f.content:
		case f.probe && p.price == price{}:
			return nil
		case math.Abs(cost-p.money) > grain || p.hedges != 1:
		case there.hedges < 1-grain/100 || waited*10 <= f.delay*14 && there.hedges < 1+r.w.fleet.Times.HedgeBurst/5-grain/100:
		case cost <= there.money+grain || waited*10 > f.delay*19:
			r.w.races++
			r.w.seen[sawRace]++
			if cost > there.money+grain {
				r.w.seen[sawDebt]++
			}
			return nil
		}
	}
	return fmt.Errorf("a race is made for %v while %v are there", p.price, there)
}

// costOfRace is the money by which a race is expected to make a request dearer: the
// target's prompt, and the answers that are paid. The late one is paid alone without it;
// with it, the winner's, which is the target's in six of ten, and the loser's too where it
// is billed although it is cut, or goes on until one of them is whole.
func (r *run) costOfRace(late, target int) float64 {
	a, b := &r.cands[late], &r.cands[target]
	answer := func(c *Candidate) float64 { return float64(c.Expected - c.Prompt) }
	inFull := func(c *Candidate) float64 {
		if a.Plain || b.Plain || c.Model.Bills == gateway.BillsInFull {
			return answer(c)
		}
		return 0
	}
	with := float64(b.Prompt) + 0.6*(answer(b)+inFull(a)) + 0.4*(answer(a)+inFull(b))
	return max(0, with-answer(a))
}
