package actors

import (
	"context"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"gateway"
)

// Holds are the budgets. It is satisfied by ledger.Accounts.
type Holds interface {
	// Prepare makes accounts ready and brings their limits into force. It may read from a disk.
	Prepare(path []gateway.Account) error
	// Look says why an attempt would not be admitted now; nil if it would.
	Look(ask gateway.Ask) *gateway.Shortage
	// Hold admits an attempt on all accounts of its path or on none.
	Hold(ask gateway.Ask) (gateway.Hold, *gateway.Shortage)
	// Release ends a hold of which nothing was sent.
	Release(h gateway.Hold) bool
	// Refused hears of each client that was refused for want of room. It must not wait.
	Refused(s *gateway.Shortage)
}

// messages of the ledger actor about holds
type (
	holdFor  struct{ attempt *attempt } // before it may leave
	unneeded struct{ attempt *attempt } // it ended while it waited, or waited long enough
	release  struct{ hold gateway.Hold }
	lookOver struct{} // room may have come without word
)

// budgeted says whether anything bounds what a request may spend.
func budgeted(req *gateway.Request) bool {
	for i := range req.Accounts {
		if req.Accounts[i].Budget.Limited {
			return true
		}
	}
	return false
}

// mustBook says whether a request is refused, and its answer not told to be whole, while it
// cannot be booked.
func (s *System) mustBook(req *gateway.Request) bool {
	return s.cfg.RefuseOnLedgerError || budgeted(req)
}

// prepare reads what the accounts of a request hold. Without books that can be written
// nothing leaves that must be booked.
func (s *System) prepare(req *gateway.Request) *gateway.Error {
	if err := s.cfg.Books.Full(); err != nil {
		return ledgerDown(err)
	}
	if s.mustBook(req) {
		if err := s.cfg.Books.Failing(); err != nil {
			return ledgerDown(err)
		}
	}
	if len(req.Accounts) == 0 || s.cfg.Holds == nil {
		return nil
	}
	if err := s.cfg.Holds.Prepare(req.Accounts); err != nil {
		return ledgerDown(err)
	}
	return nil
}

func ledgerDown(err error) *gateway.Error {
	return &gateway.Error{Kind: gateway.LedgerDown, Message: "the books cannot be written now", RetryAfter: time.Second, Err: err}
}

// ask is what the attempt needs of its budgets.
func (a *attempt) ask(last bool) gateway.Ask {
	ask := gateway.Ask{Request: a.job.req.ID, Attempt: a.n, Path: a.job.req.Accounts, Last: last}
	ask.Want = a.bound.cost(a.bound.answer)
	for i := range ask.Path {
		if ask.Path[i].Clamp && a.bound.answer > leastAnswer {
			ask.Least = a.bound.cost(leastAnswer)
		}
	}
	return ask
}

// answer is hold, and tells the router also when something here panics.
func (l *ledgerActor) answer(c actor.Context, a *attempt) {
	answered := false
	defer func() {
		if !answered {
			l.sys.refuse(a, gateway.Errorf(gateway.Internal, "internal error"))
		}
	}()
	l.hold(c, a)
	answered = true
}

// refuse tells the router that an attempt does not leave, and frees what was held for it.
func (s *System) refuse(a *attempt, err *gateway.Error) {
	if len(a.hold.Places) > 0 {
		s.root.Send(s.ledger, release{a.hold})
	}
	s.tell(refused{a, err})
}

// hold answers an attempt that wants to leave: it may, or it waits, or it must not.
func (l *ledgerActor) hold(c actor.Context, a *attempt) {
	if a.ctx.Err() != nil {
		l.sys.tell(refused{a, a.cause(a.ctx.Err())})
		return
	}
	if budgeted(a.job.req) {
		var lacks string
		if a.bound, lacks = l.sys.boundOf(a.job.req, a.model, a.prefill(), time.Now()); lacks != "" {
			l.refuse(a, gateway.Errorf(gateway.BudgetExceeded, "the key has a budget, and the model does not have %s", lacks))
			return
		}
	}
	// A race that is late already is not waited for, and a request waits for room once.
	patient := a.role != gateway.Hedge && a.role != gateway.Moved && !a.job.waited
	ask := a.ask(!patient)
	short := l.sys.cfg.Holds.Look(ask)
	switch {
	case short != nil && (!short.Later || !patient):
		l.refuse(a, exceeded(short))
	case short != nil:
		l.wait(c, a, short.Account)
	case l.line.blocks(ask.Path):
		switch {
		case patient:
			l.wait(c, a, "")
		case a.job.waited:
			l.admit(a, ask) // it has been in line before those who are in it now
		default:
			l.refuse(a, exceeded(&gateway.Shortage{Account: ask.Path[0].ID, Needed: ask.Want, Later: true}))
		}
	default:
		l.admit(a, ask)
	}
}

