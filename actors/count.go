package actors

import (
	"context"
	"time"

	"gateway"
)

// Counter is an Upstream that can say how many tokens a prompt has. It is asked for
// nothing else and bills nothing for it.
type Counter interface {
	CountTokens(ctx context.Context, call *gateway.Call) (int, error)
}

// countWait bounds how long a provider may take to count: clients ask before each turn.
const countWait = 10 * time.Second

// CountTokens says how many tokens the prompt has at the provider that would be asked
// first. counted is false for an estimate: that provider cannot count, or did not
// answer. Its error is the client's own or that of its model's name, an *gateway.Error.
func (s *System) CountTokens(ctx context.Context, req *gateway.Request) (tokens int, counted bool, err error) {
	now := time.Now()
	cands, rules, refusal := s.plan(req, s.makerOf(req, now), now)
	if refusal != nil {
		return 0, false, refusal
	}
	first := cands[0].Model
	up, ok := s.byName[first.Provider].Upstream.(Counter)
	if !ok {
		return rules.PromptTokens, false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, countWait)
	defer cancel()
	n, err := up.CountTokens(ctx, &gateway.Call{Request: req, Model: first, Attempt: 1, Plain: true})
	switch {
	case err == nil:
		return n, true, nil
	case gateway.KindOf(err) == gateway.Invalid:
		return 0, false, asError(err)
	}
	s.log.Debug("counting tokens", "provider", first.Provider, "err", err)
	return rules.PromptTokens, false, nil
}
