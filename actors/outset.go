package actors

import (
	"errors"
	"time"

	"gateway"
)

// setOut writes down that the attempt is about to be sent, so that it is booked if this
// process is killed before it ends. What must be booked does not leave without.
func (a *attempt) setOut() error {
	o := a.outset()
	err := a.sys.cfg.Books.Begin(a.ctx, &o)
	if err != nil && a.ctx.Err() != nil {
		return a.cause(err)
	}
	if err == nil || !a.sys.mustBook(a.job.req) && a.sys.cfg.Books.Full() == nil {
		return nil // the alarm comes with the row
	}
	var down *gateway.Error
	if !errors.As(err, &down) {
		down = ledgerDown(err)
	}
	return down
}

func (a *attempt) outset() gateway.Outset {
	o := gateway.Outset{Hold: a.hold, Bills: a.model.Bills}
	if a.billsUnseen() { // nobody will know how much of it there was
		o.Bills = gateway.BillsInFull
	}
	var expected int
	expected, o.First, o.Takes = a.sys.habits.typical(a.model)
	req := a.job.req
	e := a.row(time.Now())
	e.Usage.Fresh = a.sys.habits.promptOf(a.model, a.job.rules.PromptTokens)
	if req.Embed == nil {
		e.Usage.Output = expected
		if o.Most = a.mostTokens(); o.Most > 0 {
			e.Usage.Output = min(expected, o.Most)
		}
	}
	e.Source = gateway.UsageEstimated
	if e.Priced {
		tariff := a.model.Tariff
		r := tariff.At(e.Usage.Prompt(), a.begun)
		o.Input, o.Output = r.Input, r.Output
		e.Cost = tariff.Cost(e.Usage, a.begun)
	}
	o.Entry = e
	return o
}
