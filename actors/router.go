package actors

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"gateway"
	"gateway/route"
)

// router keeps one Walk per request in flight and carries out what it decides. It
// does almost nothing else, so that it almost never fails; what panics all the same
// costs the one request whose event it was.
type router struct {
	sys       *System
	fleet     *route.Fleet
	jobs      map[*job]struct{}
	timetable timetable
	now       time.Time // of the step under way
	timer     *time.Timer
	armed     time.Time
	draining  bool
	forgiven  bool                  // the last tick was late and only put off what was due
	hosts     map[string]*actor.PID // provider actors, by name
}

func (r *router) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case *actor.Started:
		r.start(c)
	case begin:
		r.begin(m.job)
	case gone:
		r.step(m.job, route.Event{Kind: route.Gone})
	case refused:
		r.forget(m.attempt)
		r.step(m.attempt.job, route.Event{Kind: route.Refused, Attempt: m.attempt.n, Err: m.err})
	case departed:
		r.step(m.attempt.job, route.Event{Kind: route.Left, Attempt: m.attempt.n, Probe: m.attempt.permit.Probe})
	case content:
		r.step(m.attempt.job, route.Event{Kind: route.Content, Attempt: m.attempt.n, After: m.attempt.first})
	case whole:
		r.step(m.attempt.job, route.Event{Kind: route.Whole, Attempt: m.attempt.n, After: m.attempt.first})
	case failed:
		r.forget(m.attempt)
		r.step(m.attempt.job, route.Event{Kind: route.Failed, Attempt: m.attempt.n, Err: m.err})
		if j := m.attempt.job; j.winner == m.attempt { // it was cut as it won: the walk is over, and nobody else tells the client
			j.deliver(result{err: m.err})
		}
	case tick:
		r.tick()
	case drain:
		r.draining = true
		for j := range r.jobs {
			r.step(j, route.Event{Kind: route.Drain})
		}
	case askStatus:
		m.reply <- r.status()
	}
}

// start spawns the provider actors as children, one-for-one: one that fails is
// restarted alone and at once.
func (r *router) start(c actor.Context) {
	for i := range r.sys.sites {
		s := r.sys.sites[i]
		props := actor.PropsFromProducer(func() actor.Actor { return &providerActor{sys: r.sys, site: s} }, actor.WithDispatcher(&r.sys.workers), actor.WithMailbox(newMailbox))
		pid, err := c.SpawnNamed(props, "router/provider/"+s.cfg.Name)
		if err != nil {
			r.sys.log.Error("starting provider actor", "provider", s.cfg.Name, "err", err)
			continue
		}
		r.hosts[s.cfg.Name] = pid
	}
	close(r.sys.started)
}

func (r *router) begin(j *job) {
	j.heapPos, j.out = -1, j.room.out[:0]
	j.walk = route.New(j.rules, j.cands, r.fleet)
	r.jobs[j] = struct{}{}
	if r.draining {
		r.step(j, route.Event{Kind: route.Drain})
		return
	}
	r.step(j, route.Event{Kind: route.Begin})
}

// step gives a walk one event. A panic in it fails that walk only.
func (r *router) step(j *job, ev route.Event) {
	if j.walk == nil || j.walk.Done() {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			r.sys.log.Error("walk panicked", "request", j.req.ID, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			r.abort(j)
		}
	}()
	now := time.Now()
	r.now = now
	for _, action := range j.walk.Step(ev, now) {
		r.act(j, action)
	}
	r.after(j, now)
}

func (r *router) after(j *job, now time.Time) {
	if j.walk.Done() {
		r.timetable.set(j, time.Time{})
		delete(r.jobs, j)
	} else {
		r.timetable.set(j, j.walk.Wake())
	}
	for _, sick := range r.fleet.TakeSick() {
		r.moveStuck(sick, now)
	}
	r.arm(now)
}

// abort ends a request whose walk panicked. What it counted is given back first: nobody
// else will.
func (r *router) abort(j *job) {
	j.walk.Abort()
	r.timetable.set(j, time.Time{})
	delete(r.jobs, j)
	for _, a := range j.out {
		a.cancel(gateway.Errorf(gateway.Canceled, "the request failed"))
	}
	j.deliver(result{err: gateway.Errorf(gateway.Internal, "internal error")})
}

