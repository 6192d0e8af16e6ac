package actors

import (
	"context"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"gateway"
	"gateway/breaker"
	"gateway/route"
)

// waitingRoom holds the attempts that wait for room, per model.
type waitingRoom struct {
	byModel map[*gateway.Model]*backlog
}

// backlog is what waits for one model. At most one timer looks at it again, at the
// earliest time that a limiter named: a timer for each refusal would have each look arm
// one more for every model that waits, without end.
type backlog struct {
	breaker.Queue[*attempt]
	why   gateway.Kind // its gate refused last: RateLimited for a time to come, NoCapacity for room
	timer *time.Timer  // nil: only an attempt that ends brings room
	due   time.Time
}

// behind refuses who would pass those that wait, for what they wait for.
func (b *backlog) behind(a *attempt, now time.Time) *gateway.Error {
	e := &gateway.Error{Kind: b.why, Provider: a.model.Provider, Model: a.model.Name, Message: "others wait for it"}
	if b.why == gateway.RateLimited && b.timer != nil {
		e.RetryAfter = max(b.due.Sub(now), time.Millisecond)
	}
	return e
}

// rest takes the timer back. One that has fired already is one look more, and no other.
func (b *backlog) rest() {
	if b.timer != nil {
		b.timer.Stop()
		b.timer = nil
	}
}

// expired tells the provider actor that an attempt has waited long enough.
type expired struct{ attempt *attempt }

// wait puts an attempt into its model's queue.
func (p *providerActor) wait(c actor.Context, a *attempt, refusal *gateway.Error) *gateway.Error {
	b := p.site.queue.of(a.model)
	if b.Len() == 0 {
		b.why = refusal.Kind
	}
	if !b.Push(a.job.req.Key, a.job.tokens(), a, b.why == gateway.RateLimited) {
		refusal.Code = route.QueueExpired
		refusal.Message = "its queue is full"
		return refusal
	}
	self, root := c.Self(), p.sys.root
	a.waiting = true
	a.gate = p.site.gates.of(a.model)
	a.gate.Waits(1)
	a.expiry = time.AfterFunc(time.Until(a.queue), func() { root.Send(self, expired{a}) }) // stopped when it leaves the queue
	a.unwatch = context.AfterFunc(a.ctx, func() { root.Send(self, expired{a}) })
	p.recheckIn(c, a.model, b, refusal.RetryAfter)
	return nil
}

// serveQueue admits those whose turn it is until there is no room.
func (p *providerActor) serveQueue(c actor.Context) {
	for model := range p.site.queue.byModel {
		p.serveModel(c, model)
	}
}

func (p *providerActor) serveModel(c actor.Context, model *gateway.Model) {
	b := p.site.queue.byModel[model]
	if b == nil {
		return
	}
	p.serve(c, model, b)
	p.site.queue.tidy(model)
}

func (p *providerActor) serve(c actor.Context, model *gateway.Model, b *backlog) {
	for {
		a, ok := b.Next()
		if !ok {
			return
		}
		if !a.waiting { // expired meanwhile
			b.Take()
			continue
		}
		err := p.admit(c, a)
		if err != nil && onlyTime(err) {
			b.why = err.Kind
			p.recheckIn(c, model, b, err.RetryAfter)
			return
		}
		b.Take()
		a.leaveQueue()
		if err != nil {
			p.sys.refuse(a, err)
		}
	}
}

// expire refuses an attempt that found no room in time.
func (p *providerActor) expire(a *attempt) {
	if !a.waiting {
		return
	}
	p.site.queue.of(a.model).Drop(a.job.req.Key, func(o *attempt) bool { return o == a })
	p.site.queue.tidy(a.model)
	a.leaveQueue()
	err := gateway.Errorf(gateway.NoCapacity, "no room within the time a request may wait")
	err.Provider, err.Model, err.Code = a.model.Provider, a.model.Name, route.QueueExpired
	err.RetryAfter = p.sys.cfg.Times.QueueAtMost
	if a.ctx.Err() != nil {
		err = a.cause(a.ctx.Err())
	}
	p.sys.refuse(a, err)
}

func (a *attempt) leaveQueue() {
	a.waiting = false
	a.gate.Waits(-1)
	a.expiry.Stop()
	a.unwatch()
}

// recheckIn looks at a model's queue again when a limiter should have room. Room that
// comes from an attempt that ends is noticed at once.
func (p *providerActor) recheckIn(c actor.Context, model *gateway.Model, b *backlog, d time.Duration) {
	if d <= 0 {
		return
	}
	at := time.Now().Add(d)
	if b.timer != nil && !at.Before(b.due) {
		return
	}
	b.rest()
	self, root := c.Self(), p.sys.root
	b.due = at
	b.timer = time.AfterFunc(d, func() { root.Send(self, recheck{model}) }) // stopped when nobody waits, and with the actor
}

// recheck looks at the queue whose time has come. Nothing is armed while it does, so
// that what it arms is the only one.
func (p *providerActor) recheck(c actor.Context, model *gateway.Model) {
	if b := p.site.queue.byModel[model]; b != nil {
		b.rest()
		p.serveModel(c, model)
	}
}

func (w *waitingRoom) of(m *gateway.Model) *backlog {
	if w.byModel == nil {
		w.byModel = map[*gateway.Model]*backlog{}
	}
	b := w.byModel[m]
	if b == nil {
		b = &backlog{}
		w.byModel[m] = b
	}
	return b
}

// tidy forgets a queue in which nobody waits.
func (w *waitingRoom) tidy(m *gateway.Model) {
	if b := w.byModel[m]; b != nil && b.Len() == 0 {
		b.rest()
		delete(w.byModel, m)
	}
}

// close lets nobody wait any more and takes every timer back. Whoever waited is ended by
// its own context, as each is whose system stops.
func (w *waitingRoom) close() {
	for m, b := range w.byModel {
		for a, ok := b.Next(); ok; a, ok = b.Next() {
			b.Take()
			if a.waiting {
				a.leaveQueue()
			}
		}
		w.tidy(m)
	}
}
