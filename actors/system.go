package actors

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"gateway"
	"gateway/breaker"
	"gateway/route"
)

// System is the running set of actors. Make it with Start, end it with Stop.
type System struct {
	cfg    Config
	log    *slog.Logger
	byName map[string]*Provider
	sites  []*site

	actors *actor.ActorSystem
	root   *actor.RootContext
	router *actor.PID
	ledger *actor.PID

	started  chan struct{}
	timer    atomic.Pointer[time.Timer]
	workers  workers
	attempts sync.WaitGroup // goroutines of attempts
	rows     sync.WaitGroup // rows handed to the books
	waits    sync.Pool      // of *settlement
	inFlight atomic.Int64
	affinity affinity
	gaps     gapBook
	loops    affinity // by tool call
	yards    yardsticks
	lengths  lengths
	crowd    crowd
	habits   habits
	stop     sync.Once
}

// Start makes the actors and returns when they are ready.
func Start(cfg Config) (*System, error) {
	if cfg.Catalog == nil || cfg.Books == nil || cfg.Estimate.Prompt == nil {
		return nil, errors.New("actors: catalog, books and estimate are required")
	}
	cfg.defaults()
	s := &System{cfg: cfg, log: cfg.Log, byName: map[string]*Provider{}, started: make(chan struct{}), loops: affinity{life: loopLife}}
	s.gaps.times = &s.cfg.Times
	random := cfg.Rand
	if random == nil {
		random = rand.Float64
	}
	for i := range s.cfg.Providers {
		p := &s.cfg.Providers[i]
		s.byName[p.Name] = p
		s.sites = append(s.sites, &site{cfg: p, gates: newGates(p, random, cfg.Pace), queue: &waitingRoom{}})
	}
	quiet := func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }
	s.actors = actor.NewActorSystem(actor.WithLoggerFactory(quiet), actor.WithDeadLetterRequestLogging(false))
	lessen(s.actors.ProcessRegistry)
	s.root = s.actors.Root
	if err := s.spawn(); err != nil {
		s.actors.Shutdown()
		s.workers.end()
		return nil, err
	}
	<-s.started
	return s, nil
}

func (s *System) spawn() (err error) {
	resume := actor.NewOneForOneStrategy(1<<30, time.Second, func(any) actor.Directive { return actor.ResumeDirective })
	s.ledger, err = s.root.SpawnNamed(actor.PropsFromProducer(func() actor.Actor {
		return &ledgerActor{sys: s, totals: map[[2]string]gateway.SpendLine{}}
	}, actor.WithGuardian(resume), actor.WithDispatcher(&s.workers), actor.WithMailbox(newMailbox)), "ledger")
	if err != nil {
		return err
	}
	// Providers are restarted one for one, never given up; the router itself resumes,
	// because a restart would stop every provider and forget every request.
	restart := actor.NewRestartingStrategy()
	s.router, err = s.root.SpawnNamed(actor.PropsFromProducer(func() actor.Actor {
		r := &router{sys: s, jobs: map[*job]struct{}{}, hosts: map[string]*actor.PID{}}
		r.fleet = route.NewFleet(s.cfg.Times, func(m *gateway.Model) route.GateView { return s.view(m, r.now) })
		return r
	}, actor.WithGuardian(resume), actor.WithSupervisor(restart), actor.WithDispatcher(&s.workers), actor.WithMailbox(newMailbox)), "router")
	return err
}

// tell sends a message to the router.
func (s *System) tell(m any) { s.root.Send(s.router, m) }

// view is what the router is told of a model's gate.
func (s *System) view(m *gateway.Model, now time.Time) route.GateView {
	g := s.gatesOf(m.Provider)
	if g == nil {
		return route.GateView{Shut: true}
	}
	st := g.of(m).Status(now)
	return route.GateView{
		Closed: st.State == breaker.Closed,
		Shut:   st.State != breaker.Closed && st.State != breaker.HalfOpen,
		Tight:  st.Tight,
		Wait:   st.Wait,
	}
}

func (s *System) gatesOf(provider string) *gates {
	for _, site := range s.sites {
		if site.cfg.Name == provider {
			return site.gates
		}
	}
	return nil
}