func (r *router) act(j *job, action route.Action) {
	switch action.Kind {
	case route.Start:
		r.launch(j, action)
	case route.Cancel:
		if a := j.find(action.Attempt); a != nil {
			a.cancel(action.Err)
			r.forget(a)
		}
	case route.Commit:
		if a := j.find(action.Attempt); a != nil {
			j.winner = a
			a.won <- win{attempts: j.walk.Sent(), hedged: j.walk.Hedged()}
		}
	case route.GiveUp:
		err := *action.Err
		err.Attempts = notes(j.walk.Failures())
		if j.deliver(result{err: &err}) && err.Short != nil && r.sys.cfg.Holds != nil {
			r.sys.cfg.Holds.Refused(err.Short)
		}
	}
}

func (r *router) launch(j *job, action route.Action) {
	model := j.cands[action.Candidate].Model
	a := &attempt{job: j, n: action.Attempt, cand: action.Candidate, role: action.Role, model: model,
		queue: action.Queue, sys: r.sys, won: make(chan win, 1)}
	a.ctx, a.cancel = context.WithCancelCause(j.ctx)
	j.out = append(j.out, a)
	host := r.hosts[model.Provider]
	if host == nil {
		r.sys.tell(refused{a, gateway.Errorf(gateway.Unavailable, "its actor is not running")})
		return
	}
	if a.to = host; len(j.req.Accounts) > 0 && r.sys.cfg.Holds != nil {
		r.sys.root.Send(r.sys.ledger, holdFor{a}) // which lets it leave when its budgets have room
		return
	}
	r.sys.root.Send(host, try{a})
}

// forget drops the router's hold of an attempt that has ended or need not be heard of.
func (r *router) forget(a *attempt) {
	if i := slices.Index(a.job.out, a); i >= 0 {
		a.job.out = slices.Delete(a.job.out, i, i+1)
	}
}

func (j *job) find(n int) *attempt {
	for _, a := range j.out {
		if a.n == n {
			return a
		}
	}
	return nil
}

// moveStuck asks the walks with late calls on a demoted model to move them, spread
// over a moment so that they do not all arrive at the next provider at once.
func (r *router) moveStuck(sick route.Way, now time.Time) {
	const steps = 16
	spread, i := r.fleet.Times.MoveSpread, 0
	for j := range r.jobs {
		if j.walk.MoveAt(sick, now.Add(spread*time.Duration(i%steps)/steps)) {
			i++
			r.timetable.set(j, j.walk.Wake())
		}
	}
}

func (r *router) tick() {
	now := time.Now()
	held := now.Sub(r.armed)
	if !r.forgiven && !r.armed.IsZero() && held >= heldUp {
		r.forgiven = true
		r.forgive(held, now)
		r.armed = now.Add(heldUp) // what lies unread comes first
		r.timer.Reset(heldUp)
		return
	}
	r.armed, r.forgiven = time.Time{}, false
	for j := r.timetable.due(now); j != nil; j = r.timetable.due(now) {
		r.step(j, route.Event{Kind: route.Tick})
	}
	r.arm(now)
}

// heldUp is how late a tick must be to say that this process itself did not get to run:
// for want of a processor, or because more events came than it could take.
const heldUp = 5 * time.Millisecond

// forgive takes the time in which this process was held up off what its providers have
// used of theirs. What they sent meanwhile may lie unread, and on a machine that stands
// still every one of them looks slow at once: calls would be moved, raced and given up
// for nothing, and make the machine's trouble worse.
func (r *router) forgive(held time.Duration, now time.Time) {
	for j := range r.jobs {
		j.walk.Delay(held, now)
		r.timetable.set(j, j.walk.Wake())
	}
}

// arm sets the one timer to the next wake, if that is sooner than what is set.
func (r *router) arm(now time.Time) {
	if len(r.timetable) == 0 || r.forgiven { // its tick is on its way
		return
	}
	next := r.timetable[0].wake
	if next.Before(now) { // what was due when it was set says nothing of this process
		next = now
	}
	if !r.armed.IsZero() && !next.Before(r.armed) {
		return // an earlier tick will look again
	}
	r.armed = next
	if r.timer == nil {
		sys := r.sys
		r.timer = time.AfterFunc(next.Sub(now), func() { sys.tell(tick{}) }) // stopped by System.Stop
		sys.timer.Store(r.timer)
		return
	}
	r.timer.Reset(next.Sub(now))
}

// notes says of each refusal and failure which provider it was and why.
func notes(failures []*gateway.Error) []gateway.AttemptNote {
	out := make([]gateway.AttemptNote, 0, len(failures))
	for i, e := range failures {
		out = append(out, gateway.AttemptNote{Attempt: i + 1, Provider: e.Provider, Model: e.Model, Outcome: e.Kind.String(), Reason: e.Message})
	}
	return out
}
