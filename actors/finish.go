package actors

import (
	"errors"
	"strings"
	"time"

	"gateway"
	"gateway/breaker"
)

// settleWait bounds how long the end of an answer waits for its row to be durable;
// settleMust, where the end is not told before. The row is not lost when it passes: the
// books keep and retry it.
const (
	settleWait = 5 * time.Second
	settleMust = 30 * time.Second // far more than a disk that works ever takes
)

// finish ends the attempt: its place is given back, the gate hears how it went, its
// row is booked. For the attempt that has the client it returns when the row is
// durable, because nothing may follow the last byte that a crash could undo. Its error is
// for a client that must not hear of a whole answer: of kind LedgerDown if the request must
// be booked and is not, or why the request ended meanwhile.
func (a *attempt) finish(t *tally, err *gateway.Error, winner bool) *gateway.Error {
	if !winner {
		a.end(t, err, false, nil)
		return nil
	}
	must, most := a.sys.mustBook(a.job.req), settleWait
	if must {
		most = settleMust
	}
	s := a.sys.settlement(most)
	if !a.end(t, err, true, s.tell) {
		return nil
	}
	var unbooked error
	select {
	case unbooked = <-s.durable:
		a.sys.settled(s)
	case <-s.late.C:
		a.sys.log.Error("ledger row not durable yet", "request", a.job.req.ID, "attempt", a.n)
		unbooked = errSlowBooks
	case <-a.job.ctx.Done():
		return whyEnded(a.job.ctx)
	}
	if unbooked == nil || !must {
		return nil
	}
	return ledgerDown(unbooked)
}

// settlement is a wait for a row to be durable. One that was told is used again; any other
// may still be told.
type settlement struct {
	durable chan error // capacity 1
	tell    func(error)
	late    *time.Timer
}

func (s *System) settlement(most time.Duration) *settlement {
	if w, _ := s.waits.Get().(*settlement); w != nil {
		w.late.Reset(most)
		return w
	}
	w := &settlement{durable: make(chan error, 1), late: time.NewTimer(most)}
	w.tell = func(err error) { w.durable <- err }
	return w
}

func (s *System) settled(w *settlement) {
	w.late.Stop()
	s.waits.Put(w)
}

var errSlowBooks = errors.New("the row is not durable after " + settleMust.String())

// end does the work of finish without waiting; false if the attempt had already ended.
func (a *attempt) end(t *tally, err *gateway.Error, winner bool, done func(error)) bool {
	first := false
	a.once.Do(func() {
		first = true
		now := time.Now()
		entry := a.entry(t, err, winner, now)
		a.job.note(a.line(&entry, err))
		if entry.Winner {
			a.sys.keepLoop(a.job.req, a.model, t, now)
			if entry.Usage.Reported {
				a.sys.lengths.saw(a.model, a.job.req, entry.Usage.Output)
			}
			if c, ok := conversationOf(a.job.req); ok {
				a.sys.affinity.keep(c, held{a.model, entry.Usage.Prompt(), now})
			}
		}
		a.over, a.outcome = now, breaker.Outcome{Err: nilOr(err), Tokens: entry.Usage.Total(), TTFT: a.quickness()}
		a.sys.root.Send(a.host, ended{a})
		if entry.Usage.Reported && err == nil { // at whatever price
			a.sys.habits.saw(a.model, &entry, t, a.job.rules.PromptTokens)
		}
		if a.hold.Amount > 0 && entry.Cost > a.hold.Amount {
			a.sys.habits.exceeded(a.model, entry.Cost, a.hold.Amount)
		}
		a.sys.root.Send(a.sys.ledger, book{entry: entry, hold: a.hold, unsure: a.unsure(t, &entry), done: done})
		a.cancel(nil)
	})
	return first
}

// nilOr avoids an interface that holds a nil pointer.
func nilOr(e *gateway.Error) error {
	if e == nil {
		return nil
	}
	return e
}

// quickness is the time to the first content as far as it says how loaded a server is: a
// whole answer that may be long says only how long it was.
func (a *attempt) quickness() time.Duration {
	if a.job.cands[a.cand].Long > 0 {
		return 0
	}
	return a.first
}

func (a *attempt) wasSent(err *gateway.Error) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sent || err == nil || err.Sent || a.first > 0
}

func (a *attempt) entry(t *tally, err *gateway.Error, winner bool, now time.Time) gateway.Entry {
	e := a.row(now)
	e.Outcome, e.Finish, e.Winner = outcome(err), t.finish, winner && err == nil
	if err != nil {
		e.Status = err.Status
	}
	if e.Usage, e.Source = a.usage(t, err); e.Source == gateway.UsageReported && a.chargesMore(t, &e.Usage) {
		e.Source = gateway.UsageEstimated
	}
	if e.Priced {
		e.Cost = a.model.Tariff.Cost(e.Usage, a.begun)
	}
	return e
}

// chargesMore: the tokens at the list's price are not all of the bill.
func (a *attempt) chargesMore(t *tally, u *gateway.Usage) bool {
	if u.HasBilled {
		return false
	}
	return a.job.req.Fees != "" && a.model.Protocol.Relays(a.job.req) || a.dearer(t) > 0
}

// dearer is how many times the list's price the tier that served the call may cost on top
// of it: OpenAI takes up to twice the list for priority, and no provider more than six times
// for a fast mode. Where priority is capacity that was bought before it is not dearer.
func (a *attempt) dearer(t *tally) gateway.Microcents {
	switch {
	case t.tier == "fast":
		return 5
	case t.tier == "priority" && !a.model.Protocol.Prepaid:
		return 1
	}
	return 0
}