// admit takes the hold and lets the attempt leave. false: there was no room after all.
func (l *ledgerActor) admit(a *attempt, ask gateway.Ask) bool {
	h, short := l.sys.cfg.Holds.Hold(ask)
	if short != nil {
		l.refuse(a, exceeded(short))
		return false
	}
	a.hold = h
	if h.Amount < ask.Want { // clamped: the answer is asked as long as the hold pays for
		a.bound.answer = a.bound.pays(h.Amount)
	}
	l.sys.root.Send(a.to, try{a})
	return true
}

// pays is the longest answer that an amount pays for, in each choice.
func (b bound) pays(amount gateway.Microcents) int {
	if b.output == 0 {
		return b.answer
	}
	left := int64(amount)*gateway.PicosPerMicrocent - int64(b.prompt)*int64(b.input)
	return int(min(int64(b.answer), max(1, left/(int64(b.output)*int64(b.choices)))))
}

func (l *ledgerActor) refuse(a *attempt, err *gateway.Error) {
	err.Provider, err.Model = a.model.Provider, a.model.Name
	l.sys.tell(refused{a, err})
}

func exceeded(short *gateway.Shortage) *gateway.Error {
	unsure := ""
	if short.Unsure > 0 { // nothing may run, and yet something is held
		unsure = fmt.Sprintf(" (%d of that is what calls that were cut may have cost)", short.Unsure)
	}
	e := gateway.Errorf(gateway.BudgetExceeded, "the budget does not hold this request: %d microcents are spent and %d held%s of %d, and it may cost up to %d",
		short.Spent, short.Held, unsure, short.Limit, short.Needed)
	e.Short = short
	return e
}

// wait puts an attempt in line until room comes, its time is over or nobody wants it.
func (l *ledgerActor) wait(c actor.Context, a *attempt, lacking string) {
	self, root := c.Self(), l.sys.root
	l.line.push(a, lacking)
	word := func() { root.Send(self, unneeded{a}) }
	a.expiry = time.AfterFunc(min(holdWait, time.Until(a.job.rules.Deadline)), word) // stopped when it leaves the line
	a.unwatch = context.AfterFunc(a.ctx, word)
	l.watch()
}

func (l *ledgerActor) lookOver() {
	l.serve()
	if l.again = nil; l.line.len > 0 {
		l.watch()
	}
}

// watch has the line looked over in a while.
func (l *ledgerActor) watch() {
	if self := l.sys.ledger; l.again == nil {
		root := l.sys.root
		l.again = time.AfterFunc(lookEvery, func() { root.Send(self, lookOver{}) }) // stops when nobody is in line
	}
}

// lookEvery finds room that came without word: a limit that was raised, a new period, a
// row that was written late.
const lookEvery = 250 * time.Millisecond

// unneed takes an attempt out of the line: with less than it wants if that will do, or
// with a refusal.
func (l *ledgerActor) unneed(a *attempt) {
	if !l.line.remove(a) {
		return
	}
	a.leaveLine()
	if a.ctx.Err() != nil {
		l.sys.tell(refused{a, a.cause(a.ctx.Err())})
	} else {
		a.job.waited = true
		l.admit(a, a.ask(true))
	}
	l.serve()
}

func (a *attempt) leaveLine() {
	a.expiry.Stop()
	a.unwatch()
}

// serve admits those in line until the one whose turn it is finds no room. Who can never
// have room is refused.
func (l *ledgerActor) serve() {
	var blocked map[string]bool
	for l.line.len > 0 {
		a, q := l.line.next(blocked)
		if a == nil {
			return
		}
		ask := a.ask(false)
		short := l.sys.cfg.Holds.Look(ask)
		if short != nil && short.Later {
			q.lacking = short.Account
			if blocked == nil {
				blocked = map[string]bool{}
			}
			blocked[short.Account] = true
			continue
		}
		l.line.round = max(l.line.round, a.round)
		l.line.remove(a)
		a.leaveLine()
		if short != nil {
			l.refuse(a, exceeded(short))
		} else {
			l.admit(a, ask)
		}
	}
}
