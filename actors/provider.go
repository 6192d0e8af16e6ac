package actors

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"gateway"
)

// try asks a provider actor for one attempt.
type try struct{ attempt *attempt }

// ended tells it how an admitted attempt went.
type ended struct{ attempt *attempt }

// answers tells it that a probe has given its first content.
type answers struct{ attempt *attempt }

// recheck tells it that what waits for a model may have room now.
type recheck struct{ model *gateway.Model }

// site is what must survive a restart of a provider actor: gates and the queue. It is
// made outside the actor and handed in by its Props.
type site struct {
	cfg   *Provider
	gates *gates
	queue *waitingRoom
}

// providerActor admits attempts for one provider and hears how they ended. It never
// makes a call itself.
type providerActor struct {
	sys  *System
	site *site
}

func (p *providerActor) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case try:
		p.try(c, m.attempt)
	case ended:
		m.attempt.permit.Done(m.attempt.over, m.attempt.outcome)
		p.serveQueue(c)
	case answers:
		m.attempt.permit.Content(time.Now())
		p.serveQueue(c)
	case recheck:
		p.recheck(c, m.model)
	case expired:
		p.expire(m.attempt)
		p.serveModel(c, m.attempt.model) // the next in turn may want less
	case *actor.Stopping:
		p.site.queue.close() // a restart does not come here: who waits goes on waiting
	}
}

// try admits the attempt, or refuses, or lets it wait. The router always hears which,
// also when something here panics.
func (p *providerActor) try(c actor.Context, a *attempt) {
	told := false
	defer func() {
		if !told {
			p.sys.refuse(a, gateway.Errorf(gateway.Internal, "internal error"))
		}
	}()
	err := p.admitInTurn(c, a)
	if err != nil && onlyTime(err) && !a.queue.IsZero() {
		err = p.wait(c, a, err)
		told = err == nil
	}
	if err != nil {
		p.sys.refuse(a, err)
	}
	told = true
}

func (p *providerActor) admit(c actor.Context, a *attempt) *gateway.Error {
	if a.ctx.Err() != nil {
		return a.cause(a.ctx.Err())
	}
	now := time.Now()
	permit, err := p.site.gates.of(a.model).Admit(now, a.job.tokens())
	if err != nil {
		e := *err
		e.Provider, e.Model = a.model.Provider, a.model.Name
		return &e
	}
	a.permit, a.host, a.begun = permit, c.Self(), now
	p.sys.attempts.Add(1)
	a.job.departs()
	p.sys.tell(departed{a})
	a.up = p.site.cfg.Upstream
	if !a.job.lend(a) {
		p.sys.workers.do(a.run) // ends when a.ctx does: the router or the client cancels it
	}
	return nil
}

// admitInTurn does not let a newcomer pass those that wait.
func (p *providerActor) admitInTurn(c actor.Context, a *attempt) *gateway.Error {
	if b := p.site.queue.byModel[a.model]; b != nil && b.Len() > 0 {
		return b.behind(a, time.Now())
	}
	return p.admit(c, a)
}

// onlyTime: what refused the attempt passes by itself, so that it may wait.
func onlyTime(err *gateway.Error) bool {
	return err.Kind == gateway.NoCapacity || err.Kind == gateway.RateLimited
}
