package actors

import (
	"strconv"
	"strings"
	"time"

	"gateway"
	"gateway/route"
)

// plan makes the candidates and rules of a request. It runs in the handler's
// goroutine, from what never changes.
func (s *System) plan(req *gateway.Request, from maker, now time.Time) ([]route.Candidate, route.Rules, *gateway.Error) {
	resolve := s.cfg.Catalog.Resolve
	if req.Embed != nil {
		resolve = s.cfg.Catalog.ResolveEmbedding
	}
	models, pinned, err := resolve(gateway.MapModel(req.Model, req.ModelMaps...))
	if err != nil {
		return nil, route.Rules{}, asError(err)
	}
	prompt := s.cfg.Estimate.Prompt(req.PromptBytes, req.Messages, req.Images)
	conv, has := conversationOf(req)
	var cache held
	if has {
		cache, has = s.affinity.find(conv, now)
	}
	cands, lacks := s.candidates(req, models, prompt, cache, now)
	if len(cands) == 0 {
		return nil, route.Rules{}, unfit(models, lacks)
	}
	if !pinned {
		route.Order(cands)
		if has {
			stay(req, cands, cache, s.cfg.Times.PriceRatio)
		}
	}
	inLoop := from != (maker{}) && stayInLoop(cands, from)
	rules := s.rules(req, &cands[0], prompt, now)
	if inLoop { // only a failure moves it: a race or a move would lose the state for nothing
		rules.Hedgeable, rules.Demote = false, false
	}
	untilWhole(&rules, cands, now)
	if pinned || req.Embed != nil {
		rules.Hedgeable = rules.Hedgeable && !pinned && req.Embed == nil
	}
	if req.Embed != nil {
		rules.Whole = true
	}
	return cands, rules, nil
}

// candidates keeps the models that can serve the request and says what the others lack.
func (s *System) candidates(req *gateway.Request, models []*gateway.Model, prompt int, cache held, now time.Time) ([]route.Candidate, string) {
	cands, lacks := make([]route.Candidate, 0, len(models)), ""
	for _, m := range models {
		if !allowed(req, m) {
			lacks = notAllowed
			continue
		}
		if region := req.Options.Region; region != "" && !strings.EqualFold(m.Region, region) {
			lacks = "requests that must be processed in the region " + strconv.Quote(region)
			continue
		}
		if l := m.Lacks(req.Needs); l != "" {
			lacks = l
			continue
		}
		if m.Context > 0 && prompt > m.Context {
			lacks = "so large a context"
			continue
		}
		if budgeted(req) {
			if _, l := s.boundOf(req, m, "", now); l != "" {
				lacks = l
				continue
			}
		}
		cached := 0
		if m == cache.model {
			cached = min(prompt, cache.prompt)
		}
		c := route.Expect(m, prompt, cached, req.MaxTokens, now)
		if p := s.byName[m.Provider]; p != nil {
			c.Limit, c.OnBreak = p.TTFT, p.OnBreak
		}
		if c.Plain = s.plainly(req, &c); c.Plain {
			c.Long, c.Usual = s.long(req, m)
		}
		cands = append(cands, c)
	}
	return cands, lacks
}

// unbounded begins what a model lacks when a budget cannot hold a request on it.
const (
	unbounded = "a price that bounds what "
	noBound   = unbounded + "the request may cost"
)

// notAllowed stands for what a model lacks when the key may not use it.
const notAllowed = "a key that may use it"

func allowed(req *gateway.Request, m *gateway.Model) bool {
	for _, list := range req.Allowed {
		if !gateway.Allows(list, req.Model, m) {
			return false
		}
	}
	return true
}

func unfit(models []*gateway.Model, lacks string) *gateway.Error {
	if len(models) == 0 {
		return gateway.Errorf(gateway.NoProvider, "no provider can serve this request")
	}
	if lacks == notAllowed {
		e := gateway.Errorf(gateway.Forbidden, "the API key may not use a model that could serve this request")
		e.Param = "model"
		return e
	}
	if strings.HasPrefix(lacks, unbounded) {
		return gateway.Errorf(gateway.BudgetExceeded, "the API key has a budget, and no model that could serve this request has %s", lacks)
	}
	if lacks == "so large a context" {
		return gateway.Errorf(gateway.ContextLength, "the request is longer than the context of every model that could serve it")
	}
	e := gateway.Errorf(gateway.Unsupported, "no model that could serve this request takes %s", lacks)
	return e
}

// rules are the configuration with the request's own options applied.
func (s *System) rules(req *gateway.Request, first *route.Candidate, prompt int, now time.Time) route.Rules {
	o, cfg := &req.Options, &s.cfg
	r := route.Rules{
		Hedge: cfg.Hedge, HedgeAfter: cfg.HedgeAfter, MaxHedges: cfg.MaxHedges,
		Hedgeable: !req.Stateful && !req.Seeded && !req.Needs.Many,
		Demote:    !cfg.NoDemote, NoFallback: o.NoFallback || cfg.NoFallback && !o.Fallback, Limit: cfg.Limit, Patience: cfg.Patience,
		MaxCost: o.MaxCost, WrongAnswers: 1, PromptTokens: prompt, PatientEffort: req.DeepEffort,
	}
	if p := s.byName[first.Model.Provider]; p != nil {
		if p.Hedge != "" {
			r.Hedge = p.Hedge
		}
		orDuration(&r.HedgeAfter, p.After)
		if p.Patience > 0 {
			r.Patience = p.Patience
		}
		r.FilterPasses = p.FilterPasses
	}
	if o.Hedge != "" {
		r.Hedge = o.Hedge
	}
	if o.HedgeAfter > 0 {
		r.HedgeAfter = o.HedgeAfter
	}
	if o.HasPatience {
		r.Patience = o.Patience
	}
	r.Deadline, r.ContentBy = now.Add(cfg.Deadline), now.Add(cfg.ContentBy)
	if o.Deadline > 0 {
		r.Deadline = now.Add(o.Deadline)
		if r.Deadline.Before(r.ContentBy) {
			r.ContentBy = r.Deadline
		}
	}
	onBreak := cfg.OnBreak
	if first.OnBreak != "" {
		onBreak = first.OnBreak
	}
	if o.OnBreak != "" {
		onBreak = o.OnBreak
	}
	r.Whole = !req.Stream || onBreak == "atomic"
	r.Resume = req.Stream && onBreak == "continue"
	return r
}

// tokens is what the limiters are told a request will use.
func (j *job) tokens() int {
	answer := j.req.MaxTokens
	if answer == 0 {
		answer = 400
	}
	return j.rules.PromptTokens + answer
}