// idle is the limit on silence in the middle of a model's answer.
func (s *System) idle(m *gateway.Model) time.Duration {
	if p := s.byName[m.Provider]; p != nil && p.Idle > 0 {
		return p.Idle
	}
	return s.gaps.limit(m, time.Now())
}

// Route serves one request: it returns the one answer or the one error, an
// *gateway.Error. The answer's Stream must be read to its end or closed. When ctx
// ends, so do all attempts.
func (s *System) Route(ctx context.Context, req *gateway.Request) (*gateway.Answer, error) {
	if s.inFlight.Add(1) > int64(s.cfg.MaxInFlight) {
		s.inFlight.Add(-1)
		return nil, &gateway.Error{Kind: gateway.NoCapacity, Message: "the gateway is at its limit of requests in flight", RetryAfter: time.Second}
	}
	defer s.inFlight.Add(-1)
	if refusal := s.prepare(req); refusal != nil {
		return nil, refusal
	}
	now := time.Now()
	from := s.makerOf(req, now)
	cands, rules, refusal := s.plan(req, from, now)
	if refusal != nil {
		return nil, refusal
	}
	j := &job{ctx: ctx, req: req, rules: rules, cands: cands, begun: now, maker: from, reply: make(chan struct{}, 1)}
	s.crowd.join(j)
	answer, failure := s.await(j)
	if failure != nil || answer.Stream == nil {
		s.crowd.leave(j) // a stream leaves when it ends
	}
	return answer, failure
}

func (s *System) await(j *job) (*gateway.Answer, error) {
	s.tell(begin{j})
	if a := j.borrow(); a != nil { // ends when a.ctx does, as another's answer or the client's leaving has it
		a.run()
	}
	select {
	case <-j.reply:
	case <-j.ctx.Done():
		s.tell(gone{j})
		if j.leave() {
			return nil, whyEnded(j.ctx)
		}
		<-j.reply // it came in the same moment; its owner closes it
	}
	if j.told.err != nil && j.ctx.Err() != nil {
		return nil, whyEnded(j.ctx) // what its attempts failed of was the end of the request
	}
	return j.told.unpack()
}

// whyEnded is the reason that we had for ending a request, or that its client left.
func whyEnded(ctx context.Context) *gateway.Error {
	var own *gateway.Error
	if errors.As(context.Cause(ctx), &own) {
		return own
	}
	return gateway.Errorf(gateway.Canceled, "the client left")
}

func (r result) unpack() (*gateway.Answer, error) {
	if r.err != nil {
		return nil, r.err
	}
	return r.answer, nil
}

// Status reads what is known of every provider. It calls none.
func (s *System) Status() []gateway.ProviderStatus {
	reply := make(chan []gateway.ProviderStatus, 1)
	s.tell(askStatus{reply})
	select {
	case st := <-reply:
		return st
	case <-time.After(time.Second):
		return nil
	}
}

// Totals are what was booked by this process, by provider and model.
func (s *System) Totals() map[[2]string]gateway.SpendLine {
	reply := make(chan map[[2]string]gateway.SpendLine, 1)
	s.root.Send(s.ledger, askSpend{reply})
	select {
	case t := <-reply:
		return t
	case <-time.After(time.Second):
		return nil
	}
}

// Stop ends the system in order: no new requests, the running ones to their end or to
// ctx's, then providers, router and ledger. Every row is with the books when it
// returns. The handlers must be asked to end first.
func (s *System) Stop(ctx context.Context) {
	s.stop.Do(func() {
		quiet := make(chan struct{})
		go func() { // ends with the last attempt, which ends with its context
			s.attempts.Wait()
			close(quiet)
		}()
		select {
		case <-quiet:
		case <-ctx.Done():
			s.tell(drain{})
			<-quiet
		}
		if t := s.timer.Load(); t != nil {
			t.Stop()
		}
		s.settleRows()
		// Nobody sends any more: now the queues may be closed.
		s.root.PoisonFuture(s.router).Wait()
		s.root.PoisonFuture(s.ledger).Wait()
		s.actors.Shutdown()
		s.workers.end()
	})
}

// settleRows waits until the ledger actor has taken every row and the books have
// answered for it.
func (s *System) settleRows() {
	s.Totals() // a round trip: every book sent before it has been received
	s.rows.Wait()
}
