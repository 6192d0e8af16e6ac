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
	byModel map[*gateway.Model]*breaker.Queue[*attempt]
}

// expired tells the provider actor that an attempt has waited long enough.
type expired struct{ attempt *attempt }

// wait puts an attempt into its model's queue.
func (p *providerActor) wait(c actor.Context, a *attempt, refusal *gateway.Error) *gateway.Error {
	q := p.site.queue.of(a.model)
	if !q.Push(a.job.req.Key, a.job.tokens(), a) {
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
	p.recheckIn(c, refusal.RetryAfter)
	return nil
}

// serveQueue admits those whose turn it is until there is no room.
func (p *providerActor) serveQueue(c actor.Context) {
	for model, q := range p.site.queue.byModel {
		p.serve(c, model, q)
		if q.Len() == 0 {
			delete(p.site.queue.byModel, model)
		}
	}
}

func (p *providerActor) serve(c actor.Context, _ *gateway.Model, q *breaker.Queue[*attempt]) {
	for {
		a, ok := q.Next()
		if !ok {
			return
		}
		if !a.waiting { // expired meanwhile
			q.Take()
			continue
		}
		err := p.admit(c, a)
		if err != nil && onlyTime(err) {
			p.recheckIn(c, err.RetryAfter)
			return
		}
		q.Take()
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

// recheckIn looks at the queue again when a limiter should have room. Room that comes
// from an attempt that ends is noticed at once.
func (p *providerActor) recheckIn(c actor.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	self, root := c.Self(), p.sys.root
	time.AfterFunc(d, func() { root.Send(self, recheck{}) }) // fires once; a late one finds an empty queue
}

func (w *waitingRoom) of(m *gateway.Model) *breaker.Queue[*attempt] {
	if w.byModel == nil {
		w.byModel = map[*gateway.Model]*breaker.Queue[*attempt]{}
	}
	q := w.byModel[m]
	if q == nil {
		q = &breaker.Queue[*attempt]{}
		w.byModel[m] = q
	}
	return q
}

// queued says how many wait for a model.
func (w *waitingRoom) queued(m *gateway.Model) int {
	if q := w.byModel[m]; q != nil {
		return q.Len()
	}
	return 0
}