// row is the part of the entry that is known before the attempt ends.
func (a *attempt) row(now time.Time) gateway.Entry {
	req := a.job.req
	e := gateway.Entry{
		Request: req.ID, Attempt: a.n, Key: req.Key, Team: req.Team, Run: req.Run, Tags: req.Tags, Op: "chat", Role: a.role,
		Provider: a.model.Provider, Model: a.model.Name, Asked: req.Model,
		Begun: a.begun, FirstContent: a.first, Took: now.Sub(a.begun), Stream: req.Stream,
	}
	if req.Embed != nil {
		e.Op = "embeddings"
	}
	if tariff := a.model.Tariff; tariff != nil {
		e.Priced, e.PriceDate, e.Tariff = true, tariff.Date, tariff.ID
	}
	return e
}

func outcome(err *gateway.Error) string {
	if err == nil {
		return "ok"
	}
	return err.Kind.String()
}

// usage is what the attempt used: as reported, or estimated where the provider did
// not get to report it. What a cut call costs follows the provider's billing habit.
func (a *attempt) usage(t *tally, err *gateway.Error) (gateway.Usage, gateway.UsageSource) {
	u := t.usage
	if err != nil && err.Usage != nil {
		u = *err.Usage
	}
	// A client that leaves, or a race that ends, in the last moment of an answer does not make
	// its bill uncertain. Of several choices the first end is not that of all.
	if u.Reported && (err == nil || t.billed && !a.job.req.Needs.Many) {
		a.sys.yards.learn(a.model, a.job.req, &u, &t.text, time.Now())
		if !u.PromptUnknown {
			return u, gateway.UsageReported
		}
		return a.withPrompt(u), gateway.UsageEstimated
	}
	if !a.wasSent(err) || err != nil && refusedUnbilled(err) {
		return gateway.Usage{}, gateway.UsageNone
	}
	if u.Prompt() == 0 {
		u.Fresh = a.promptEstimate()
	}
	if req := a.job.req; req.Embed == nil {
		u.Output = max(u.Output, a.sys.yards.textOf(a.model, &t.text))
		if err != nil && a.billsUnseen() {
			u.Output = max(u.Output, a.wholeAnswer())
		} else if err != nil && a.model.Bills == gateway.BillsSeen && a.thinksUnseen() {
			u.Output = max(u.Output, a.madeUnseen())
		}
	}
	u.Reported = false
	return u, gateway.UsageEstimated
}

// untold is the usage of a whole answer as far as it was estimated; nil where the provider
// told all of it.
func (a *attempt) untold(t *tally) *gateway.Usage {
	if t.usage.Reported && !t.usage.PromptUnknown {
		return nil
	}
	u := a.withPrompt(t.usage)
	if !t.usage.Reported {
		u, _ = a.usage(t, nil)
	}
	return &u
}

// withPrompt is a usage with our estimate of the prompt that its provider did not tell.
func (a *attempt) withPrompt(u gateway.Usage) gateway.Usage {
	u.Fresh, u.PromptUnknown, u.Reported = a.promptEstimate(), false, false
	return u
}

func (a *attempt) promptEstimate() int { return a.sys.yards.promptOf(a.model, a.job.req) }

// billsUnseen: a cut call may be billed for more than we saw of it. Of a plain answer
// nothing is seen until it is whole.
func (a *attempt) billsUnseen() bool {
	return a.model.Bills == gateway.BillsInFull || a.plain() && a.model.Bills == gateway.BillsSeen
}

// thinksUnseen: what reached us is not all that the model made.
func (a *attempt) thinksUnseen() bool {
	return a.sys.habits.hidden(a.model) || a.model.Protocol.Hides && asksToThink(a.job.req)
}

// madeUnseen is what a model that thinks unseen is expected to have made until now.
func (a *attempt) madeUnseen() int {
	made := a.sys.habits.made(a.model, time.Since(a.begun))
	if most := a.mostTokens(); most > 0 {
		return min(made, most*max(1, a.bound.choices))
	}
	return made
}

// wholeAnswer is what a provider that goes on generating is expected to bill.
func (a *attempt) wholeAnswer() int {
	expected, _, _ := a.sys.habits.typical(a.model)
	if n := a.job.req.MaxTokens; n > 0 {
		return min(n, expected)
	}
	return expected
}

// refusedUnbilled: an error answer before any content is not billed.
func refusedUnbilled(err *gateway.Error) bool {
	return err.Status >= 400 && err.Usage == nil
}

// line is the attempt's line in the receipt.
func (a *attempt) line(e *gateway.Entry, err *gateway.Error) gateway.AttemptNote {
	start := e.Begun.Sub(a.job.begun)
	n := gateway.AttemptNote{
		Attempt: a.n, Provider: e.Provider, Model: e.Model, Role: a.role,
		Start: start, End: start + e.Took, Outcome: e.Outcome,
		Cost: e.Cost, Estimated: e.Source == gateway.UsageEstimated,
	}
	if e.FirstContent > 0 {
		n.FirstContent = start + e.FirstContent
	}
	if err != nil {
		n.Reason = err.Message
	}
	if what := a.job.maker.leftOut(a.model); what != "" {
		a.loses(what)
	}
	a.mu.Lock()
	n.Downgrade = strings.Join(a.lost, "; ")
	a.mu.Unlock()
	return n
}
